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
	// AdmitSeries takes room for one series in all limits, or returns the one
	// that has none left.
	AdmitSeries(limits []*Limit) *Limit
	// AdmitValue reports whether a label may have a value: until the object
	// changes, or for good.
	AdmitValue(l *Limit, label, value string, forGood bool) bool
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
		if err := n.Decode(dst); err != nil || n.ShortTag() != "!!int" || *dst <= 0 || *dst > math.MaxInt32 {
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
func (r Reporter) checkLimits(s *limitsSpec, f *form, outer []boundLabel) {
	if s == nil || len(f.spreads) > 0 {
		return
	}
	for _, key := range s.labels {
		i := slices.IndexFunc(f.labels, func(l label) bool { return l.name == key.Value })
		switch {
		case i < 0:
			r.Errorf(key, "labelValues: the metric has no label %q", key.Value)
		case s.limit.Other && f.info.Aggregate == nil && f.info.Transition == nil && f.identifies(i, outer):
			r.Errorf(key, "labelValues: label %q tells objects apart: as %q, several would be one series; say onExceed: drop", key.Value, otherValue)
		}
	}
}

// identifies reports whether a label is the name or the UID of the object.
func (f *form) identifies(i int, outer []boundLabel) bool {
	value := f.labels[i].value
	if o := f.labels[i].outer; o >= 0 {
		value = outer[o].value
	}
	return value.identifies()
}

// renames reports whether a limit may change label values.
func (m *Metric) renames() bool {
	return slices.ContainsFunc(m.Limits, func(l *Limit) bool { return l.Other && len(l.Labels) > 0 })
}

// withinLabels applies the limits on label values. It may change labels, and
// returns false when the sample must not be made.
func (c *Context) withinLabels(labels []metric.Label) bool {
	for _, limit := range c.current.info.Limits {
		if limit.Labels == nil || c.limiter == nil {
			continue
		}
		for i := range labels {
			_, limited := limit.Labels[labels[i].Name]
			// The series of transitions stay when the object changes.
			forGood := c.current.info.Transition != nil
			if !limited || c.limiter.AdmitValue(limit, labels[i].Name, labels[i].Value, forGood) {
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

// withinSeries applies the limits on the number of series. What one limit
// refuses uses up no other.
func (c *Context) withinSeries() bool {
	limits := c.current.info.Limits
	for _, limit := range limits {
		if limit.perObject > 0 && c.counts[limit] >= limit.perObject {
			c.Fail(ReasonLimit, fmt.Errorf("one object may give %d series in %s", limit.perObject, limit.Where))
			return false
		}
	}
	// The series of transitions are counted where they are made.
	if c.limiter != nil && c.current.info.Transition == nil {
		if limit := c.limiter.AdmitSeries(limits); limit != nil {
			c.Fail(ReasonLimit, fmt.Errorf("there may be %d series in %s", limit.Series, limit.Where))
			return false
		}
	}
	for _, limit := range limits {
		if limit.perObject > 0 {
			c.counts[limit]++
		}
	}
	return true
}
