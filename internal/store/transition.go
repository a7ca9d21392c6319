package store

import (
	"bytes"
	"context"
	"maps"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// transitions is a family that counts changes between two versions of an
// object, or how long the states before them lasted.
type transitions struct {
	desc    metric.Desc
	rule    *rule.Transition
	now     func() time.Time
	room    room
	objects map[*object]states
	series  map[string]*changes
	frozen  *transitionView
}

// states are what an object was last seen in.
type states struct {
	records []byte
	since   map[string]float64 // Unix seconds, by labels, where the object does not say it
}

// changes is one series.
type changes struct {
	labels  []metric.Label
	count   float64
	sum     float64
	buckets []float64 // not cumulative
}

type transitionView struct {
	desc   metric.Desc
	rule   *rule.Transition
	series []changes
}

func newTransitions(desc metric.Desc, r *rule.Transition, now func() time.Time, room room) *transitions {
	return &transitions{desc: desc, rule: r, now: now, room: room, objects: make(map[*object]states), series: make(map[string]*changes)}
}

func (t *transitions) set(o *object, src []byte, _ uint32) (delta int, changed bool) {
	old, known := t.objects[o]
	if known && bytes.Equal(old.records, src) {
		return 0, false
	}
	if len(src) == 0 {
		delete(t.objects, o)
		return 0, known
	}
	now := float64(t.now().UnixMilli()) / 1000
	before := make(map[string]record)
	for _, r := range records(old.records) {
		before[r.key] = r
	}
	next := states{records: bytes.Clone(src), since: make(map[string]float64)}
	for _, r := range records(src) {
		was, seen := before[r.key]
		began := old.since[r.key]
		if seen && was.state != r.state {
			t.count(r.labels, was.state, r.state, duration(was.value, began, r.value, now))
			t.frozen = nil
		}
		switch {
		case !known && o.listed:
			next.since[r.key] = math.NaN() // it may be long in this state
		case was.state == r.state:
			next.since[r.key] = began
		default:
			next.since[r.key] = now
		}
	}
	t.objects[o] = next
	return 0, true
}

// duration is how long a state lasted: from when it began until the next began,
// as the object says or else as it was seen. It is NaN when that is not known.
func duration(began, seenBegin, ended, seenEnd float64) float64 {
	if math.IsNaN(began) || math.IsNaN(ended) {
		began, ended = seenBegin, seenEnd
	}
	if math.IsNaN(began) {
		return began
	}
	return max(0, ended-began)
}

// count counts a change. A duration that is not known is not observed.
func (t *transitions) count(labels []metric.Label, from, to string, seconds float64) {
	if math.IsNaN(seconds) && t.rule.Buckets != nil {
		return
	}
	var out []metric.Label
	for _, name := range t.rule.By {
		value := ""
		switch name {
		case "from":
			value = from
		case "to":
			value = to
		default:
			i, ok := sort.Find(len(labels), func(i int) int { return strings.Compare(name, labels[i].Name) })
			if ok {
				value = labels[i].Value
			}
		}
		if value != "" {
			out = append(out, metric.Label{Name: name, Value: value})
		}
	}
	key := string(appendRecord(nil, out, 0, ""))
	c := t.series[key]
	if c == nil {
		if !t.room.take() {
			return
		}
		c = &changes{labels: out, buckets: make([]float64, len(t.rule.Buckets))}
		t.series[key] = c
	}
	c.count++
	if t.rule.Buckets == nil {
		return
	}
	c.sum += seconds
	if i := sort.SearchFloat64s(t.rule.Buckets, seconds); i < len(c.buckets) {
		c.buckets[i]++
	}
}

func (t *transitions) freeze() view {
	if t.frozen == nil {
		t.frozen = &transitionView{desc: t.desc, rule: t.rule}
		for _, key := range slices.Sorted(maps.Keys(t.series)) {
			c := *t.series[key]
			c.buckets = slices.Clone(c.buckets)
			t.frozen.series = append(t.frozen.series, c)
		}
		slices.SortFunc(t.frozen.series, func(a, b changes) int { return metric.CompareLabels(a.labels, b.labels) })
	}
	return t.frozen
}

func (v *transitionView) render(ctx context.Context, f exposition.Format, _ time.Time) (exposition.Rendered, error) {
	return renderMetrics(ctx, f, func(emit func(operator.Metric)) {
		for i := range v.series {
			c := &v.series[i]
			m := describe(v.desc, c.labels)
			m.Value = c.count
			if v.rule.Buckets != nil {
				h := &metric.HistogramValue{Count: c.count, Sum: c.sum}
				total := 0.0
				for b, bound := range v.rule.Buckets {
					total += c.buckets[b]
					h.Buckets = append(h.Buckets, metric.Bucket{UpperBound: bound, Count: total})
				}
				m.Value, m.Histogram = 0, h
			}
			emit(m)
		}
	})
}
