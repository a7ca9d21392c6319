package store

// What once was wrong.

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// TestRegressionNaN: a value that is no number goes away with its object, and a
// histogram goes on counting.
func TestRegressionNaN(t *testing.T) {
	s := newScene(t, `{name: sum, value: object.v, aggregate: {op: sum}}, {name: max, value: object.v, aggregate: {op: max}}, {name: h, type: histogram, value: object.v, aggregate: {op: histogram, buckets: [10]}}`)
	s.put("a", `v: 1`)
	for range 5 {
		s.put("b", `v: NaN`)
		s.del("b")
	}
	s.expect(`h_bucket{le="10"} 1 | h_bucket{le="+Inf"} 1 | h_sum 1 | h_count 1 | max 1 | sum 1`)
	for i := range s.families {
		for _, g := range s.families[i].derived.(*aggregate).groups {
			if len(g.values) != 1 {
				t.Errorf("%s keeps %d values of one object", s.families[i].desc.Name, len(g.values))
			}
		}
	}
	s.put("b", `v: NaN`)
	var count string
	for line := range strings.Lines(text(t, s.Store)) {
		if strings.HasPrefix(line, `h_bucket{le="10"}`) || strings.HasPrefix(line, "h_count") {
			count += line
		}
	}
	if count != "h_bucket{le=\"10\"} 1\nh_count 1\n" {
		t.Errorf("1 and NaN: %s", count)
	}
}

// TestRegressionDuplicateStates: states that cannot be told apart count nothing.
func TestRegressionDuplicateStates(t *testing.T) {
	s := newScene(t, `{name: m_total, type: counter, forEach: [{as: c, in: object.l}], labels: {n: object.metadata.name, v: object.v}, onTransition: {of: c.s, by: [from, to]}},
		{name: n_total, type: counter, forEach: [{as: c, in: object.l}], labels: {t: c.t}, onTransition: {of: c.s, by: [from, to]}}`)
	s.put("a", `l: [{s: A, t: x}, {s: B, t: x}, {s: C, t: y}]`)
	s.put("a", `l: [{s: A, t: x}, {s: B, t: x}, {s: D, t: y}]`)
	if got := text(t, s.Store); strings.Contains(got, `n_total{from="B",to="A"}`) {
		t.Errorf("nothing went from B to A:\n%s", got)
	}
}

// TestRegressionReplacedObject: another object of the same name is another object.
func TestRegressionReplacedObject(t *testing.T) {
	s := newScene(t, `{name: m_total, type: counter, onTransition: {of: object.p, by: [from, to]}}`)
	s.list(`a: {metadata: {uid: "1"}, p: Succeeded}`)
	s.list(`a: {metadata: {uid: "2"}, p: Pending}`) // deleted and made anew while the watch was down
	s.expect(``)
}

// TestRegressionRetriesStarve: room is used by whoever can use it, however many wait
// for something else.
func TestRegressionRetriesStarve(t *testing.T) {
	s := newScene(t, `{name: v, labels: {x: object.x, n: object.metadata.name}, value: 1, limits: {labelValues: {x: 1}}}, {name: m, labels: {n: object.metadata.name}, value: object.v, limits: {series: 1}}`)
	objects := []string{"a: {x: A, v: 1}"}
	for i := range maxRetries {
		objects = append(objects, fmt.Sprintf("b%04d: {x: B}", i))
	}
	s.list(append(objects, "z: {x: A, v: 2}")...)
	s.put("a", `x: A`) // gives back its series of m
	for range 5 {
		text(t, s.Store)
	}
	s.expect(`m{n="z"} 2 | v{n="a",x="A"} 1 | v{n="z",x="A"} 1`)
}

// TestRegressionLimitOfOtherVersion: limits are given back when another version of the
// kind has none.
func TestRegressionLimitOfOtherVersion(t *testing.T) {
	s, set := storeWith(t, `
kind: MetricRules
spec:
  resources:
  - {groupVersionKind: {group: example.com, kind: A, version: v1}, metrics: [{name: m, labels: {n: object.metadata.name, x: object.x}, value: 1, limits: {labelValues: {x: 1}}}]}
  - {groupVersionKind: {group: example.com, kind: A, version: v2}, metrics: [{name: n, value: 1}]}
`, Options{})
	k := s.Kind(program(set, "A", "v1"))
	k.Replace(program(set, "A", "v1"), []map[string]any{obj(t, "a", `x: 1`), obj(t, "b", `x: 2`)}, 0)
	k.Replace(program(set, "A", "v2"), []map[string]any{obj(t, "a", `x: 1`), obj(t, "b", `x: 2`)}, 0)
	if len(s.limits.held) != 0 || len(s.limits.waiting) != 0 || len(s.kept) != 0 {
		t.Errorf("%d objects hold what they do not use, %d wait, %d are kept", len(s.limits.held), len(s.limits.waiting), len(s.kept))
	}
}

