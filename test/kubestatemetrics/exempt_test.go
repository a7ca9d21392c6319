package kubestatemetrics

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/kube-state-metrics/v2/pkg/customresourcestate"
)

// deviation is a difference on purpose. Its predicate looks at the input and at
// what kube-state-metrics made of it, and is not true of more than it says.
type deviation struct {
	name     string
	explains func(in input, o outcome) bool
}

// deviations are in the order in which they are asked. Each stands in
// docs/custom-resource-state.md.
var deviations = []deviation{
	// A metric without a name is an error of ours, and so is a stateSet without
	// labelName, a name that is invalid, and a name that two metrics of different
	// types have. Theirs is invalid as soon as an object has a value for it. A
	// label without a path, which is theirs for the whole value, is an error too.
	{"refused", func(_ input, o outcome) bool { return o.theirErr == nil && o.ourErr != nil && o.theirs.mustBeRefused() }},

	// A label name that is invalid breaks their scrape, and one that starts with
	// two underscores belongs to Prometheus. Ours is made valid, which is all that
	// differs.
	{"label names", func(_ input, o outcome) bool {
		valid := labelName.ReplaceAllStringFunc(o.theirText, validName)
		if o.theirErr != nil || o.ourErr != nil || valid == o.theirText {
			return false
		}
		e, err := parse(valid)
		o.their = e
		return err != nil || o.oneOfEach() // or two names that are one now
	}},

	// The same series twice: ours is there once, with one of the values.
	{"duplicates", func(_ input, o outcome) bool {
		return o.theirErr == nil && o.ourErr == nil && o.their.duplicates() && o.oneOfEach()
	}},

	// Several keys become one label: theirs is another one each time.
	{"random", func(in input, o outcome) bool {
		return o.theirErr == nil && o.ourErr == nil && o.theirs.isRandom(in.object, o.our)
	}},
}

// labelName is the name of a label in an exposition, with what stands around
// it. No value has an unescaped quote.
var labelName = regexp.MustCompile(`[{,][^{,="]*="`)

var notInLabelName = regexp.MustCompile(`[^a-zA-Z0-9_]`)

func validName(match string) string {
	name := match[1 : len(match)-2]
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	name = notInLabelName.ReplaceAllString(name, "_")
	if rest := strings.TrimLeft(name, "_"); len(rest) < len(name) {
		name = "_" + rest
	}
	return match[:1] + name + `="`
}

var metricName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)

// mustBeRefused reports whether some metric of the configuration has no valid
// name, no label name for its states, or a label without a path, or two metrics
// have one name and different types.
func (t *theirs) mustBeRefused() bool {
	refused := false
	types := make(map[string]string)
	t.metrics(func(r *customresourcestate.Resource, m *customresourcestate.Generator) {
		name := strings.TrimPrefix(r.GetMetricNamePrefix()+"_"+m.Name, "_")
		typ := strings.ToLower(string(m.Each.Type))
		if before, ok := types[name]; ok && before != typ {
			refused = true
		}
		types[name] = typ
		if m.Name == "" || !metricName.MatchString(name) || typ == "stateset" && m.Each.StateSet.LabelName == "" {
			refused = true
		}
		for _, labels := range []map[string][]string{r.LabelsFromPath, m.LabelsFromPath, innerLabels(m)} {
			for _, path := range labels {
				refused = refused || path == nil
			}
		}
	})
	return refused
}

// innerLabels returns the labelsFromPath of the block that is read.
func innerLabels(m *customresourcestate.Generator) map[string][]string {
	switch e := m.Each; strings.ToLower(string(e.Type)) {
	case "gauge":
		return e.Gauge.LabelsFromPath
	case "info":
		return e.Info.LabelsFromPath
	default:
		return e.StateSet.LabelsFromPath
	}
}

// oneOfEach reports whether ours has the same series, each with one of their
// values.
func (o outcome) oneOfEach() bool {
	if len(o.their) != len(o.our) {
		return false
	}
	for series, values := range o.our {
		if !slices.Contains(o.their[series], values[0]) {
			return false
		}
	}
	return true
}

// isRandom renders until theirs differs from what it was and each series of ours
// has been among theirs, with its value. The rarer outcome of two keys for one
// label is there once in seven times, and there may be several such labels.
func (t *theirs) isRandom(object map[string]any, ours exposed) bool {
	texts := make(map[string]bool)
	missing := maps.Clone(ours)
	for range 20_000 {
		text := t.render(object)
		if texts[text] {
			continue
		}
		texts[text] = true
		e, err := parse(labelName.ReplaceAllStringFunc(text, validName))
		if err != nil {
			continue
		}
		for series, values := range e {
			if len(missing[series]) > 0 && slices.Contains(values, missing[series][0]) {
				delete(missing, series)
			}
		}
		if len(texts) > 1 && len(missing) == 0 {
			return true
		}
	}
	return false
}
