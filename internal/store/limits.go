package store

import (
	"slices"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// limits keeps account of the limits of rules over all objects: first come,
// first served. What was refused is tried again when something is given back.
type limits struct {
	series   map[*rule.Limit]int
	values   map[limitedValue]int // how many objects hold a value
	distinct map[limitedLabel]int
	held     map[*object]*holding
	current  *holding
	waiting  map[*object]struct{} // objects that were refused something
	tried    *object              // the last of them that was tried again
	untried  int                  // how many are to be tried
	freed    bool
}

type limitedLabel struct {
	limit *rule.Limit
	label string
}

type limitedValue struct {
	limitedLabel
	value string
}

// holding is what one object has used up.
type holding struct {
	series  map[*rule.Limit]int
	values  []limitedValue
	refused bool
}

func (l *limits) init() {
	l.series = make(map[*rule.Limit]int)
	l.values = make(map[limitedValue]int)
	l.distinct = make(map[limitedLabel]int)
	l.held = make(map[*object]*holding)
	l.waiting = make(map[*object]struct{})
}

// begin makes an object give back what it holds, before it is rendered.
func (l *limits) begin(o *object) {
	l.release(o)
	l.current = &holding{}
}

// end keeps what the object holds now.
func (l *limits) end(o *object) {
	h := l.current
	l.current = nil
	if h.refused {
		l.waiting[o] = struct{}{}
	} else {
		delete(l.waiting, o)
	}
	if len(h.series) > 0 || len(h.values) > 0 {
		l.held[o] = h
	}
}

func (l *limits) release(o *object) {
	h := l.held[o]
	if h == nil {
		return
	}
	delete(l.held, o)
	l.freed = true
	for limit, n := range h.series {
		l.series[limit] -= n
	}
	for _, v := range h.values {
		if l.values[v]--; l.values[v] == 0 {
			delete(l.values, v)
			l.distinct[v.limitedLabel]--
		}
	}
}

// forget drops an object.
func (l *limits) forget(o *object) {
	l.release(o)
	delete(l.waiting, o)
}

// AdmitSeries takes room for one series in all limits, or returns the one that
// has none left.
func (l *limits) AdmitSeries(all []*rule.Limit) *rule.Limit {
	if full := l.full(all); full != nil {
		l.refuse()
		return full
	}
	for _, limit := range all {
		if limit.Series == 0 {
			continue
		}
		if l.current.series == nil {
			l.current.series = make(map[*rule.Limit]int)
		}
		l.series[limit]++
		l.current.series[limit]++
	}
	return nil
}

// full returns the first limit without room for a further series.
func (l *limits) full(all []*rule.Limit) *rule.Limit {
	for _, limit := range all {
		if limit.Series > 0 && l.series[limit] >= limit.Series {
			return limit
		}
	}
	return nil
}

// take takes room for a series of no object; give gives it back.
func (l *limits) take(all []*rule.Limit) bool {
	if l.full(all) != nil {
		return false
	}
	for _, limit := range all {
		l.series[limit]++
	}
	return true
}

func (l *limits) give(all []*rule.Limit) {
	for _, limit := range all {
		l.series[limit]--
	}
	l.freed = l.freed || len(all) > 0
}

// AdmitValue reports whether a label may have a value: until the object changes,
// or for good.
func (l *limits) AdmitValue(limit *rule.Limit, label, value string, forGood bool) bool {
	v := limitedValue{limitedLabel{limit, label}, value}
	if l.values[v] == 0 && l.distinct[v.limitedLabel] >= limit.Labels[label] {
		l.refuse()
		return false
	}
	if forGood && l.values[v] > 0 || slices.Contains(l.current.values, v) {
		return true
	}
	if l.values[v] == 0 {
		l.distinct[v.limitedLabel]++
	}
	l.values[v]++
	if !forGood {
		l.current.values = append(l.current.values, v)
	}
	return true
}

func (l *limits) refuse() {
	if l.current != nil {
		l.current.refused = true
	}
}
