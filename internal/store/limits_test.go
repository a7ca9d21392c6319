package store

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// empty fails unless nothing is kept of objects.
func (s *scene) empty() {
	s.t.Helper()
	emptyStore(s.t, s.Store)
}

func emptyStore(t *testing.T, s *Store) {
	t.Helper()
	text(t, s)
	sum := 0
	for _, n := range s.limits.series {
		sum += n
	}
	for _, n := range s.limits.distinct {
		sum += n
	}
	for what, n := range map[string]int{
		"targets": len(s.joins.targets), "readers": len(s.joins.readers), "read": len(s.joins.read), "dirty": len(s.joins.dirty),
		"values": len(s.limits.values), "held": len(s.limits.held), "waiting": len(s.limits.waiting), "kept": len(s.kept), "counts of limits": sum,
	} {
		if n != 0 {
			t.Errorf("%d %s are left", n, what)
		}
	}
	for i := range s.families {
		f := &s.families[i]
		left := len(f.pending)
		switch d := f.derived.(type) {
		case *ages:
			left += len(d.objects)
		case *aggregate:
			left += len(d.objects) + len(d.groups)
		case *transitions:
			left += len(d.objects)
		}
		for _, c := range f.chunks {
			left += len(c.entries)
		}
		if left != 0 {
			t.Errorf("%s keeps %d objects", f.desc.Name, left)
		}
	}
	for _, k := range s.kinds {
		if k.status.Series != 0 || len(k.objects) != 0 {
			t.Errorf("%v has %d series and %d objects", k.status.GVK, k.status.Series, len(k.objects))
		}
	}
}

// TestSeriesLimit: first come, first served. Room that is given back is used
// again, in the order of the objects.
func TestSeriesLimit(t *testing.T) {
	s := newScene(t, `{name: m, forEach: [{as: v, in: object.l}], labels: {n: object.metadata.name, v: v}, value: 1, limits: {series: 3}}, {name: z, labels: {n: object.metadata.name}, value: object.v}`)
	s.list("d: {l: [1, 2], v: 1}", "b: {l: [1, 2]}", "a: {l: [1]}", "c: {l: [1]}")
	s.expect(`m{n="a",v="1"} 1 | m{n="b",v="1"} 1 | m{n="b",v="2"} 1 | z{n="d"} 1`)
	if len(s.problems) != 1 || s.problems[0].String() != `m: example.com/v1/A c: limit: there may be 3 series in metric "m"` {
		t.Errorf("problems %v", s.problems)
	}
	s.put("b", `l: [2]`)
	s.expect(`m{n="a",v="1"} 1 | m{n="b",v="2"} 1 | m{n="c",v="1"} 1 | z{n="d"} 1`)
	s.del("a")
	s.expect(`m{n="b",v="2"} 1 | m{n="c",v="1"} 1 | m{n="d",v="1"} 1 | z{n="d"} 1`)
	s.put("a", `l: [1]`)
	s.expect(`m{n="b",v="2"} 1 | m{n="c",v="1"} 1 | m{n="d",v="1"} 1 | z{n="d"} 1`) // too late
	s.del("c")
	s.expect(`m{n="a",v="1"} 1 | m{n="b",v="2"} 1 | m{n="d",v="1"} 1 | z{n="d"} 1`)
	s.del("a")
	s.del("b")
	s.expect(`m{n="d",v="1"} 1 | m{n="d",v="2"} 1 | z{n="d"} 1`)
	if len(s.kept) != 0 || len(s.limits.waiting) != 0 {
		t.Errorf("%d objects are kept, %d wait: none is refused anything", len(s.kept), len(s.limits.waiting))
	}
	s.list()
	s.empty()
}

// TestOnlyRefusedAreKept: of what fits, and of what has no limits, the store
// keeps no object.
func TestOnlyRefusedAreKept(t *testing.T) {
	s := newScene(t, `{name: m, labels: {n: object.metadata.name}, value: 1, limits: {series: 2}}`)
	s.list("a: {}", "b: {}")
	if len(s.kept) != 0 {
		t.Errorf("%d objects are kept", len(s.kept))
	}
	s.put("c", ``)
	s.put("d", ``)
	if len(s.kept) != 2 || len(s.limits.waiting) != 2 {
		t.Errorf("%d objects are kept, %d wait, want 2", len(s.kept), len(s.limits.waiting))
	}
	s.del("c")
	s.del("d")
	if len(s.kept) != 0 || len(s.limits.waiting) != 0 {
		t.Errorf("%d objects are kept, %d wait, want none", len(s.kept), len(s.limits.waiting))
	}
	plain := newScene(t, `{name: m, value: 1, labels: {n: object.metadata.name}}, {name: sum, value: object.v, aggregate: {op: sum}}, {name: age, age: object.at}, {name: x_total, type: counter, onTransition: {of: object.p}}`)
	plain.list("a: {v: 1, at: 5, p: x}", "b: {v: 1, at: 6, p: y}")
	plain.put("c", `{v: 2}`)
	if len(plain.kept)+len(plain.joins.targets)+len(plain.joins.read)+len(plain.limits.held) != 0 {
		t.Errorf("without lookups and limits %d objects are kept, %d targets", len(plain.kept), len(plain.joins.targets))
	}
}

