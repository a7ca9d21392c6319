package rule

import (
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// metricSpec is an entry of a resource's metrics, in the new form or, when each
// is set, in the legacy one.
type metricSpec struct {
	pos              *yaml.Node
	name, help, unit string
	otlpName         string
	enable           string
	commonLabels     []constLabel
	labelsFromPath   []pathLabel

	each *yaml.Node // the legacy form

	isForm     bool // a field of the new form is there
	typ        metric.Type
	forEach    []scopeSpec
	labels     []labelSpec
	spread     []spreadSpec
	value      exprSpec
	valueMap   map[string]float64
	fallback   *float64
	states     []string
	anyState   bool // any other state is as good as those that are listed
	stateLabel string
	age        exprSpec
	aggregate  *aggregateSpec
	transition *transitionSpec
	limits     *limitsSpec
}

// scopeSpec is an entry of forEach.
type scopeSpec struct {
	pos            *yaml.Node
	as, key, index string
	in, where      exprSpec
	one            bool
	lookup         *lookupSpec // instead of in
}

type spreadSpec struct {
	from        exprSpec
	prefix      string
	allow, deny []string
}

var metricTypes = map[string]metric.Type{
	"gauge": metric.Gauge, "counter": metric.Counter, "info": metric.Info, "stateSet": metric.StateSet,
	"histogram": metric.Histogram,
}

func (r Reporter) metric(n *yaml.Node, legacy bool) metricSpec {
	s := metricSpec{pos: n, typ: metric.Gauge}
	if name := lookup(n, "name"); name != nil {
		r = r.In("metric %q", name.Value)
	}
	ignore := legacy && lookup(n, "each") != nil
	own := func(fn func(*yaml.Node)) func(*yaml.Node) {
		return func(v *yaml.Node) {
			if ignore {
				r.Warnf(v, "a metric with each has no other form: the field is ignored")
				return
			}
			s.isForm = true
			fn(v)
		}
	}
	before := len(*r.list)
	r.Fields(n, legacy, map[string]func(*yaml.Node){
		"name":     r.Text(&s.name),
		"help":     r.Text(&s.help),
		"unit":     r.Text(&s.unit),
		"enable":   r.Text(&s.enable),
		"otlpName": func(v *yaml.Node) { s.otlpName = r.otlpName(v) },
		"type":     own(func(v *yaml.Node) { s.typ = r.metricType(v) }),
		"forEach":  own(func(v *yaml.Node) { r.Each(v, func(i *yaml.Node) { s.forEach = append(s.forEach, r.scope(i)) }) }),
		"labels":   own(func(v *yaml.Node) { s.labels = r.labels(v) }),
		"spread":   own(func(v *yaml.Node) { r.Each(v, func(i *yaml.Node) { s.spread = append(s.spread, r.spread(i)) }) }),
		"value":    own(func(v *yaml.Node) { s.value = r.expr(v) }),
		"valueMap": own(func(v *yaml.Node) {
			s.valueMap = make(map[string]float64)
			r.Pairs(v, func(key, value *yaml.Node) {
				var f *float64
				if r.Number(&f)(value); f != nil {
					s.valueMap[key.Value] = *f
				}
			})
		}),
		"default": own(r.Number(&s.fallback)),
		"states": own(func(v *yaml.Node) {
			r.Texts(&s.states)(v)
			s.anyState = slices.Contains(s.states, "*")
			s.states = slices.DeleteFunc(s.states, func(state string) bool { return state == "*" })
		}),
		"stateLabel":     own(r.Text(&s.stateLabel)),
		"commonLabels":   func(v *yaml.Node) { s.commonLabels = r.constLabels(v, legacy) },
		"labelsFromPath": func(v *yaml.Node) { s.labelsFromPath = r.pathLabels(v) },
		"errorLogV":      func(*yaml.Node) {}, // errors are counted
		"each":           func(v *yaml.Node) { s.each = v },
		"age":            own(func(v *yaml.Node) { s.age = r.expr(v) }),
		"aggregate":      own(func(v *yaml.Node) { s.aggregate = r.aggregate(v) }),
		"onTransition":   own(func(v *yaml.Node) { s.transition = r.transition(v) }),
		"limits":         func(v *yaml.Node) { s.limits = r.limits(v) },
	})
	if (*r.list)[before:].Err() == nil { // else what is missing may just be misspelt
		r.checkMetric(n, &s)
	}
	return s
}

func (r Reporter) checkMetric(n *yaml.Node, s *metricSpec) {
	switch {
	case s.name == "":
		r.Errorf(n, "the metric has no name")
	case s.each != nil && s.isForm:
		r.Errorf(n, "a metric has either each or type, forEach, labels, value: use one of the two forms")
	case s.each != nil:
	case s.typ == metric.Info && (!s.value.empty() || s.fallback != nil):
		r.Errorf(n, "an info metric has no value: it is always 1")
	case s.typ == metric.StateSet && (s.stateLabel == "" || len(s.states) == 0 && !s.anyState):
		r.Errorf(n, "a stateSet needs states and a stateLabel")
	case s.typ == metric.StateSet && len(repeated(s.states)) > 0:
		r.Errorf(n, "the state %q is listed twice", repeated(s.states)[0])
	case s.typ == metric.StateSet && !metric.IsLabelName(s.stateLabel):
		r.Errorf(n, "stateLabel %q does not match [a-zA-Z_][a-zA-Z0-9_]*", s.stateLabel)
	case s.typ != metric.StateSet && (s.stateLabel != "" || len(s.states) > 0):
		r.Errorf(n, "states and stateLabel belong to type stateSet")
	case s.typ == metric.StateSet && s.value.empty():
		r.Errorf(n, "the metric has no value")
	case s.typ == metric.StateSet && (s.fallback != nil || s.valueMap != nil):
		r.Errorf(n, "a stateSet has no default and no valueMap")
	case s.typ != metric.Info && s.value.empty() && s.fallback == nil && s.age.empty() && s.aggregate == nil && s.transition == nil:
		r.Errorf(n, "the metric has neither a value nor a default")
	default:
		r.checkDerived(n, s)
	}
}

// otlpName reads what a metric is called in OTLP, in the syntax that
// OpenTelemetry has for the names of instruments.
func (r Reporter) otlpName(n *yaml.Node) string {
	var name string
	r.Text(&name)(n)
	if !otlpNames.MatchString(name) {
		r.Errorf(n, "otlpName %q does not match [a-zA-Z][a-zA-Z0-9_./-]*, of 255 characters at most", name)
	}
	return name
}

var otlpNames = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_./-]{0,254}$`)

// repeated returns the words that are in a list before.
func repeated(words []string) []string {
	var out []string
	for i, w := range words {
		if slices.Contains(words[:i], w) {
			out = append(out, w)
		}
	}
	return out
}

func (r Reporter) metricType(n *yaml.Node) metric.Type {
	t, ok := metricTypes[n.Value]
	switch {
	case !ok || n.Kind != yaml.ScalarNode:
		r.Errorf(n, "unknown type %q: expected gauge, counter, info, stateSet or histogram%s", n.Value,
			suggest(n.Value, []string{"gauge", "counter", "info", "stateSet", "histogram"}))
	}
	return t
}

func (r Reporter) scope(n *yaml.Node) scopeSpec {
	s := scopeSpec{pos: n}
	r.Fields(n, false, map[string]func(*yaml.Node){
		"as": r.Text(&s.as), "key": r.Text(&s.key), "index": r.Text(&s.index), "one": r.Bool(&s.one),
		"in":     func(v *yaml.Node) { s.in = r.expr(v) },
		"lookup": func(v *yaml.Node) { found := r.scopeLookup(v, lookup(n, "as")); s.lookup = &found },
		"where":  func(v *yaml.Node) { s.where = r.expr(v) },
	})
	if s.as == "" {
		r.Errorf(n, "a forEach scope needs a name: as")
	}
	switch {
	case s.lookup == nil && s.in.empty():
		r.Errorf(n, "a forEach scope needs something to iterate over: in")
	case s.lookup != nil && (!s.in.empty() || s.key != "" || s.index != "" || s.one):
		r.Errorf(n, "a forEach scope with lookup is one object: it has no in, key, index and one")
	}
	return s
}

func (r Reporter) spread(n *yaml.Node) spreadSpec {
	var s spreadSpec
	r.Fields(n, false, map[string]func(*yaml.Node){
		"from":   func(v *yaml.Node) { s.from = r.expr(v) },
		"prefix": r.Text(&s.prefix), "allow": r.globs(&s.allow), "deny": r.globs(&s.deny),
	})
	if s.from.empty() {
		r.Errorf(n, "spread needs a map: from")
	}
	return s
}

// globs stores patterns that are known to be valid.
func (r Reporter) globs(dst *[]string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		r.Texts(dst)(n)
		for _, g := range *dst {
			if err := checkGlob(g); err != nil {
				r.Errorf(n, "pattern %q: %v", g, err)
			}
		}
	}
}
