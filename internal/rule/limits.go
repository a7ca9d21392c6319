package rule

import (
	"fmt"
	"math"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// Limit bounds what the metrics of a document, a resource or one metric give.
type Limit struct {
	// Series is how many series there may be at most, 0 for any number.
	Series int
	// Labels are how many different values a label may have.
	Labels map[string]int
	// Other is set when a value too many becomes "other"; else its sample is
	// left out.
	Other bool
	// Where says in which document, resource or metric it stands.
	Where string

	perObject int
}

// PerObject is how many series one object may give, 0 for any number.
func (l *Limit) PerObject() int { return l.perObject }

// otherValue is the value of a label that may have no further ones.
const otherValue = "other"

// Limiter is a [Sink] that keeps account of limits over all objects.
type Limiter interface {
	// AdmitSeries reports whether there may be one more series.
	AdmitSeries(l *Limit) bool
	// AdmitValue reports whether a label may have a value.
	AdmitValue(l *Limit, label, value string) bool
}

type limitsSpec struct {
	pos    *yaml.Node
	limit  Limit
	labels []*yaml.Node
}

// limits reads a limits field.
func (r Reporter) limits(n *yaml.Node) *limitsSpec {
	s := &limitsSpec{pos: n}
	onExceed := "drop"
	r.Fields(n, false, map[string]func(*yaml.Node){
		"series": r.count(&s.limit.Series), "perObject": r.count(&s.limit.perObject), "onExceed": r.Text(&onExceed),
		"labelValues": func(v *yaml.Node) {
			s.limit.Labels = make(map[string]int)
			r.Pairs(v, func(key, value *yaml.Node) {
				var most int
				r.count(&most)(value)
				s.limit.Labels[key.Value] = most
				s.labels = append(s.labels, key)
			})
		},
	})
	if onExceed != "drop" && onExceed != otherValue {
		r.Errorf(n, "unknown onExceed %q: expected drop or other", onExceed)
	}
	s.limit.Other = onExceed == otherValue
	return s
}

// count stores a whole number above zero.
func (r Reporter) count(dst *int) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if err := n.Decode(dst); err != nil || n.Kind != yaml.ScalarNode || *dst <= 0 || *dst > math.MaxInt32 {
			r.Errorf(n, "expected a whole number above 0, found %s", kindName(n))
		}
	}
}

// limit returns the limit of a limits field, if there is one.
func (s *limitsSpec) compile(where string) []*Limit {
	if s == nil {
		return nil
	}
	limit := s.limit
	limit.Where = where
	return []*Limit{&limit}
}

// checkLimits reports labels of a metric's own limits that it does not have.
func (r Reporter) checkLimits(s *limitsSpec, f *form) {
	if s == nil || len(f.spreads) > 0 {
		return
	}
	for _, key := range s.labels {
		if !slices.ContainsFunc(f.labels, func(l label) bool { return l.name == key.Value }) {
			r.Errorf(key, "labelValues: the metric has no label %q", key.Value)
		}
	}
}

// withinLabels applies the limits on label values. It may change labels, and
// returns false when the sample must not be made.
func (c *Context) withinLabels(labels []metric.Label) bool {
	for _, limit := range c.current.info.Limits {
		if limit.Labels == nil || c.limiter == nil {
			continue
		}
		for i := range labels {
			if _, limited := limit.Labels[labels[i].Name]; !limited || c.limiter.AdmitValue(limit, labels[i].Name, labels[i].Value) {
				continue
			}
			c.Fail(ReasonLimit, fmt.Errorf("label %q may have %d values in %s, %q is one more",
				labels[i].Name, limit.Labels[labels[i].Name], limit.Where, labels[i].Value))
			if !limit.Other {
				return false
			}
			labels[i].Value = otherValue
		}
	}
	return true
}

// withinSeries applies the limits on the number of series.
func (c *Context) withinSeries() bool {
	for _, limit := range c.current.info.Limits {
		if limit.perObject > 0 {
			if c.counts[limit] >= limit.perObject {
				c.Fail(ReasonLimit, fmt.Errorf("one object may give %d series in %s", limit.perObject, limit.Where))
				return false
			}
			c.counts[limit]++
		}
		if limit.Series > 0 && c.limiter != nil && !c.limiter.AdmitSeries(limit) {
			c.Fail(ReasonLimit, fmt.Errorf("there may be %d series in %s", limit.Series, limit.Where))
			return false
		}
	}
	return true
}

// MaxSeries returns how many series a metric may have by its narrowest limit,
// or 0 for any number.
func (m *Metric) MaxSeries() int {
	most := 0
	for _, l := range m.Limits {
		if l.Series > 0 && (most == 0 || l.Series < most) {
			most = l.Series
		}
	}
	return most
}
