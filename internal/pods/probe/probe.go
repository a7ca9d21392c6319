package probe

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/kopf"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// MaxBody is how many bytes an answer may have.
const MaxBody = 1 << 20

// Convert turns the JSON of an answer into an exposition in Prometheus' text
// format. Families and samples are sorted.
//
// If the answer is no object of probes, or is larger than [MaxBody], there is no
// body, and the error says what is wrong and where. If there are a body and an
// error, the error says which values are left out. Both quote what the pod has
// sent. It is safe for concurrent use, and keeps nothing.
func Convert(answer []byte) ([]byte, error) {
	if len(answer) > MaxBody {
		return nil, fmt.Errorf("an answer of %d bytes: a kopf probe may have %d, let it return less", len(answer), MaxBody)
	}
	families, err := kopf.Parse(answer, kopf.Options{MaxBody: MaxBody})
	if families == nil {
		return nil, err
	}
	if left := withoutNUL(families); left > 0 {
		err = errors.Join(err, fmt.Errorf("%d samples have a NUL in a name or label, which expositions cannot have", left))
	}
	var body bytes.Buffer
	w := exposition.NewWriter(&body, exposition.Text, false)
	for _, f := range families {
		w.WriteFamily(f)
	}
	if closing := w.Close(); closing != nil { // a buffer takes everything
		return nil, closing
	}
	return body.Bytes(), err
}

// withoutNUL removes what JSON can have and text formats cannot, and returns of
// how many samples.
func withoutNUL(families []metric.Family) (removed int) {
	const nul = "\x00"
	for i := range families {
		f := &families[i]
		f.Help = strings.ReplaceAll(f.Help, nul, "")
		before := len(f.Samples)
		f.Samples = slices.DeleteFunc(f.Samples, func(s metric.Sample) bool {
			return strings.Contains(f.Name, nul) || slices.ContainsFunc(s.Labels, func(l metric.Label) bool {
				return strings.Contains(l.Name, nul) || strings.Contains(l.Value, nul)
			})
		})
		removed += before - len(f.Samples)
	}
	return removed
}
