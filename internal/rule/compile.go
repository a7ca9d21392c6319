package rule

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// CompileOptions say what a set is made of.
type CompileOptions struct {
	// Enable names the opt-in groups that are wanted.
	Enable []string
	// EnableAll enables every opt-in group.
	EnableAll bool
	// Identity warns of metrics of which no label tells objects apart.
	Identity bool
	// Reserved says why a family name is not for rules, or nothing. It may be
	// nil.
	Reserved func(name string) string
	// Keep says which families are wanted, by their full names. It may be nil,
	// for all.
	Keep func(name string) bool
	// Params are values for parameters of documents, by the document's name, a
	// dot, and the parameter's name.
	Params map[string][]string
	// Legacy compiles the "each" block of a metric. Package crs provides it;
	// without it such metrics are errors.
	Legacy func(LegacyMetric) Evaluator
	// Expression compiles what is no plain path; names are the variables by
	// their slots, without the empty ones. An error may have a method At() int
	// that says where in the source it is. Package cel provides it; without it
	// such expressions are errors.
	Expression func(source string, names []string) (Expression, error)
}

// LegacyMetric is a metric of the legacy dialect, with its labels merged from
// the resource and the metric.
type LegacyMetric struct {
	// Reporter takes what is wrong with the metric.
	Reporter Reporter
	// Node is the metric itself, Each its each block.
	Node, Each *yaml.Node
	// CommonLabels are labels with fixed values.
	CommonLabels map[string]string
	// Lenient makes unknown fields warnings.
	Lenient bool
	// LabelsFromPath are paths from the object by label name or pattern.
	LabelsFromPath map[string][]string
}

// Evaluator makes the samples of one metric from the object of a [Context]. It
// is shared by all objects and goroutines.
type Evaluator interface {
	Eval(c *Context)
}

// Set is a compiled set of rules. It never changes.
type Set struct {
	families  []metric.Desc
	resources []*resourceRules
}

// resourceRules is a compiled entry of spec.resources.
type resourceRules struct {
	document  string
	gvk       GVK
	discover  *discoverSpec // instead of gvk
	selection Selection
	params    map[string]any
	names     names // in scope of every metric
	lookups   []join
	joinUse                // of the lookups here and in metrics that are on
	outer     []boundLabel // what all metrics share: it depends on the object only
	base      []boundLabel // of these, what the legacy form does not read by itself
	metrics   []compiledMetric
}

// Metric is what a [Sink] may know of the metric that a sample is of.
type Metric struct {
	// Family is the number of the family.
	Family int
	// Age says that values are times in Unix seconds, which are to be shown as
	// the time that has passed since.
	Age bool
	// Aggregate and Transition are set for metrics without a series of their
	// own for each object.
	Aggregate  *Aggregate
	Transition *Transition
	// Limits bound the metric, the widest first.
	Limits []*Limit
	// Name is what the rules call the metric, Document and At say where.
	Name, Document string
	At             Position
	// Enable are the opt-in groups it is in.
	Enable []string
	// OTLPName is what the metric is called in OTLP, or nothing: then it is the
	// name of its family.
	OTLPName string
}

type compiledMetric struct {
	info   *Metric
	unique bool // it can give one sample of its family at most
	// sole is the metric itself if its own labels tell its samples apart: no
	// other gives the family, and all labels stand in their places.
	sole *form
	eval Evaluator
}

// compiler gathers families while documents are compiled.
type compiler struct {
	opts       CompileOptions
	families   map[string]*familyUse
	groups     map[string]bool // opt-in groups seen
	known      []string        // parameters seen
	parameters []string        // of the document at work
	values     map[string]any  // of these
	given      map[string]bool // of Params, those that were used
	list       Diagnostics
}

// Source is the documents of one file, as [Parse] returned them.
type Source struct {
	// File stands in the positions of findings.
	File string
	// Documents are compiled in order.
	Documents []*Document
}

// Compile compiles the documents of some files into one set. Rule order is the
// order of the files. All findings are returned at once; the set is usable when
// [Diagnostics.Err] is nil.
func Compile(sources []Source, opts CompileOptions) (*Set, Diagnostics) {
	c := &compiler{
		opts: opts, families: make(map[string]*familyUse), groups: make(map[string]bool),
		given: make(map[string]bool),
	}
	set := &Set{}
	for _, src := range sources {
		r := Reporter{file: src.File, list: &c.list}
		for _, d := range src.Documents {
			set.resources = append(set.resources, c.document(r, d)...)
		}
	}
	for _, group := range opts.Enable {
		if !c.groups[group] {
			known := slices.Sorted(maps.Keys(c.groups))
			c.list = append(c.list, Diagnostic{
				Position: Position{File: "--enable"},
				Message:  fmt.Sprintf("no rule has the group %q: the loaded rules have %s%s", group, orNone(known), suggest(group, known)),
			})
		}
	}
	c.checkParams()
	c.checkHistograms()
	c.number(set)
	c.list.sort()
	return set, c.list
}

