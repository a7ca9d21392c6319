package store

import (
	"testing"

	"github.com/kubevitals/kubevitals/operator/metric"
)

func labelsOf(pairs ...string) []metric.Label { return metric.Labels(pairs...) }

// TestTransitions counts changes from one version of an object to the next.
func TestTransitions(t *testing.T) {
	s := newScene(t, `{name: m_total, type: counter, labels: {n: object.metadata.name}, onTransition: {of: object.p, by: [from, to]}}`)
	s.put("a", `p: Pending`)
	s.expect(``) // the first time it is seen is no change
	s.put("a", `p: Pending`)
	s.put("a", `{p: Pending, other: 1}`)
	s.expect(``)
	s.put("a", `p: Running`)
	s.expect(`m_total{from="Pending",to="Running"} 1`)
	s.put("a", `p: Failed`)
	s.put("a", `p: Running`)
	s.put("a", `p: Failed`)
	s.put("b", `p: Running`)
	s.put("b", `p: Failed`)
	const after = `m_total{from="Failed",to="Running"} 1 | m_total{from="Pending",to="Running"} 1 | m_total{from="Running",to="Failed"} 3`
	s.expect(after)

	// What is deleted and comes back is new.
	s.del("a")
	s.put("a", `p: Pending`)
	s.expect(after)
	// A state that is absent is none; what comes after it is new.
	s.put("b", ``)
	s.put("b", `p: Other`)
	s.expect(after)
	// A list is as good as events.
	s.list("a: {p: Pending}", "b: {p: Failed}")
	s.expect(`m_total{from="Failed",to="Running"} 1 | m_total{from="Other",to="Failed"} 1 | m_total{from="Pending",to="Running"} 1 | m_total{from="Running",to="Failed"} 3`)
	// What was counted stays when objects go.
	s.list()
	s.put("a", `p: Running`)
	s.expect(`m_total{from="Failed",to="Running"} 1 | m_total{from="Other",to="Failed"} 1 | m_total{from="Pending",to="Running"} 1 | m_total{from="Running",to="Failed"} 3`)
	s.kind.Remove()
	if f := s.families[0].derived.(*transitions); len(f.objects) != 0 {
		t.Errorf("%d objects are kept", len(f.objects))
	}
	if s.kind.status.Series != 0 {
		t.Errorf("%d series", s.kind.status.Series)
	}
}

// TestTransitionsOfElements tells elements apart by all labels, and counts by
// some of them.
func TestTransitionsOfElements(t *testing.T) {
	s := newScene(t, `{name: m_total, type: counter, forEach: [{as: c, in: object.l}], labels: {n: object.metadata.name, t: c.t, i: c.i, fixed: "'f'"}, onTransition: {of: c.s, by: [t, to]}}`)
	s.put("a", `l: [{t: x, s: "1"}, {t: y, s: "1"}, {t: y, i: 2, s: "1"}]`)
	s.put("a", `l: [{t: y, i: 2, s: "2"}, {t: x, s: "1"}, {t: y, s: "3"}, {t: new, s: "1"}]`)
	s.expect(`m_total{fixed="f",t="y",to="2"} 1 | m_total{fixed="f",t="y",to="3"} 1`)
	s.put("a", `l: [{t: x, s: "2"}]`)
	s.put("a", `l: [{t: x, s: "3"}, {t: y, s: "9"}, {s: "5"}]`)
	s.put("a", `l: [{t: x, s: "2"}, {t: y, s: "9"}, {s: "6"}]`)
	s.expect(`m_total{fixed="f",t="x",to="2"} 2 | m_total{fixed="f",t="x",to="3"} 1 | m_total{fixed="f",t="y",to="2"} 1 | m_total{fixed="f",t="y",to="3"} 1 | m_total{fixed="f",to="6"} 1`)
}

