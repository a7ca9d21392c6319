package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

// clock is a time that a test sets.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

// at sets the clock to some seconds after 1970.
func (c *clock) at(seconds float64) { c.now = time.UnixMilli(int64(seconds * 1000)) }

func storeWith(t testing.TB, rules string, opts Options) (*Store, *rule.Set) {
	t.Helper()
	docs, findings := rule.Parse("rules.yaml", []byte(rules), rule.ParseOptions{})
	if findings.Err() != nil {
		t.Fatal(findings)
	}
	set, findings := rule.Compile([]rule.Source{{File: "rules.yaml", Documents: docs}}, rule.CompileOptions{})
	if findings.Err() != nil {
		t.Fatal(findings)
	}
	opts.Budget = max(opts.Budget, time.Minute) // a busy machine costs no series
	return New(set, opts), set
}

// metricsOf is a document with metrics of example.com's kind A.
func metricsOf(metrics string) string {
	return "kind: MetricRules\nmetadata: {name: d}\nspec: {resources: [{groupVersionKind: {group: example.com, kind: A}, metrics: [" + metrics + "]}]}"
}

// word is a text in an object, in quotes or not.
var word = regexp.MustCompile(`"[^"]*"|'[^']*'|[A-Za-z_][^\s,:\[\]{}]*`)

// obj reads an object that is JSON but for the quotes of texts and the outermost
// braces, and names it.
func obj(t testing.TB, name, text string) map[string]any {
	t.Helper()
	text = word.ReplaceAllStringFunc(text, func(w string) string {
		switch {
		case w[0] == '"', w == "null", w == "true", w == "false":
			return w
		default:
			return strconv.Quote(strings.Trim(w, "'"))
		}
	})
	if !strings.HasPrefix(text, "{") {
		text = "{" + text + "}"
	}
	var o map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&o); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	metadata, _ := o["metadata"].(map[string]any)
	if metadata == nil {
		metadata = make(map[string]any)
	}
	metadata["name"] = name
	o["metadata"] = metadata
	return numbers(o).(map[string]any)
}

// numbers makes numbers int64 or float64, as the API machinery does.
func numbers(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for key := range x {
			x[key] = numbers(x[key])
		}
	case []any:
		for i := range x {
			x[i] = numbers(x[i])
		}
	case json.Number:
		if i, err := x.Int64(); err == nil {
			return i
		}
		f, _ := x.Float64()
		return f
	}
	return v
}

// scene is a store with one kind.
type scene struct {
	*Store
	t    *testing.T
	set  *rule.Set
	kind *Kind
	time *clock
	// problems are those that were reported.
	problems []Problem
}

func newScene(t *testing.T, metrics string) *scene {
	t.Helper()
	s := &scene{t: t, time: &clock{}}
	s.time.at(1000)
	s.Store, s.set = storeWith(t, metricsOf(metrics), Options{Now: s.time.Now, Report: func(p Problem) { s.problems = append(s.problems, p) }})
	s.kind = s.Kind(program(s.set, "A", "v1"))
	return s
}

func (s *scene) put(name, object string) { s.t.Helper(); s.kind.Set(obj(s.t, name, object)) }
func (s *scene) del(name string)         { s.kind.Delete("", name) }

// list is a list of objects, as "name: object" lines.
func (s *scene) list(objects ...string) {
	s.t.Helper()
	var out []map[string]any
	for _, o := range objects {
		name, text, _ := strings.Cut(o, ": ")
		out = append(out, obj(s.t, name, text))
	}
	s.kind.Replace(program(s.set, "A", "v1"), out, 0)
}

// expect compares the samples; " | " is between lines.
func (s *scene) expect(want string) {
	s.t.Helper()
	expect(s.t, s.Store, want)
}

