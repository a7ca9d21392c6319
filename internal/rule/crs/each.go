package crs

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// each is a compiled legacy metric.
type each struct {
	typ          metric.Type
	commonLabels []metric.Label
	outer        labelPaths // labelsFromPath of the resource and the metric

	path         rule.LegacyPath
	valueFrom    rule.LegacyPath
	valueKey     string // the single segment of valueFrom, if it may be a key
	inner        labelPaths
	labelFromKey string
	nilIsZero    bool
	labelName    string
	list         []string
	reads        reads
}

// Compile compiles a legacy metric. It is a [rule.CompileOptions] Legacy
// function.
func Compile(m rule.LegacyMetric) rule.Evaluator {
	e := &each{}
	for _, name := range slices.Sorted(maps.Keys(m.CommonLabels)) {
		e.commonLabels = append(e.commonLabels, metric.Label{Name: name, Value: m.CommonLabels[name]})
	}
	c := compiler{m.Reporter, m.Node, m.Lenient}
	e.outer = c.labels(m.LabelsFromPath)
	c.each(m.Each, e)
	e.reads = readsOf(m, e)
	return e
}

// Type returns the type of the metric's family.
func (e *each) Type() metric.Type { return e.typ }

// compiler reports what is wrong with one metric.
type compiler struct {
	rule.Reporter
	node    *yaml.Node
	lenient bool
}

// each reads the each block: a type, and a block of its own for the type.
func (c compiler) each(n *yaml.Node, e *each) {
	var typ string
	blocks := make(map[string]*yaml.Node)
	keep := func(name string) func(*yaml.Node) {
		return func(v *yaml.Node) { blocks[name] = v }
	}
	c.Fields(n, c.lenient, map[string]func(*yaml.Node){
		"type": c.Text(&typ), "gauge": keep("gauge"), "info": keep("info"), "stateSet": keep("stateSet"),
	})
	var name string
	switch strings.ToLower(typ) {
	case "gauge":
		name, e.typ = "gauge", metric.Gauge
	case "info":
		name, e.typ = "info", metric.Info
	case "stateset":
		name, e.typ = "stateSet", metric.StateSet
	case "":
		c.Errorf(n, "each has no type: expected Gauge, Info or StateSet")
		return
	default:
		c.Errorf(n, "unknown type %q: expected Gauge, Info or StateSet", typ)
		return
	}
	block := blocks[name]
	if block == nil {
		c.Errorf(n, "each has type %s but no block %q", typ, name)
		return
	}
	c.block(block, e)
}

func (c compiler) block(n *yaml.Node, e *each) {
	labels := make(map[string][]string)
	var at, valueFrom []string
	known := map[string]func(*yaml.Node){
		"path": c.texts(&at),
		"labelsFromPath": func(v *yaml.Node) {
			c.Pairs(v, func(key, value *yaml.Node) {
				var p []string
				c.texts(&p)(value)
				labels[key.Value] = p
			})
		},
	}
	if e.typ != metric.StateSet {
		known["labelFromKey"] = c.Text(&e.labelFromKey)
	}
	if e.typ != metric.Info {
		known["valueFrom"] = c.texts(&valueFrom)
	}
	if e.typ == metric.Gauge {
		known["nilIsZero"] = c.Bool(&e.nilIsZero)
	}
	if e.typ == metric.StateSet {
		known["labelName"] = c.Text(&e.labelName)
		known["list"] = c.texts(&e.list)
	}
	c.Fields(n, c.lenient, known)
	e.path = c.path("path", at)
	e.valueFrom = c.path("valueFrom", valueFrom)
	// kube-state-metrics tells one segment from several by the comma between
	// them, and so takes a key with a comma for several.
	if len(valueFrom) == 1 && !strings.Contains(valueFrom[0], ",") {
		e.valueKey = valueFrom[0]
	}
	e.inner = c.labels(labels)
	if e.typ == metric.StateSet && e.labelName == "" {
		c.Errorf(n, "stateSet has no labelName: its series would have no valid name for the state")
	}
	if e.labelName != "" {
		e.labelName = c.labelName(e.labelName)
	}
	if e.labelFromKey != "" {
		e.labelFromKey = c.labelName(e.labelFromKey)
	}
}

// labelName makes a name valid that kube-state-metrics would write as it is.
func (c compiler) labelName(name string) string {
	if metric.IsLabelName(name) {
		return name
	}
	valid := metric.SanitizeLabelName(name)
	c.Warnf(c.node, "label name %q is not valid and becomes %q", name, valid)
	return valid
}

// texts reads a list of scalars. What is null in it is left out, as the decoder
// of kube-state-metrics does.
func (c compiler) texts(dst *[]string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		list := *n
		list.Content = slices.DeleteFunc(slices.Clone(n.Content), func(item *yaml.Node) bool { return item.ShortTag() == "!!null" })
		c.Texts(dst)(&list)
	}
}

func (c compiler) path(what string, segments []string) rule.LegacyPath {
	p, err := rule.ParseLegacyPath(segments)
	if err != nil {
		c.Errorf(c.node, "%s %v: %v", what, segments, err)
	}
	return p
}