func TestLabelValueLimit(t *testing.T) {
	s := newScene(t, `{name: d, labels: {n: object.metadata.name, r: object.r}, value: 1, limits: {labelValues: {r: 2}}}, {name: o, labels: {n: object.metadata.name, r: object.r}, value: 1, limits: {labelValues: {r: 2}, onExceed: other}}`)
	s.list("a: {r: x}", "b: {r: y}", "c: {r: x}", "d: {r: z}", "e: {}")
	s.expect(`d{n="a",r="x"} 1 | d{n="b",r="y"} 1 | d{n="c",r="x"} 1 | d{n="e"} 1 | o{n="a",r="x"} 1 | o{n="b",r="y"} 1 | o{n="c",r="x"} 1 | o{n="d",r="other"} 1 | o{n="e"} 1`)
	s.del("a") // x is still there
	s.expect(`d{n="b",r="y"} 1 | d{n="c",r="x"} 1 | d{n="e"} 1 | o{n="b",r="y"} 1 | o{n="c",r="x"} 1 | o{n="d",r="other"} 1 | o{n="e"} 1`)
	s.put("c", `r: y`) // the last x goes: z is next
	s.expect(`d{n="b",r="y"} 1 | d{n="c",r="y"} 1 | d{n="d",r="z"} 1 | d{n="e"} 1 | o{n="b",r="y"} 1 | o{n="c",r="y"} 1 | o{n="d",r="z"} 1 | o{n="e"} 1`)
	s.put("e", `r: w`)
	s.expect(`d{n="b",r="y"} 1 | d{n="c",r="y"} 1 | d{n="d",r="z"} 1 | o{n="b",r="y"} 1 | o{n="c",r="y"} 1 | o{n="d",r="z"} 1 | o{n="e",r="other"} 1`)
	s.list("e: {r: w}")
	s.expect(`d{n="e",r="w"} 1 | o{n="e",r="w"} 1`)
	s.kind.Remove()
	s.empty()
}

// TestLimitOfTwoKinds is one for both.
func TestLimitOfTwoKinds(t *testing.T) {
	s, set := storeWith(t, `
kind: MetricRules
spec:
  limits: {series: 3}
  labels: {n: object.metadata.name, k: gvk.kind}
  resources:
  - {groupVersionKind: {group: example.com, kind: A}, metrics: [&m {name: m, value: 1}]}
  - {groupVersionKind: {group: example.com, kind: B}, metrics: [*m]}
`, Options{})
	a, b := s.Kind(program(set, "A", "v1")), s.Kind(program(set, "B", "v1"))
	b.Set(obj(t, "1", ``))
	b.Set(obj(t, "2", ``))
	a.Set(obj(t, "1", ``))
	a.Set(obj(t, "2", ``))
	expect(t, s, `m{k="A",n="1"} 1 | m{k="B",n="1"} 1 | m{k="B",n="2"} 1`)
	b.Remove()
	expect(t, s, `m{k="A",n="1"} 1 | m{k="A",n="2"} 1`)
	a.Remove()
	emptyStore(t, s)
}

// TestLimitIsDeterministic gives the same list in other orders.
func TestLimitIsDeterministic(t *testing.T) {
	const rules = `{name: m, labels: {n: object.metadata.name, v: object.v}, value: 1, limits: {series: 7, labelValues: {v: 3}}}`
	want := ""
	for seed := range uint64(10) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		var objects []string
		for i := range 30 {
			objects = append(objects, fmt.Sprintf("o%02d: {v: %d}", i, i*i%7))
		}
		rnd.Shuffle(len(objects), func(i, j int) { objects[i], objects[j] = objects[j], objects[i] })
		s := newScene(t, rules)
		s.list(objects...)
		got := text(t, s.Store)
		if want == "" {
			want = got
		}
		if got != want || strings.Count(got, "\nm{") != 7 {
			t.Fatalf("seed %d:\n%s\nbefore:\n%s", seed, got, want)
		}
	}
}

