package rule

import (
	"cmp"
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
	joins     bool         // there is a lookup, here or in a metric
	targets   []GVK        // of lookups that always name the same kind
	anyTarget bool         // there is a lookup that does not
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
}

type compiledMetric struct {
	info   *Metric
	unique bool // it can give one sample of its family at most
	eval   Evaluator
}

// compiler gathers families while documents are compiled.
type compiler struct {
	opts     CompileOptions
	families map[string]*familyUse
	groups   map[string]bool // opt-in groups seen
	known    []string        // parameters seen
	given    map[string]bool // of Params, those that were used
	list     Diagnostics
}

type familyUse struct {
	desc metric.Desc
	uses []*compiledMetric
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

// number gives families their places in the order of their names.
func (c *compiler) number(set *Set) {
	for i, name := range slices.Sorted(maps.Keys(c.families)) {
		f := c.families[name]
		set.families = append(set.families, f.desc)
		for _, m := range f.uses {
			m.info.Family = i
			m.unique = m.unique && len(f.uses) == 1
		}
	}
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
	out.gvk, out.discover, out.selection = s.gvk, s.discover, s.selection
	for i := range s.lookups {
		out.lookups = append(out.lookups, c.join(r, out, &s.lookups[i], &out.names))
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
			Limits: slices.Concat(limits, m.limits.compile(fmt.Sprintf("metric %q", m.name))),
			Enable: slices.DeleteFunc([]string{s.enable, m.enable}, func(g string) bool { return g == "" }),
		}
		compiled := c.metric(rm, d, s, m, out, info)
		// What is switched off is compiled all the same: its mistakes are found.
		if c.enabled(m.enable) && enabled {
			if desc, ok := c.describe(rm, d, s, m, &compiled); ok && (c.opts.Keep == nil || c.opts.Keep(desc.Name)) {
				out.metrics = append(out.metrics, compiled)
				c.family(rm, m, desc, &out.metrics[len(out.metrics)-1])
			}
		}
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
	return compiledMetric{info: info, eval: f, unique: len(f.scopes) == 0 || grouped}
}

// describe returns the description of a metric's family.
func (c *compiler) describe(r Reporter, d *Document, s *resourceSpec, m *metricSpec, cm *compiledMetric) (metric.Desc, bool) {
	desc := metric.Desc{Name: m.name, Help: m.help, Unit: m.unit, Type: m.typ}
	if t, ok := cm.eval.(interface{ Type() metric.Type }); ok {
		desc.Type = t.Type()
	}
	prefix := s.prefix
	if prefix == nil && d.Legacy() {
		legacyPrefix := "kube_customresource"
		prefix = &legacyPrefix
	}
	if prefix != nil && *prefix != "" {
		desc.Name = *prefix + "_" + m.name
	}
	if !metric.IsName(desc.Name) {
		r.Errorf(m.pos, "metric name %q does not match [a-zA-Z_:][a-zA-Z0-9_:]*", desc.Name)
		return desc, false
	}
	if err := desc.Validate(); err != nil {
		r.Errorf(m.pos, "%v", err)
		return desc, false
	}
	if c.opts.Reserved != nil {
		if why := c.opts.Reserved(desc.Name); why != "" {
			r.Errorf(m.pos, "the name %s is taken: %s", desc.Name, why)
			return desc, false
		}
	}
	return desc, true
}

// family registers a metric with its family. All metrics of a family must be of
// one type and make; the first help stays.
func (c *compiler) family(r Reporter, m *metricSpec, desc metric.Desc, cm *compiledMetric) {
	f := c.families[desc.Name]
	if f == nil {
		f = &familyUse{desc: desc, uses: []*compiledMetric{cm}}
		c.families[desc.Name] = f
		return
	}
	first := f.uses[0].info
	switch {
	case f.desc.Type != desc.Type:
		r.Errorf(m.pos, "family %s is a %s here and a %s at %s: rename one", desc.Name, desc.Type, f.desc.Type, first.At)
	case !first.sameShape(cm.info):
		r.Errorf(m.pos, "family %s has another age, aggregate or onTransition here than at %s: rename one", desc.Name, first.At)
	default:
		f.uses = append(f.uses, cm)
	}
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

// baseLabels are the labels of all metrics of a resource, sorted by name: those
// of the document and those of the resource, which win. base are those without
// commonLabels and labelsFromPath.
func (c *compiler) baseLabels(r Reporter, d *Document, s *resourceSpec, shared labelTable, scope names) (outer, base []boundLabel) {
	own := labelTable{}
	if d.Legacy() {
		maps.Copy(own, kindLabels)
	}
	c.addLabels(own, r, s.labels, scope)

	without := maps.Clone(shared)
	maps.Copy(without, own)

	with := maps.Clone(shared)
	for _, l := range s.commonLabels {
		with.set(l.name, expr{{literal: l.value}})
	}
	for _, l := range s.labelsFromPath {
		if !strings.Contains(l.name, "*") { // those are for the legacy form only
			with.addPath(r, l)
		}
	}
	maps.Copy(with, own)
	return with.sorted(), without.sorted()
}

// kindLabels are on every metric of a legacy document.
var kindLabels = labelTable{
	"customresource_group":   {{slot: slotGVK, path: Path{Field("group")}}},
	"customresource_kind":    {{slot: slotGVK, path: Path{Field("kind")}}},
	"customresource_version": {{slot: slotGVK, path: Path{Field("version")}}},
}

var baseNames = names{slotObject: "object", slotGVK: "gvk", slotParam: ""}

// boundLabel is a label with its compiled value.
type boundLabel struct {
	name  string
	value expr
}

// labelTable holds labels by name; a later one replaces an earlier one.
type labelTable map[string]expr

func (t labelTable) set(name string, value expr) { t[name] = value }

func (c *compiler) addLabels(t labelTable, r Reporter, specs []labelSpec, scope names) {
	for _, l := range specs {
		t.set(l.name, c.compile(r, l.value, scope))
	}
}

// addPath adds a label from a path in the legacy spelling. Where the path leads
// to nothing, the label is what it was before.
func (t labelTable) addPath(r Reporter, l pathLabel) {
	path, err := ParseLegacyPath(l.path)
	if err != nil {
		r.Errorf(l.pos, "labelsFromPath %q: %v", l.name, err)
	}
	name := metric.SanitizeLabelName(l.name)
	at := Position{File: r.file, Line: l.pos.Line, Column: l.pos.Column}
	t.set(name, append(expr{{slot: slotObject, legacy: path, at: at, source: strings.Join(l.path, ".")}}, t[name]...))
}

func (t labelTable) sorted() []boundLabel {
	out := make([]boundLabel, 0, len(t))
	for name, value := range t {
		out = append(out, boundLabel{name, value})
	}
	slices.SortFunc(out, func(a, b boundLabel) int { return cmp.Compare(a.name, b.name) })
	return out
}