// TestTransitionDurations are as the object says, or as it was seen.
func TestTransitionDurations(t *testing.T) {
	s := newScene(t, `{name: seen, type: histogram, onTransition: {of: object.p, by: [from], buckets: [10, 60]}},
		{name: told, type: histogram, age: object.at, onTransition: {of: object.p, by: [from], buckets: [10, 60]}}`)
	s.put("a", `{p: x, at: 100}`)
	s.time.at(1010)
	s.put("a", `{p: x, at: 100, other: 1}`) // still the same state
	s.time.at(1060)
	s.put("a", `{p: y, at: 110}`)
	s.expect(`seen_bucket{from="x",le="10"} 0 | seen_bucket{from="x",le="60"} 1 | seen_bucket{from="x",le="+Inf"} 1 | seen_sum{from="x"} 60 | seen_count{from="x"} 1 | ` +
		`told_bucket{from="x",le="10"} 1 | told_bucket{from="x",le="60"} 1 | told_bucket{from="x",le="+Inf"} 1 | told_sum{from="x"} 10 | told_count{from="x"} 1`)
	// Without a time, both are seen. A time that goes backwards is no time.
	s.time.at(1121)
	s.put("a", `{p: x}`)
	s.time.at(1131)
	s.put("a", `{p: y, at: 500}`)
	s.time.at(1141)
	s.put("a", `{p: x, at: 400}`)
	s.expect(`seen_bucket{from="x",le="10"} 1 | seen_bucket{from="x",le="60"} 2 | seen_bucket{from="x",le="+Inf"} 2 | seen_sum{from="x"} 70 | seen_count{from="x"} 2 | ` +
		`seen_bucket{from="y",le="10"} 1 | seen_bucket{from="y",le="60"} 1 | seen_bucket{from="y",le="+Inf"} 2 | seen_sum{from="y"} 71 | seen_count{from="y"} 2 | ` +
		`told_bucket{from="x",le="10"} 2 | told_bucket{from="x",le="60"} 2 | told_bucket{from="x",le="+Inf"} 2 | told_sum{from="x"} 20 | told_count{from="x"} 2 | ` +
		`told_bucket{from="y",le="10"} 1 | told_bucket{from="y",le="60"} 1 | told_bucket{from="y",le="+Inf"} 2 | told_sum{from="y"} 61 | told_count{from="y"} 2`)
}

// TestSinceSurvives: a state that stays began when it was first seen, whatever
// else of the object changes.
func TestSinceSurvives(t *testing.T) {
	s := newScene(t, `{name: m, type: histogram, forEach: [{as: c, in: object.l}], labels: {t: c.t}, onTransition: {of: c.s, by: [t], buckets: [1000]}}`)
	s.put("a", `l: [{t: x, s: A}, {t: y, s: A}]`)
	s.time.at(1030)
	s.put("a", `l: [{t: x, s: A}, {t: y, s: B}]`)
	s.list("a: {l: [{t: x, s: A}, {t: y, s: B}]}")
	s.time.at(1100)
	s.put("a", `l: [{t: x, s: B}, {t: y, s: A}]`)
	s.expect(`m_bucket{t="x",le="1000"} 1 | m_bucket{t="x",le="+Inf"} 1 | m_sum{t="x"} 100 | m_count{t="x"} 1 | ` +
		`m_bucket{t="y",le="1000"} 2 | m_bucket{t="y",le="+Inf"} 2 | m_sum{t="y"} 100 | m_count{t="y"} 2`)
}

// TestTransitionViewIsFrozen: a view of before does not count on.
func TestTransitionViewIsFrozen(t *testing.T) {
	s := newScene(t, `{name: m, type: histogram, onTransition: {of: object.p, buckets: [10]}}`)
	s.put("a", `p: x`)
	s.put("a", `p: y`)
	const before = `m_bucket{le="10"} 1 | m_bucket{le="+Inf"} 1 | m_sum 0 | m_count 1`
	s.expect(before)
	s.kind.begin(program(s.set, "A", "v1"))
	s.put("a", `p: x`)
	s.expect(before)
	s.replacing--
	s.expect(`m_bucket{le="10"} 2 | m_bucket{le="+Inf"} 2 | m_sum 0 | m_count 2`)
}