// document compiles the resources of a document.
func (c *compiler) document(r Reporter, d *Document) []*resourceRules {
	scope := slices.Clone(baseNames)
	params := c.params(d)
	if len(params) > 0 {
		scope[slotParam] = "param"
	}
	shared := labelTable{}
	c.addLabels(shared, r, d.labels, scope)
	limits := d.limits.compile(fmt.Sprintf("document %q", d.Name))
	out := make([]*resourceRules, len(d.resources))
	for i := range d.resources {
		rules := &resourceRules{document: d.Name, params: params, names: slices.Clone(scope)}
		c.resource(r, d, &d.resources[i], shared, limits, rules)
		out[i] = rules
	}
	return out
}

func orNone(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}

func (c *compiler) enabled(group string) bool {
	if group == "" {
		return true
	}
	c.groups[group] = true
	return c.opts.EnableAll || slices.Contains(c.opts.Enable, group)
}

// resource compiles an entry of a document, whose labels are shared.
func (c *compiler) resource(r Reporter, d *Document, s *resourceSpec, shared labelTable, limits []*Limit, out *resourceRules) {
	out.gvk, out.discover, out.selection = s.gvk, c.discover(r, s.discover), s.selection
	c.doubt(r, s)
	var own joinUse
	for i := range s.lookups {
		out.lookups = append(out.lookups, c.join(r, &own, &s.lookups[i], &out.names))
	}
	out.outer, out.base = c.baseLabels(r, d, s, shared, out.names)
	limits = slices.Concat(limits, s.limits.compile(s.describe()))
	enabled := c.enabled(s.enable)
	out.metrics = make([]compiledMetric, 0, len(s.metrics))
	for i := range s.metrics {
		m := &s.metrics[i]
		if m.name == "" {
			continue
		}
		rm := r.In("metric %q", m.name)
		info := &Metric{
			Name: m.name, Document: d.Name, At: Position{File: r.file, Line: m.pos.Line, Column: m.pos.Column},
			Limits:   slices.Concat(limits, m.limits.compile(fmt.Sprintf("metric %q", m.name))),
			OTLPName: m.otlpName,
			Enable:   slices.DeleteFunc([]string{s.enable, m.enable}, func(g string) bool { return g == "" }),
		}
		compiled := c.metric(rm, d, s, m, out, info)
		// What is switched off is compiled all the same: its mistakes are found.
		if c.enabled(m.enable) && enabled {
			if desc, ok := c.describe(rm, d, s, m, &compiled); ok && (c.opts.Keep == nil || c.opts.Keep(desc.Name)) {
				out.metrics = append(out.metrics, compiled)
				if f, ok := compiled.eval.(*form); ok {
					out.add(f.use)
				}
				c.family(rm, m, desc, &out.metrics[len(out.metrics)-1])
			}
		}
	}
	if len(out.metrics) > 0 {
		out.add(own)
	}
}

// doubt warns of what may not be meant.
func (c *compiler) doubt(r Reporter, s *resourceSpec) {
	if !c.opts.Identity {
		return
	}
	if s.groupless && s.gvk.Kind != "*" && !slices.Contains(coreKinds, s.gvk.Kind) {
		r.Warnf(s.pos, "groupVersionKind has no group: kind %s of the core group is meant; write its group, or group: \"\"", s.gvk.Kind)
	}
	if len(s.metrics) == 0 {
		r.Warnf(s.pos, "the resource has no metrics: nothing is made of it")
	}
}

// describe names the entry for people.
func (s *resourceSpec) describe() string {
	if s.discover != nil {
		return fmt.Sprintf("the resource of line %d", s.pos.Line)
	}
	return s.gvk.String()
}

func (c *compiler) metric(r Reporter, d *Document, s *resourceSpec, m *metricSpec, rules *resourceRules, info *Metric) compiledMetric {
	grouped := m.aggregate != nil || m.transition != nil
	if c.opts.Identity && !grouped && !s.identifies(m, rules.outer) {
		add := "labels: {name: object.metadata.name}"
		if m.each != nil {
			add = "labelsFromPath: {name: [metadata, name]}"
		}
		r.Warnf(m.pos, "no label tells objects apart: more than one of them give the same series; add %s", add)
	}
	if m.each != nil {
		return compiledMetric{info: info, eval: c.legacy(r, d, s, m)}
	}
	f := c.form(r, rules, m, info)
	return compiledMetric{info: info, eval: f, unique: len(f.scopes) == 0 && !info.renames()}
}

func (c *compiler) legacy(r Reporter, d *Document, s *resourceSpec, m *metricSpec) Evaluator {
	if c.opts.Legacy == nil {
		r.Errorf(m.each, "metrics with each are not read here")
		return nil
	}
	l := LegacyMetric{
		Reporter: r, Node: m.pos, Each: m.each, Lenient: d.Legacy(),
		CommonLabels: make(map[string]string), LabelsFromPath: make(map[string][]string),
	}
	for _, label := range s.commonLabels {
		if !d.Legacy() || kindLabels[label.name] == nil {
			l.CommonLabels[label.name] = label.value
		}
	}
	for _, label := range m.commonLabels {
		l.CommonLabels[label.name] = label.value
	}
	for _, label := range slices.Concat(s.labelsFromPath, m.labelsFromPath) {
		l.LabelsFromPath[label.name] = label.path
	}
	return c.opts.Legacy(l)
}