func expect(t *testing.T, s *Store, want string) {
	t.Helper()
	var got []string
	for line := range strings.Lines(text(t, s)) {
		if !strings.HasPrefix(line, "#") {
			got = append(got, strings.TrimSuffix(line, "\n"))
		}
	}
	if diff := cmp.Diff(strings.ReplaceAll(want, " | ", "\n"), strings.Join(got, "\n")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// format renders everything in a format.
func format(t *testing.T, s *Store, f exposition.Format) string {
	t.Helper()
	families, err := s.Gather(context.Background(), f)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := exposition.NewWriter(&b, f, false)
	for _, r := range families {
		w.WriteRendered(r)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestAggregates changes and removes objects; of all operations the values are
// those of what is there.
func TestAggregates(t *testing.T) {
	var metrics []string
	for _, op := range []string{"avg", "count", "max", "min", "sum"} {
		metrics = append(metrics, `{name: `+op+`, forEach: [{as: s, in: object.l}], labels: {t: s.t}, value: s.v, aggregate: {op: `+op+`, by: [t]}}`)
	}
	s := newScene(t, strings.Join(metrics, ", "))
	s.expect(``)
	s.put("a", `l: [{t: x, v: 1}, {t: x, v: 5}, {t: y, v: -2}]`)
	s.put("b", `l: [{t: x, v: 3}]`)
	s.expect(`avg{t="x"} 3 | avg{t="y"} -2 | count{t="x"} 3 | count{t="y"} 1 | max{t="x"} 5 | max{t="y"} -2 | min{t="x"} 1 | min{t="y"} -2 | sum{t="x"} 9 | sum{t="y"} -2`)
	s.put("a", `l: [{t: x, v: 5}, {t: x, v: 5}, {v: 0.5}]`)
	s.expect(`avg 0.5 | avg{t="x"} 4.333333333333333 | count 1 | count{t="x"} 3 | max 0.5 | max{t="x"} 5 | min 0.5 | min{t="x"} 3 | sum 0.5 | sum{t="x"} 13`)
	s.del("b")
	s.expect(`avg 0.5 | avg{t="x"} 5 | count 1 | count{t="x"} 2 | max 0.5 | max{t="x"} 5 | min 0.5 | min{t="x"} 5 | sum 0.5 | sum{t="x"} 10`)
	s.list("c: {l: [{t: z, v: 7}]}")
	s.expect(`avg{t="z"} 7 | count{t="z"} 1 | max{t="z"} 7 | min{t="z"} 7 | sum{t="z"} 7`)
	s.put("c", `l: []`)
	s.expect(``)
	if st := s.Status()[0]; st.Series != 0 || st.Objects != 1 {
		t.Errorf("status %+v", st)
	}
	s.put("c", `l: [{t: z, v: 7}]`)
	s.kind.Remove()
	s.expect(``)
	for i := range s.families {
		a := s.families[i].derived.(*aggregate)
		if len(a.objects) != 0 || len(a.groups) != 0 {
			t.Errorf("%s keeps %d objects and %d groups", a.desc.Name, len(a.objects), len(a.groups))
		}
	}
}

// TestInfiniteValues: infinity does no more than it must, and goes away.
func TestInfiniteValues(t *testing.T) {
	s := newScene(t, `{name: sum, value: object.v, aggregate: {op: sum}}, {name: avg, value: object.v, aggregate: {op: avg}}, {name: max, value: object.v, aggregate: {op: max}}`)
	s.put("a", `v: 1`)
	s.put("b", `v: "+Inf"`)
	s.expect(`avg +Inf | max +Inf | sum +Inf`)
	s.put("c", `v: "-Inf"`)
	s.expect(`avg NaN | max +Inf | sum NaN`)
	s.del("b")
	s.expect(`avg -Inf | max 1 | sum -Inf`)
	s.del("c")
	s.expect(`avg 1 | max 1 | sum 1`)
}

func TestAggregateHistogram(t *testing.T) {
	s := newScene(t, `{name: h, help: Help., type: histogram, forEach: [{as: s, in: object.l}], labels: {t: s.t}, value: s.v, aggregate: {op: histogram, by: [t], buckets: [0, 1, 2.5]}}`)
	s.put("a", `l: [{t: x, v: 1}, {t: x, v: 1}, {t: x, v: -3}, {t: x, v: 2}, {t: x, v: 100}]`)
	s.expect(`h_bucket{t="x",le="0"} 1 | h_bucket{t="x",le="1"} 3 | h_bucket{t="x",le="2.5"} 4 | h_bucket{t="x",le="+Inf"} 5 | h_sum{t="x"} 101 | h_count{t="x"} 5`)
	s.put("b", `l: [{v: 2.5}, {v: 0}]`)
	s.put("a", `l: [{t: x, v: 2.6}]`)
	s.expect(`h_bucket{le="0"} 1 | h_bucket{le="1"} 1 | h_bucket{le="2.5"} 2 | h_bucket{le="+Inf"} 2 | h_sum 2.5 | h_count 2 | ` +
		`h_bucket{t="x",le="0"} 0 | h_bucket{t="x",le="1"} 0 | h_bucket{t="x",le="2.5"} 0 | h_bucket{t="x",le="+Inf"} 1 | h_sum{t="x"} 2.6 | h_count{t="x"} 1`)
	s.del("b")
	s.del("a")
	s.expect(``)
}

// TestAggregateOfKinds puts two kinds into one family.
func TestAggregateOfKinds(t *testing.T) {
	s, set := storeWith(t, `
kind: MetricRules
spec:
  resources:
  - {groupVersionKind: {group: example.com, kind: A}, metrics: [&m {name: m, labels: {t: object.t}, value: object.v, aggregate: {op: sum, by: [t]}}]}
  - {groupVersionKind: {group: example.com, kind: B}, metrics: [*m]}
`, Options{})
	a, b := s.Kind(program(set, "A", "v1")), s.Kind(program(set, "B", "v1"))
	a.Set(obj(t, "same", `{t: x, v: 1}`))
	b.Set(obj(t, "same", `{t: x, v: 10}`))
	b.Set(obj(t, "other", `{t: y, v: 5}`))
	expect(t, s, `m{t="x"} 11 | m{t="y"} 5`)
	a.Delete("", "same")
	expect(t, s, `m{t="x"} 10 | m{t="y"} 5`)
	b.Remove()
	expect(t, s, ``)
}

// TestDerivedWhileListed: a scrape sees all of a list or nothing, of every kind
// of family.
func TestDerivedWhileListed(t *testing.T) {
	s := newScene(t, `{name: agg, value: object.v, aggregate: {op: sum}}, {name: age, age: object.at, labels: {n: object.metadata.name}}, {name: line, value: object.v, labels: {n: object.metadata.name}},
		{name: moved_total, type: counter, onTransition: {of: object.p, by: [from, to]}}, {name: hist, type: histogram, value: object.v, aggregate: {op: histogram, buckets: [10]}}`)
	s.list("a: {v: 1, at: 900, p: x}")
	const before = `age{n="a"} 100 | agg 1 | hist_bucket{le="10"} 1 | hist_bucket{le="+Inf"} 1 | hist_sum 1 | hist_count 1 | line{n="a"} 1`
	s.expect(before)
	s.kind.begin(program(s.set, "A", "v1"))
	s.put("a", `{v: 2, at: 800, p: y}`)
	s.put("b", `{v: 20, at: 700, p: y}`)
	s.expect(before)
	s.time.at(1001) // time goes on
	s.expect(`age{n="a"} 101` + before[len(`age{n="a"} 100`):])
	s.replacing--
	s.expect(`age{n="a"} 201 | age{n="b"} 301 | agg 22 | hist_bucket{le="10"} 1 | hist_bucket{le="+Inf"} 2 | hist_sum 22 | hist_count 2 | line{n="a"} 2 | line{n="b"} 20 | moved_total{from="x",to="y"} 1`)
}

// TestAges are told by the clock of the scrape.
func TestAges(t *testing.T) {
	s := newScene(t, `{name: age_seconds, age: object.at, labels: {n: object.metadata.name, t: object.t}}`)
	s.put("b", `at: "1970-01-01T00:00:00Z"`)
	s.put("a", `{at: "1970-01-01T00:16:39.5Z", t: x}`)
	s.put("c", `at: 2000`)
	s.put("d", `at: null`)
	s.expect(`age_seconds{n="a",t="x"} 0.5 | age_seconds{n="b"} 1000 | age_seconds{n="c"} -1000`)
	if st := s.Status()[0]; st.Series != 3 || st.Objects != 4 {
		t.Errorf("status %+v", st)
	}
	s.time.at(1060.25)
	s.expect(`age_seconds{n="a",t="x"} 60.75 | age_seconds{n="b"} 1060.25 | age_seconds{n="c"} -939.75`)
	s.put("b", `at: 1060`)
	s.del("c")
	s.expect(`age_seconds{n="a",t="x"} 60.75 | age_seconds{n="b"} 0.25`)
	if st := s.Status()[0]; st.Series != 2 {
		t.Errorf("status %+v", st)
	}
	s.list("a: {at: 1000}")
	s.expect(`age_seconds{n="a"} 60.25`)
	s.kind.Remove()
	s.expect(``)
	if a := s.families[0].derived.(*ages); len(a.objects) != 0 {
		t.Errorf("%d objects are kept", len(a.objects))
	}
}

// TestManyAges need more than one chunk, in the order of the objects.
func TestManyAges(t *testing.T) {
	s := newScene(t, `{name: age, age: object.at, labels: {n: object.metadata.name, pad: "'`+strings.Repeat("x", 200)+`'"}}`)
	var want []string
	for i := range 1000 {
		s.put(fmt.Sprintf("o%04d", 999-i), "at: 0")
		want = append(want, fmt.Sprintf(`age{n="o%04d",pad="%s"} 1000`, i, strings.Repeat("x", 200)))
	}
	s.expect(strings.Join(want, " | "))
}

// TestAggregatedAges are as old as the scrape is late.
func TestAggregatedAges(t *testing.T) {
	s := newScene(t, `{name: avg, age: object.at, aggregate: {op: avg}}, {name: count, age: object.at, aggregate: {op: count}}, {name: max, age: object.at, aggregate: {op: max}},
		{name: min, age: object.at, aggregate: {op: min}}, {name: sum, age: object.at, aggregate: {op: sum}}, {name: z, type: histogram, age: object.at, aggregate: {op: histogram, buckets: [60, 300]}}`)
	s.list("a: {at: 1000}", "b: {at: 900}", "c: {at: 900}", "d: {}")
	s.expect(`avg 66.66666666666667 | count 3 | max 100 | min 0 | sum 200 | z_bucket{le="60"} 1 | z_bucket{le="300"} 3 | z_bucket{le="+Inf"} 3 | z_sum 200 | z_count 3`)
	s.time.at(1201)
	s.expect(`avg 267.6666666666667 | count 3 | max 301 | min 201 | sum 803 | z_bucket{le="60"} 0 | z_bucket{le="300"} 1 | z_bucket{le="+Inf"} 3 | z_sum 803 | z_count 3`)
	s.del("b")
	s.del("c")
	s.expect(`avg 201 | count 1 | max 201 | min 201 | sum 201 | z_bucket{le="60"} 0 | z_bucket{le="300"} 1 | z_bucket{le="+Inf"} 1 | z_sum 201 | z_count 1`)
}

// TestDerivedFormats renders each kind of family in each format.
func TestDerivedFormats(t *testing.T) {
	s := newScene(t, `{name: age_seconds, help: Age., unit: seconds, age: object.at, labels: {t: object.t}}, {name: agg, help: Sum., value: object.v, aggregate: {op: sum}},
		{name: moved_total, help: Moved., type: counter, onTransition: {of: object.p, by: [from, to]}},
		{name: took_seconds, help: Took., unit: seconds, type: histogram, onTransition: {of: object.p, by: [to], buckets: [10, 100]}}`)
	s.put("a", `{at: 900, v: 2, p: x, t: 'a"b\c'}`)
	s.time.at(1020)
	s.put("a", `{at: 900, v: 2, p: y, t: 'a"b\c'}`)
	want := `# HELP age_seconds Age.
# TYPE age_seconds gauge
age_seconds{t="a\"b\\c"} 120
# HELP agg Sum.
# TYPE agg gauge
agg 2
# HELP moved_total Moved.
# TYPE moved_total counter
moved_total{from="x",to="y"} 1
# HELP took_seconds Took.
# TYPE took_seconds histogram
took_seconds_bucket{to="y",le="10"} 0
took_seconds_bucket{to="y",le="100"} 1
took_seconds_bucket{to="y",le="+Inf"} 1
took_seconds_sum{to="y"} 20
took_seconds_count{to="y"} 1
`
	if diff := cmp.Diff(want, format(t, s.Store, exposition.Text)); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	want = `# HELP age_seconds Age.
# TYPE age_seconds gauge
# UNIT age_seconds seconds
age_seconds{t="a\"b\\c"} 120
# HELP agg Sum.
# TYPE agg gauge
agg 2
# HELP moved Moved.
# TYPE moved counter
moved_total{from="x",to="y"} 1
# HELP took_seconds Took.
# TYPE took_seconds histogram
# UNIT took_seconds seconds
took_seconds_bucket{to="y",le="10.0"} 0
took_seconds_bucket{to="y",le="100.0"} 1
took_seconds_bucket{to="y",le="+Inf"} 1
took_seconds_sum{to="y"} 20
took_seconds_count{to="y"} 1
# EOF
`
	if diff := cmp.Diff(want, format(t, s.Store, exposition.OpenMetrics)); diff != "" {
		t.Errorf("OpenMetrics (-want +got):\n%s", diff)
	}
}

// TestConcurrentGather has scrapes share views; the race detector looks on.
func TestConcurrentGather(t *testing.T) {
	s := newScene(t, `{name: agg, labels: {t: object.t}, value: object.v, aggregate: {op: sum, by: [t]}}, {name: age, age: object.at, labels: {n: object.metadata.name}},
		{name: moved_total, type: counter, onTransition: {of: object.p, by: [from, to]}}, {name: hist, type: histogram, value: object.v, aggregate: {op: histogram, buckets: [10]}}`)
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			for range 50 {
				for _, f := range []exposition.Format{exposition.Text, exposition.OpenMetrics} {
					if _, err := s.Gather(context.Background(), f); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	for i := range 200 {
		s.put(fmt.Sprint("o", i%7), fmt.Sprintf(`{t: t%d, v: %d, at: %d, p: p%d}`, i%3, i, i, i%2))
	}
	group.Wait()
}

// everyShape has families of each kind that derive from what is there now.
const everyShape = `
kind: MetricRules
spec:
  resources:
  - groupVersionKind: {group: example.com, kind: A}
    metrics:
    - &line {name: line, labels: {n: object.metadata.name, k: gvk.kind}, value: object.v}
    - &age {name: age, labels: {n: object.metadata.name, k: gvk.kind}, age: object.at}
    - {name: sum, forEach: [{as: s, in: object.l}], labels: {t: s.t}, value: s.v, aggregate: {op: sum, by: [t]}}
    - {name: avg, forEach: [{as: s, in: object.l}], labels: {t: s.t}, value: s.v, aggregate: {op: avg, by: [t]}}
    - {name: min, forEach: [{as: s, in: object.l}], labels: {t: s.t}, value: s.v, aggregate: {op: min, by: [t]}}
    - {name: max, forEach: [{as: s, in: object.l}], labels: {t: s.t}, value: s.v, aggregate: {op: max, by: [t]}}
    - {name: count, forEach: [{as: s, in: object.l}], labels: {t: s.t}, aggregate: {op: count, by: [t]}}
    - {name: hist, type: histogram, forEach: [{as: s, in: object.l}], labels: {t: s.t}, value: s.v, aggregate: {op: histogram, by: [t], buckets: [-1, 0, 1.5]}}
    - &ages {name: ages, type: histogram, age: object.at, aggregate: {op: histogram, buckets: [500, 900]}}
  - groupVersionKind: {group: example.com, kind: B}
    lookup: [{as: a, apiVersion: "'example.com/v1'", kind: "'A'", name: object.ref}]
    metrics:
    - *line
    - *age
    - *ages
    - {name: joined, labels: {n: object.metadata.name}, value: a.v}
    - {name: joined_sum, labels: {t: a.t}, value: a.v, aggregate: {op: sum, by: [t]}}
`

// randomObject is for everyShape.
func randomObject(rnd *rand.Rand, name string) map[string]any {
	var list []any
	for range rnd.IntN(4) {
		// Numbers whose sum depends on the order in which they are added.
		values := []any{int64(rnd.IntN(3)), 0.1, 0.7, 1e16, -1e16, 1e-9, nil, "x"}
		list = append(list, map[string]any{"t": fmt.Sprint("t", rnd.IntN(3)), "v": values[rnd.IntN(len(values))]})
	}
	o := map[string]any{"metadata": map[string]any{"name": name}, "l": list, "ref": fmt.Sprint("o", rnd.IntN(15)), "v": int64(rnd.IntN(5)), "t": fmt.Sprint("t", rnd.IntN(2))}
	if rnd.IntN(3) > 0 {
		o["at"] = int64(rnd.IntN(1000))
	}
	return o
}

func targetProgram(set *rule.Set, kind string) *rule.Program {
	return set.Programs(rule.Served{GVK: rule.GVK{Group: "example.com", Version: "v1", Kind: kind}, Best: true})[0]
}

// TestRandomDerived compares a store after many random events with one that was
// given the final objects at once, in another order.
func TestRandomDerived(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		now := &clock{}
		now.at(1000)
		s, set := storeWith(t, everyShape, Options{Now: now.Now})
		kinds := make(map[string]*Kind)
		final := map[string]map[string]map[string]any{"A": {}, "B": {}}
		for _, kind := range []string{"A", "B"} {
			kinds[kind] = s.Kind(targetProgram(set, kind))
		}
		for range 300 {
			kind, name := []string{"A", "B"}[rnd.IntN(2)], fmt.Sprint("o", rnd.IntN(15))
			switch op := rnd.IntN(20); {
			case op < 12:
				final[kind][name] = randomObject(rnd, name)
				kinds[kind].Set(final[kind][name])
			case op < 18:
				kinds[kind].Delete("", name)
				delete(final[kind], name)
			case op < 19:
				kinds[kind].Replace(targetProgram(set, kind), values(final[kind]), 0)
			default:
				text(t, s)
			}
		}
		fresh, _ := storeWith(t, everyShape, Options{Now: now.Now})
		for _, kind := range []string{"B", "A"} {
			k := fresh.Kind(targetProgram(set, kind))
			names := slices.Sorted(maps.Keys(final[kind]))
			rnd.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
			for _, name := range names {
				k.Set(final[kind][name])
			}
		}
		for _, f := range []exposition.Format{exposition.Text, exposition.OpenMetrics} {
			if diff := cmp.Diff(format(t, fresh, f), format(t, s, f)); diff != "" {
				t.Fatalf("seed %d (-at once +step by step):\n%s", seed, diff)
			}
		}
		for i, st := range s.Status() {
			other := fresh.Status()
			j := slices.IndexFunc(other, func(o KindStatus) bool { return o.GVK == st.GVK })
			if st.Series != other[j].Series || st.Objects != other[j].Objects {
				t.Fatalf("seed %d, %d: counts %+v, want %+v", seed, i, st, other[j])
			}
		}
	}
}

func TestRecords(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	s := newScene(t, `{name: m, value: object.v}`)
	_ = s
	var src []byte
	for range 3 {
		src = appendRecord(src, nil, rnd.Float64(), "")
		src = appendRecord(src, labelsOf("a", "", "b", strings.Repeat("x", 300)), -1, "state")
	}
	got := records(src)
	if len(got) != 6 || countRecords(src) != 6 {
		t.Fatalf("%d records", len(got))
	}
	for i, r := range got {
		if i%2 == 0 && (r.state != "" || len(r.labels) != 0 || r.key != got[0].key) {
			t.Errorf("record %d: %+v", i, r)
		}
		if i%2 == 1 && (r.state != "state" || r.value != -1 || r.labels[1].Value != strings.Repeat("x", 300) || r.labels[0].Name != "a" || r.key != got[1].key || r.key == got[0].key) {
			t.Errorf("record %d: %+v", i, r)
		}
	}
}

// TestDerivedSamples reads what was rendered: both text formats say the same,
// and protobuf is made of it.
func TestDerivedSamples(t *testing.T) {
	s := newScene(t, `{name: age, age: object.at, labels: {n: object.metadata.name}}, {name: agg, value: object.v, aggregate: {op: avg}},
		{name: hist, type: histogram, value: object.v, aggregate: {op: histogram, buckets: [0, 2.5]}}, {name: moved_total, type: counter, onTransition: {of: object.p, by: [to]}}`)
	s.put("a", `{at: 900, v: 2, p: x}`)
	s.put("b", `{at: 800, v: 3, p: x}`)
	s.put("a", `{at: 900, v: 2, p: y}`)
	read := func(f exposition.Format) map[string][]string {
		families, err := s.Gather(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		out := make(map[string][]string)
		var b bytes.Buffer
		w := exposition.NewWriter(&b, exposition.Protobuf, false)
		for _, r := range families {
			var lines []byte
			for _, c := range r.Chunks {
				if lines, err = c.Append(lines); err != nil {
					t.Fatal(err)
				}
			}
			samples, err := exposition.ParseSamples(f, r.Desc, lines)
			if err != nil {
				t.Fatalf("%s: %v\n%s", r.Name, err, lines)
			}
			for _, sample := range samples {
				if err := sample.Validate(r.Type); err != nil {
					t.Errorf("%s: %v", r.Name, err)
				}
				text := fmt.Sprint(sample.Labels, sample.Value)
				if h := sample.Histogram; h != nil {
					text = fmt.Sprint(h.Count, h.Sum, h.Buckets)
				}
				out[r.Name] = append(out[r.Name], text)
			}
			w.WriteRendered(r)
		}
		if err := w.Close(); err != nil || b.Len() == 0 {
			t.Errorf("protobuf: %d bytes, error %v", b.Len(), err)
		}
		return out
	}
	plain := read(exposition.Text)
	if diff := cmp.Diff(plain, read(exposition.OpenMetrics)); diff != "" {
		t.Errorf("-text +OpenMetrics:\n%s", diff)
	}
	if len(plain) != 4 || len(plain["age"]) != 2 {
		t.Errorf("got %v", plain)
	}
}

// TestAgePrecision: a time to the microsecond is not off by a millisecond.
func TestAgePrecision(t *testing.T) {
	now := time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)
	for ms := range 1000 {
		at := now.Add(-time.Duration(ms) * time.Millisecond)
		unix := float64(at.Unix()) + float64(at.Nanosecond())/1e9
		if got, want := since(now, unix), float64(ms)/1000; got != want {
			t.Fatalf("%v after %v: %v, want %v", now, at, got, want)
		}
	}
}
