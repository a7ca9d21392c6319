package points

import (
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// chunk is what the Builder has not handed over yet.
type chunk struct {
	metrics pmetric.Metrics
	points  int
	size    int // an upper bound of what it has marshalled
	family  int // changes with each family

	groups map[string]*group // by the values of the object's keys
	key    []byte
	last   *group // nil before the first
}

// group is a resource in a chunk.
type group struct {
	metrics pmetric.MetricSlice
	family  int // of the metric that points is of
	metric  pmetric.Metric
}

func (c *chunk) reset() {
	family := c.family
	*c = chunk{metrics: pmetric.NewMetrics(), family: family}
}

// metric returns the metric of the current family, in the resource that belongs
// to the labels.
func (b *Builder) metric(labels []metric.Label) pmetric.Metric {
	c := &b.chunk
	g := c.last
	if g == nil || len(b.opts.Objects) > 0 {
		g = b.group(labels)
		c.last = g
	}
	if g.family != c.family {
		g.family = c.family
		g.metric = g.metrics.AppendEmpty()
		b.current.set(g.metric)
		c.size += len(b.current.Name) + len(b.current.Unit) + len(b.current.Help) + metricOverhead
	}
	return g.metric
}

// group returns the resource that belongs to the labels.
func (b *Builder) group(labels []metric.Label) *group {
	c := &b.chunk
	c.key = c.key[:0]
	for _, k := range b.opts.Objects {
		c.key = append(append(c.key, value(labels, k.Label)...), 0xff)
	}
	if g := c.groups[string(c.key)]; g != nil {
		return g
	}
	rm := c.metrics.ResourceMetrics().AppendEmpty()
	attributes := rm.Resource().Attributes()
	attributes.EnsureCapacity(len(b.opts.Resource) + len(b.opts.Objects))
	c.size += resourceOverhead + len(b.opts.Version) + len(ScopeName)
	for _, a := range b.opts.Resource {
		attributes.PutStr(a.Key, a.Value)
		c.size += labelSize(a.Key, a.Value)
	}
	for _, k := range b.opts.Objects {
		if v := value(labels, k.Label); v != "" {
			attributes.PutStr(k.Attribute, v)
			c.size += labelSize(k.Attribute, v)
		}
	}
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(ScopeName)
	sm.Scope().SetVersion(b.opts.Version)
	g := &group{metrics: sm.Metrics(), family: -1}
	if c.groups == nil {
		c.groups = make(map[string]*group)
	}
	c.groups[string(c.key)] = g
	return g
}

func value(labels []metric.Label, name string) string {
	for i := range labels {
		if labels[i].Name == name {
			return labels[i].Value
		}
	}
	return ""
}

// How many bytes messages take at most, besides the strings in them: strings and
// messages have a tag and a length of up to four bytes, numbers a tag and eight.
const (
	pointOverhead    = 4 + 3*9
	metricOverhead   = 5 * 6
	resourceOverhead = 5 * 7
)

// labelSize returns how many bytes an attribute takes.
func labelSize(name, value string) int {
	return messageSize(messageSize(len(name)) + messageSize(messageSize(len(value))))
}

// messageSize returns the size of a message or string of n bytes in a field.
func messageSize(n int) int {
	switch {
	case n < 1<<7:
		return n + 2
	case n < 1<<14:
		return n + 3
	default:
		return n + 5
	}
}

// Split returns two chunks that together have the points of this one, which is
// of no use any more, or nil if it has only one point.
func (c Chunk) Split() []Chunk {
	if c.Points < 2 {
		return nil
	}
	second := pmetric.NewMetrics()
	take := c.Points / 2 // of the first
	resources := c.Metrics.ResourceMetrics()
	resources.RemoveIf(func(rm pmetric.ResourceMetrics) bool {
		var to pmetric.ScopeMetricsSlice
		moved := false
		rm.ScopeMetrics().RemoveIf(func(sm pmetric.ScopeMetrics) bool {
			n := 0
			for _, m := range sm.Metrics().All() {
				n += pointsOf(m)
			}
			if n <= take {
				take -= n
				return false
			}
			if !moved {
				added := second.ResourceMetrics().AppendEmpty()
				rm.Resource().CopyTo(added.Resource())
				added.SetSchemaUrl(rm.SchemaUrl())
				to, moved = added.ScopeMetrics(), true
			}
			added := to.AppendEmpty()
			sm.Scope().CopyTo(added.Scope())
			splitMetrics(sm.Metrics(), added.Metrics(), &take)
			return sm.Metrics().Len() == 0
		})
		return rm.ScopeMetrics().Len() == 0
	})
	first := c.Points / 2
	return []Chunk{
		{Metrics: c.Metrics, Points: first, Size: size(c.Metrics)},
		{Metrics: second, Points: c.Points - first, Size: size(second)},
	}
}

// splitMetrics leaves the first points in from and moves the others.
func splitMetrics(from, to pmetric.MetricSlice, take *int) {
	from.RemoveIf(func(m pmetric.Metric) bool {
		n := pointsOf(m)
		switch {
		case n <= *take:
			*take -= n
			return false
		case *take == 0:
			m.MoveTo(to.AppendEmpty())
			return true
		}
		added := to.AppendEmpty()
		(&Metric{Name: m.Name(), Unit: m.Unit(), Help: m.Description(), Shape: shapeOf(m)}).set(added)
		splitPoints(m, added, *take)
		*take = 0
		return false
	})
}

// splitPoints leaves the first points of a metric where they are.
func splitPoints(from, to pmetric.Metric, take int) {
	i := 0
	isFirst := func() bool { i++; return i <= take }
	switch from.Type() {
	case pmetric.MetricTypeHistogram:
		from.Histogram().DataPoints().RemoveIf(func(p pmetric.HistogramDataPoint) bool {
			if isFirst() {
				return false
			}
			p.MoveTo(to.Histogram().DataPoints().AppendEmpty())
			return true
		})
	case pmetric.MetricTypeExponentialHistogram:
		from.ExponentialHistogram().DataPoints().RemoveIf(func(p pmetric.ExponentialHistogramDataPoint) bool {
			if isFirst() {
				return false
			}
			p.MoveTo(to.ExponentialHistogram().DataPoints().AppendEmpty())
			return true
		})
	case pmetric.MetricTypeSummary:
		from.Summary().DataPoints().RemoveIf(func(p pmetric.SummaryDataPoint) bool {
			if isFirst() {
				return false
			}
			p.MoveTo(to.Summary().DataPoints().AppendEmpty())
			return true
		})
	default:
		numbers(from).RemoveIf(func(p pmetric.NumberDataPoint) bool {
			if isFirst() {
				return false
			}
			p.MoveTo(numbers(to).AppendEmpty())
			return true
		})
	}
}

// pointsOf returns how many points a metric has.
func pointsOf(m pmetric.Metric) int {
	switch m.Type() {
	case pmetric.MetricTypeHistogram:
		return m.Histogram().DataPoints().Len()
	case pmetric.MetricTypeExponentialHistogram:
		return m.ExponentialHistogram().DataPoints().Len()
	case pmetric.MetricTypeSummary:
		return m.Summary().DataPoints().Len()
	case pmetric.MetricTypeSum, pmetric.MetricTypeGauge:
		return numbers(m).Len()
	default:
		return 0
	}
}

func shapeOf(m pmetric.Metric) Shape {
	switch m.Type() {
	case pmetric.MetricTypeHistogram:
		return Histogram
	case pmetric.MetricTypeExponentialHistogram:
		return ExponentialHistogram
	case pmetric.MetricTypeSummary:
		return Summary
	case pmetric.MetricTypeSum:
		if !m.Sum().IsMonotonic() {
			return UpDown
		}
		return Sum
	default:
		return Gauge
	}
}
