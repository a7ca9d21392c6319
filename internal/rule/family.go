package rule

import (
	"fmt"
	"maps"
	"slices"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// familyUse is a family and the metrics that give it.
type familyUse struct {
	desc metric.Desc
	uses []*compiledMetric
}

// checkHistograms reports families whose names are those of the lines of a
// histogram.
func (c *compiler) checkHistograms() {
	for name, f := range c.families {
		if f.desc.Type != metric.Histogram && f.desc.Type != metric.GaugeHistogram {
			continue
		}
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			if other := c.families[name+suffix]; other != nil {
				c.list = append(c.list, Diagnostic{
					Position: other.uses[0].info.At, Where: fmt.Sprintf("metric %q", other.uses[0].info.Name),
					Message: fmt.Sprintf("family %s has the name of a line of the histogram %s at %s: rename one", name+suffix, name, f.uses[0].info.At),
				})
			}
		}
	}
}

// number gives families their places in the order of their names.
func (c *compiler) number(set *Set) {
	for i, name := range slices.Sorted(maps.Keys(c.families)) {
		f := c.families[name]
		set.families = append(set.families, f.desc)
		for _, m := range f.uses {
			m.info.Family = i
			if f, ok := m.eval.(*form); ok && len(c.families[name].uses) == 1 && len(f.spreads) == 0 && !m.info.renames() {
				m.sole = f
			}
			m.unique = m.info.Aggregate != nil || m.unique && len(f.uses) == 1
		}
	}
}

// describe returns the description of a metric's family.
func (c *compiler) describe(r Reporter, d *Document, s *resourceSpec, m *metricSpec, cm *compiledMetric) (metric.Desc, bool) {
	desc := metric.Desc{Name: m.name, Help: m.help, Unit: m.unit, Type: m.typ}
	if t, ok := cm.eval.(interface{ Type() metric.Type }); ok {
		desc.Type = t.Type()
	} else if f, ok := cm.eval.(*form); ok {
		desc.Type = f.typ
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
	case !first.sameShape(cm.info):
		r.Errorf(m.pos, "family %s has another age, aggregate or onTransition here than at %s: rename one", desc.Name, first.At)
	case f.desc.Type != desc.Type:
		r.Errorf(m.pos, "family %s is a %s here and a %s at %s: rename one", desc.Name, desc.Type, f.desc.Type, first.At)
	case first.OTLPName != cm.info.OTLPName:
		r.Errorf(m.pos, "family %s has another otlpName here than at %s: give both the same", desc.Name, first.At)
	default:
		f.uses = append(f.uses, cm)
	}
}