// TestRegressionAgeOutOfRange: what is no time is no age.
func TestRegressionAgeOutOfRange(t *testing.T) {
	s := newScene(t, `{name: m, age: object.at}`)
	s.put("a", `at: 1000000000000000000000000000000`)
	if got := text(t, s.Store); strings.Contains(got, "e+15") {
		t.Errorf("the age is an overflow:\n%s", got)
	}
}

// cutting is an expression that runs out of its budget for objects that say so.
type cutting struct{}

func (cutting) Eval(_ context.Context, vars []any) (any, error) {
	if vars[0].(map[string]any)["slow"] == true {
		return nil, errors.Join(rule.ErrBudget)
	}
	return int64(1), nil
}
func (cutting) Reads() []int      { return []int{0} }
func (cutting) Paths() [][]string { return nil }

// TestRegressionLostInPause: an object that comes while a metric pauses because of
// another object has its samples in the end.
func TestRegressionLostInPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		docs, _ := rule.Parse("r.yaml", []byte(metricsOf(`{name: m, labels: {n: object.metadata.name}, value: cut()}`)), rule.ParseOptions{})
		set, findings := rule.Compile([]rule.Source{{File: "r.yaml", Documents: docs}}, rule.CompileOptions{
			Expression: func(string, []string) (rule.Expression, error) { return cutting{}, nil },
		})
		if findings.Err() != nil {
			t.Fatal(findings)
		}
		s := New(set, Options{})
		k := s.Kind(program(set, "A", "v1"))
		k.Set(obj(t, "a", ``))
		k.Set(obj(t, "slow", `slow: true`))
		k.Set(obj(t, "b", ``))
		k.Set(obj(t, "a", `changed: 1`))
		time.Sleep(time.Hour)
		expect(t, s, `m{n="a"} 1 | m{n="b"} 1`)
	})
}

// TestRegressionTransitionValuesFreed: a counter keeps its series; so the values that
// its labels may have are not given to others.
func TestRegressionTransitionValuesFreed(t *testing.T) {
	s := newScene(t, `{name: m_total, type: counter, labels: {x: object.x}, onTransition: {of: object.p, by: [x]}, limits: {labelValues: {x: 2}}}`)
	for i := range 10 {
		s.put("a", fmt.Sprintf("{x: x%d, p: A}", i))
		s.put("a", fmt.Sprintf("{x: x%d, p: B}", i))
	}
	if n := strings.Count(text(t, s.Store), "\nm_total{"); n > 2 {
		t.Errorf("%d series, 2 values are allowed", n)
	}
}

// TestRegressionAggregateRoom: room that is given back is used again, at the latest when
// the object is given again.
func TestRegressionAggregateRoom(t *testing.T) {
	s := newScene(t, `{name: m, labels: {t: object.t}, aggregate: {op: count, by: [t]}, limits: {series: 1}}`)
	s.put("a", `t: x`)
	s.put("b", `t: y`)
	s.del("a")
	s.put("b", `t: y`)
	s.expect(`m{t="y"} 1`)
}

// TestRegressionDocumentLimitOfAggregates: a limit of a document is one for all of its
// families, of many objects or not.
func TestRegressionDocumentLimitOfAggregates(t *testing.T) {
	s, set := storeWith(t, `
kind: MetricRules
spec:
  limits: {series: 2}
  resources:
  - groupVersionKind: {group: example.com, kind: A}
    metrics: [{name: l, labels: {n: object.metadata.name}, value: 1}, {name: m, labels: {t: object.t}, aggregate: {op: count, by: [t]}}, {name: n, labels: {t: object.t}, aggregate: {op: count, by: [t]}}]
`, Options{})
	k := s.Kind(program(set, "A", "v1"))
	for i := range 4 {
		k.Set(obj(t, fmt.Sprint(i), fmt.Sprintf("t: x%d", i)))
	}
	if n := strings.Count(text(t, s), "} 1"); n > 2 {
		t.Errorf("%d series, 2 are allowed", n)
	}
}