const randomLimits = `{name: m, forEach: [{as: v, in: object.l}], labels: {n: object.metadata.name, v: v}, value: 1, limits: {series: 12}},
{name: v, forEach: [{as: v, in: object.l}], labels: {n: object.metadata.name, v: v}, value: 1, limits: {labelValues: {v: 3}}},
{name: o, forEach: [{as: v, in: object.l}], labels: {n: object.metadata.name, v: v}, value: 1, limits: {labelValues: {v: 3}, onExceed: other}},
{name: p, forEach: [{as: v, in: object.l}], labels: {n: object.metadata.name, v: v}, value: 1, limits: {perObject: 2}}`

// TestLimitsHold never has more than there may be, after any events; when there
// is room, nobody waits. In the end nothing is left.
func TestLimitsHold(t *testing.T) {
	for seed := range uint64(10) {
		rnd := rand.New(rand.NewPCG(seed, 4))
		s := newScene(t, randomLimits)
		there := make(map[string]int) // series each object would have
		for range 300 {
			name := fmt.Sprint("o", rnd.IntN(12))
			if rnd.IntN(3) == 0 {
				s.del(name)
				delete(there, name)
			} else {
				distinct := make(map[int]bool)
				var l []string
				for range rnd.IntN(4) {
					v := rnd.IntN(8)
					l = append(l, fmt.Sprint(v))
					distinct[v] = true
				}
				s.put(name, "l: ["+strings.Join(l, ", ")+"]")
				there[name] = len(distinct)
			}
			if rnd.IntN(4) > 0 {
				continue
			}
			got := text(t, s.Store)
			wanted := 0
			for _, n := range there {
				wanted += n
			}
			if n := strings.Count(got, "\nm{"); n != min(12, wanted) {
				t.Fatalf("seed %d: %d series of m, want %d", seed, n, min(12, wanted))
			}
			for family, most := range map[string]int{"v": 3, "o": 4} {
				seen := make(map[string]bool)
				for line := range strings.Lines(got) {
					if _, rest, ok := strings.Cut(line, `,v="`); ok && strings.HasPrefix(line, family+"{") {
						seen[rest] = true
					}
				}
				if len(seen) > most {
					t.Fatalf("seed %d: %s has the values %v", seed, family, seen)
				}
			}
			for name := range there {
				if n := strings.Count(got, `p{n="`+name+`"`); n > 2 {
					t.Fatalf("seed %d: %d series of one object", seed, n)
				}
			}
		}
		for name := range there {
			s.del(name)
		}
		s.empty()
	}
}

// TestSeriesLimitOfDerived: there is no more than one series, of which anything
// may still be said.
func TestSeriesLimitOfDerived(t *testing.T) {
	s := newScene(t, `{name: agg, labels: {t: object.t}, value: object.v, aggregate: {op: sum, by: [t]}, limits: {series: 1}},
		{name: moved_total, type: counter, labels: {n: object.metadata.name}, onTransition: {of: object.p, by: [to]}, limits: {series: 1}}`)
	s.put("a", `{t: x, v: 1, p: A}`)
	s.put("b", `{t: y, v: 2, p: A}`)
	s.put("c", `{t: x, v: 4, p: A}`)
	s.expect(`agg{t="x"} 5`)
	s.put("c", `{t: x, v: 8, p: B}`)
	s.put("a", `{t: x, v: 1, p: C}`)
	s.put("a", `{t: x, v: 1, p: B}`)
	s.expect(`agg{t="x"} 9 | moved_total{to="B"} 2`)
	if len(s.problems) != 2 || s.problems[0].Family != "agg" || s.problems[0].Name != "b" || s.problems[1].Family != "moved_total" || s.problems[1].Reason != rule.ReasonLimit {
		t.Errorf("problems %v", s.problems)
	}
	s.del("b") // it adds nothing, so that nothing is taken away
	s.expect(`agg{t="x"} 9 | moved_total{to="B"} 2`)
	s.kind.Remove()
	s.expect(`moved_total{to="B"} 2`)
}

// TestNarrowestLimit of several levels holds.
func TestNarrowestLimit(t *testing.T) {
	s, set := storeWith(t, `
kind: MetricRules
spec:
  limits: {series: 3}
  resources:
  - groupVersionKind: {group: example.com, kind: A}
    limits: {series: 2}
    metrics: [{name: m, labels: {t: object.t}, aggregate: {op: count, by: [t]}, limits: {perObject: 1}}, {name: n, labels: {t: object.t}, aggregate: {op: count, by: [t]}, limits: {series: 5}}]
`, Options{})
	k := s.Kind(program(set, "A", "v1"))
	for i := range 6 {
		k.Set(obj(t, fmt.Sprint(i), fmt.Sprintf("t: x%d", i)))
	}
	expect(t, s, `m{t="x0"} 1 | n{t="x0"} 1`) // both count in the limit of the resource
}
