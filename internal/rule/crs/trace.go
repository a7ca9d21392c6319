package crs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// origin is where a series comes from. It is nil when nobody wants to know.
type origin struct {
	steps []rule.Detail
	from  string // of the value
	keyed bool   // the labelFromKey applies
}

// spot is a value at or below the path of an each block.
type spot struct {
	value any
	index int    // of an element, where key is empty
	key   string // of a map's value
	whole bool   // what the path leads to itself
}

// at says where the object has what an each block looks at.
func (e *each) at(s spot) string {
	base := "object" + e.path.String()
	switch {
	case s.whole:
		return base
	case s.key != "":
		return base + rule.Path{rule.Field(s.key)}.String()
	default:
		return base + rule.Path{rule.Index(s.index)}.String()
	}
}

// steps lead from the object to a value.
func (e *each) steps(s spot) []rule.Detail {
	if s.whole && s.value == nil {
		return nil
	}
	return []rule.Detail{{Name: "each", Text: e.at(s) + " is " + rule.Show(s.value)}}
}

// tracePath tells when the path leads to nothing that there could be a series
// of.
func (e *each) tracePath(t *rule.Trace, object map[string]any, v any) {
	switch x := v.(type) {
	case nil:
		if !e.nilIsZero {
			t.Stop("path " + e.at(spot{whole: true}) + ": found nothing: " + e.path.Missing(object, "object"))
		}
	case []any:
		if len(x) == 0 {
			t.Stop("path " + e.at(spot{whole: true}) + " is an empty list")
		}
	case map[string]any:
		if len(x) == 0 && e.typ == metric.Gauge {
			t.Stop("path " + e.at(spot{whole: true}) + " is an empty map")
		}
	}
}

// traceGauge tells what became of a value that is to have a number: s, or
// nothing.
func (e *each) traceGauge(t *rule.Trace, at spot, s *series, failed bool) {
	keyed := e.valueKey != "" && at.key == e.valueKey
	path := e.valueFrom
	if keyed {
		path = nil
	}
	value := path.Walk(at.value)
	if s != nil {
		s.from = &origin{steps: e.steps(at), keyed: at.key != "", from: e.numberFrom(at, path, value, s.value)}
		return
	}
	t.At(e.steps(at)...)
	switch {
	case failed || keyed && value != nil: // and has been told
	case value == nil && len(path) == 0:
		t.Stop(e.at(at) + " is null")
	case value == nil:
		t.Stop("valueFrom " + e.at(at) + path.String() + ": found nothing: " + path.Missing(at.value, e.at(at)))
	default:
		_, err := rule.ToNumber(value)
		t.Stop(fmt.Sprintf("%s%s: %v: the child of a map is left out silently", e.at(at), path, err))
	}
}

// numberFrom says where a number comes from.
func (e *each) numberFrom(at spot, path rule.LegacyPath, value any, number float64) string {
	place, n := e.at(at)+path.String(), strconv.FormatFloat(number, 'g', -1, 64)
	if value == nil {
		return "0, by nilIsZero: " + place + " is absent"
	}
	if rule.Show(value) == n {
		return place + " is " + n
	}
	return place + " is " + rule.Show(value) + ", which is " + n
}

// traceInfo tells what became of a value that is to have labels: s, or nothing.
func (e *each) traceInfo(t *rule.Trace, at spot, s *series) {
	if s != nil {
		s.from = &origin{steps: e.steps(at), keyed: at.key != "", from: "1, as of every info metric"}
		return
	}
	t.At(e.steps(at)...)
	if at.value == nil {
		t.Stop(e.at(at) + " is null")
		return
	}
	var reasons []string
	for _, n := range e.inner.named {
		reasons = append(reasons, fmt.Sprintf("label %s: %s%s: found nothing: %s", n.name, e.at(at), n.path, n.path.Missing(at.value, e.at(at))))
	}
	t.Stop("an info series needs a label of its own, and labelsFromPath gives none", reasons...)
}

// traceState tells what became of a value that is to be a state.
func (e *each) traceState(t *rule.Trace, at spot, value any) {
	t.At(e.steps(at)...)
	place := e.at(at) + e.valueFrom.String()
	switch _, isText := value.(string); {
	case value == nil && !at.whole && len(e.valueFrom) == 0:
		t.Stop(e.at(at) + " is null")
	case value == nil && at.value != nil:
		t.Stop("valueFrom " + place + ": found nothing: " + e.valueFrom.Missing(at.value, e.at(at)))
	case isText && len(e.list) == 0:
		t.Stop("the list of states is empty")
	}
}

// stateFrom says where the series of a state comes from.
func (e *each) stateFrom(at spot, current string, value float64) *origin {
	from := e.at(at) + e.valueFrom.String() + " is " + rule.Show(current)
	switch {
	case value == 1:
		from += ": 1 for the current state"
	case slices.Contains(e.list, current):
		from += ": 0 for the other states"
	default:
		from += ", which is not in the list: 0 for all states"
	}
	return &origin{steps: e.steps(at), from: from}
}

// lastIf returns the last of some series if there is one for the value at hand.
func lastIf(list []series, there bool) *series {
	if !there {
		return nil
	}
	return &list[len(list)-1]
}

// traceEmit says where a series comes from that is about to be emitted.
func (e *each) traceEmit(t *rule.Trace, s *series, labels []metric.Label) {
	o := s.from
	if o == nil {
		o = &origin{}
	}
	t.At(o.steps...)
	t.Emitting(labels, []string{o.from}, func(name string) string { return e.labelFrom(o, s, name) })
}

// labelFrom says where a label comes from, or nothing for one of the resource.
func (e *each) labelFrom(o *origin, s *series, name string) string {
	own := false
	for _, l := range s.labels {
		own = own || l.Name == name
	}
	switch {
	case own && e.typ == metric.StateSet && name == e.labelName:
		return "the state"
	case own:
		if from := e.inner.from(name); from != "" || !o.keyed {
			return from
		}
		return "labelFromKey"
	}
	if from := e.outer.from(name); from != "" {
		return from
	}
	for _, l := range e.commonLabels {
		if l.Name == name {
			return "commonLabels"
		}
	}
	return ""
}

// from says which of the paths gives a label, or nothing.
func (l *labelPaths) from(name string) string {
	for _, n := range l.named {
		if n.name == name {
			return "labelsFromPath " + strings.TrimPrefix(n.path.String(), ".")
		}
	}
	for _, p := range l.patterns {
		if prefix := metric.SanitizeLabelName(p.name + "x"); strings.HasPrefix(name, strings.TrimSuffix(prefix, "x")) {
			return "labelsFromPath " + p.name + "*: " + strings.TrimPrefix(p.path.String(), ".")
		}
	}
	return ""
}
