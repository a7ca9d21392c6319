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

// AdmitSeries reports whether there may be one more series.
func (l *limits) AdmitSeries(limit *rule.Limit) bool {
	if l.current == nil || l.series[limit] >= limit.Series {
		l.refuse()
		return false
	}
	if l.current.series == nil {
		l.current.series = make(map[*rule.Limit]int)
	}
	l.series[limit]++
	l.current.series[limit]++
	return true
}

// AdmitValue reports whether a label may have a value.
func (l *limits) AdmitValue(limit *rule.Limit, label, value string) bool {
	v := limitedValue{limitedLabel{limit, label}, value}
	if l.current == nil || l.values[v] == 0 && l.distinct[v.limitedLabel] >= limit.Labels[label] {
		l.refuse()
		return false
	}
	if slices.Contains(l.current.values, v) {
		return true
	}
	if l.values[v] == 0 {
		l.distinct[v.limitedLabel]++
	}
	l.values[v]++
	l.current.values = append(l.current.values, v)
	return true
}

func (l *limits) refuse() {
	if l.current != nil {
		l.current.refused = true
	}
}
