package kubestatemetrics

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/util/json"
	goyaml "sigs.k8s.io/yaml/goyaml.v3"
)

// exposed is what an exposition says: the values of each series, by its name
// and those of its labels that have a value. More than one value is a series
// that is there more than once.
type exposed map[string][]string

// parse reads an exposition. It fails where Prometheus would drop the scrape.
func parse(text string) (exposed, error) {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	out := make(exposed)
	for name, f := range families {
		for _, m := range f.GetMetric() {
			key := name + labelText(m.GetLabel())
			out[key] = append(out[key], strconv.FormatFloat(m.GetUntyped().GetValue()+0, 'g', -1, 64))
		}
	}
	for _, values := range out {
		slices.Sort(values)
	}
	return out, nil
}

func labelText(labels []*dto.LabelPair) string {
	var pairs []string
	for _, l := range labels {
		if l.GetValue() != "" { // else it is as good as absent
			pairs = append(pairs, l.GetName()+"="+strconv.Quote(l.GetValue()))
		}
	}
	slices.Sort(pairs)
	return "{" + strings.Join(pairs, ",") + "}"
}

// duplicates reports whether a series is there more than once.
func (e exposed) duplicates() bool {
	for _, values := range e {
		if len(values) > 1 {
			return true
		}
	}
	return false
}

// input is what both get.
type input struct {
	config string
	object map[string]any
}

func (in input) String() string {
	object, err := goyaml.Marshal(in.object)
	return fmt.Sprintf("configuration:\n%s\nobject:\n%s(%v)", in.config, object, err)
}

// objectOf reads an object and gives it the types of a client of the API server.
func objectOf(t *testing.T, text string) map[string]any {
	t.Helper()
	var parsed, object map[string]any
	if err := goyaml.Unmarshal([]byte(text), &parsed); err != nil {
		t.Fatalf("object: %v\n%s", err, text)
	}
	data, err := json.Marshal(parsed)
	if err != nil {
		t.Fatalf("object: %v\n%s", err, text)
	}
	if err := json.Unmarshal(data, &object); err != nil {
		t.Fatalf("object: %v\n%s", err, data)
	}
	return object
}

// outcome is what both made of an input.
type outcome struct {
	theirs             *theirs
	theirErr, ourErr   error // the configuration does not load
	theirText, ourText string
	their, our         exposed // their is nil if their text is invalid
}

func run(in input) (outcome, error) {
	var o outcome
	o.theirs, o.theirErr = loadTheirs(in.config)
	set, err := loadOurs(in.config)
	o.ourErr = err
	if o.theirErr == nil {
		o.theirText = o.theirs.render(in.object)
		o.their, _ = parse(o.theirText) // an error is for the predicates
	}
	if o.ourErr == nil {
		o.ourText = renderOurs(set, in.object)
		if o.our, err = parse(o.ourText); err != nil {
			return o, fmt.Errorf("our exposition is invalid: %w\n%s", err, o.ourText)
		}
		if o.our.duplicates() {
			return o, fmt.Errorf("our exposition has a series twice:\n%s", o.ourText)
		}
	}
	return o, nil
}

// compare returns the name of the deviation that explains a difference, "" if
// there is none, or an error that no deviation explains.
func compare(in input) (string, error) {
	o, err := run(in)
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, in)
	}
	if o.same() {
		return "", nil
	}
	for _, d := range deviations {
		if d.explains(in, o) {
			return d.name, nil
		}
	}
	return "", fmt.Errorf("%s\n%s\ntheirs:\n%s(%v)\nours:\n%s(%v)", cmp.Diff(o.their, o.our), in, o.theirText, o.theirErr, o.ourText, o.ourErr)
}

// same reports whether both refuse the configuration, or both give the same
// series with the same values.
func (o outcome) same() bool {
	if o.theirErr != nil || o.ourErr != nil {
		return o.theirErr != nil && o.ourErr != nil
	}
	return o.their != nil && maps.EqualFunc(o.their, o.our, slices.Equal)
}
