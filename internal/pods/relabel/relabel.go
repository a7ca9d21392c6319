package relabel

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"

	"github.com/kubevitals/kubevitals/internal/pods/line"
	"github.com/kubevitals/kubevitals/internal/pods/scan"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// Relabeler changes bodies. The zero value only gives them the labels of their
// target.
type Relabeler struct {
	// Filter says which families there are, by the names they had before; nil
	// for all.
	Filter *Filter
	// Configs are the rules, in their order, as [ParseConfigs] returns them.
	Configs []*relabel.Config
	// MaxBytes is how large a body may become; 64 MiB if zero.
	MaxBytes int
}

// Result is a body that was relabelled.
type Result struct {
	// Body is of the format it was of before. It shares no memory with that, and
	// has no room that it does not need.
	Body []byte
	// Samples is how many it has.
	Samples int
	// Dropped is how many were left out because a filter or a rule says so.
	Dropped int
	// Invalid is how many were left out because the rules made something of them
	// that is no sample.
	Invalid int
	// Reason says what was wrong with the first of those; nil if there are none.
	// It quotes what the pod has sent.
	Reason error
}

// ErrTooLarge is returned if a body becomes larger than [Relabeler.MaxBytes].
var ErrTooLarge = errors.New("the body is too large after relabelling")

// The bounds of one sample, beyond which it is invalid. Prometheus' package ends
// the program if a label has 16 MiB.
const (
	maxLabels     = 1000
	maxLabelBytes = 1 << 20

	defaultMaxBytes = 64 << 20
)

// Apply gives all samples the labels of the target, as [line.Line.Join] does, and
// relabels them then. It takes a body in one of the text formats that was
// scanned, without changing it.
//
// The families of the result are sorted by name, and their samples are in the
// order in which they were. A sample whose name was changed is in the family of
// that name, with the type and the help of the one it was in. If samples are
// together that no one type fits, such as buckets without their label le, all of
// the family have families of their own by their names, which are of the type
// unknown. Families without samples are left out. Labels that begin with two
// underscores are removed at the end. Rules can make duplicates of samples that
// differed; what of them stays is decided by the next scan.
//
// The memory that this takes is asked of room, a part at a time, whose error ends
// it; nil asks nobody. When Apply returns, no more is in use than that of the body.
func (r *Relabeler) Apply(x *scan.Exposition, target []metric.Label, room func(bytes int) error) (Result, error) {
	if x.Format == exposition.Protobuf {
		return Result{}, errors.New("relabelling needs a text format: ask the pod for one")
	}
	a := application{
		Relabeler: r, target: target, builder: labels.NewBuilder(labels.EmptyLabels()),
		out: families{format: x.Format, byName: make(map[string]*family), names: make(map[string]string), room: room},
		max: r.MaxBytes,
	}
	if a.max == 0 {
		a.max = defaultMaxBytes
	}
	for _, e := range x.Extents {
		if int(e.Family) >= len(x.Families) || e.Start > e.End || int(e.End) > len(x.Body) {
			return Result{}, fmt.Errorf("an extent of the body is out of range: %+v", e)
		}
		f := &x.Families[e.Family]
		if !r.Filter.Keeps(string(f.Name)) {
			a.result.Dropped += int(e.Samples)
			continue
		}
		if err := a.extent(f, x.Body[e.Start:e.End]); err != nil {
			return Result{}, err
		}
	}
	var err error
	if a.result.Body, err = a.out.finish(a.max); err != nil {
		return Result{}, err
	}
	return a.result, nil
}

// application is one call of Apply.
type application struct {
	*Relabeler
	target  []metric.Label
	builder *labels.Builder
	line    line.Line
	scratch []labels.Label
	out     families
	max     int
	result  Result
}

// extent adds the samples of one family that stand together.
func (a *application) extent(f *scan.Family, lines []byte) error {
	source := describe(f, a.out.format)
	for text := range line.Samples(lines) {
		if err := a.line.Parse(text, a.out.format); err != nil {
			a.invalid(text, err)
			continue
		}
		member := memberOf(source, a.line.Name)
		keep, err := a.relabel()
		switch {
		case err != nil:
			a.invalid(text, err)
		case !keep:
			a.result.Dropped++
		default:
			a.result.Samples++
			if a.out.add(source, member, &a.line); a.out.size > a.max {
				return ErrTooLarge
			}
			if err := a.out.settleUp(false); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *application) invalid(text []byte, err error) {
	if a.result.Invalid++; a.result.Reason == nil {
		a.result.Reason = fmt.Errorf("%w: %.100q", err, text)
	}
}

// relabel changes the line, and reports whether it stays.
func (a *application) relabel() (keep bool, err error) {
	a.line.Join(a.target)
	a.scratch = append(a.scratch[:0], labels.Label{Name: model.MetricNameLabel, Value: a.line.Name})
	size := 0
	for _, l := range a.line.Labels {
		if l.Name == model.MetricNameLabel {
			return false, errors.New("there is a label __name__ beside the name")
		}
		a.scratch = append(a.scratch, labels.Label{Name: l.Name, Value: l.Value})
		size += len(l.Name) + len(l.Value)
	}
	if err := checkSize(len(a.scratch), size+len(a.line.Name)); err != nil {
		return false, err
	}
	a.builder.Reset(labels.New(a.scratch...))
	for _, c := range a.Configs {
		if !relabel.ProcessBuilder(a.builder, c) {
			return false, nil
		}
		// One by one, as each can make the labels twice as long.
		n, size := 0, 0
		a.builder.Range(func(l labels.Label) {
			n++
			size += len(l.Name) + len(l.Value)
		})
		if err := checkSize(n, size); err != nil {
			return false, err
		}
	}
	a.line.Name, a.line.Labels = "", a.line.Labels[:0]
	a.builder.Labels().Range(func(l labels.Label) {
		switch {
		case l.Name == model.MetricNameLabel:
			a.line.Name = l.Value
		case !strings.HasPrefix(l.Name, "__"):
			a.line.Labels = append(a.line.Labels, metric.Label{Name: l.Name, Value: l.Value})
		}
	})
	return true, a.check()
}

func checkSize(n, size int) error {
	if n > maxLabels || size > maxLabelBytes {
		return fmt.Errorf("more than %d labels or %d bytes of them", maxLabels, maxLabelBytes)
	}
	return nil
}

// check reports what relabelling may have made wrong.
func (a *application) check() error {
	if !metric.IsUTF8Name(a.line.Name) {
		return fmt.Errorf("relabelling makes the name %.100q, which is empty or no UTF-8", a.line.Name)
	}
	for _, l := range a.line.Labels {
		if !metric.IsUTF8LabelName(l.Name) || !utf8.ValidString(l.Value) {
			return fmt.Errorf("relabelling makes the label %.100q=%.100q, which is no UTF-8 or has no name", l.Name, l.Value)
		}
	}
	return nil
}
