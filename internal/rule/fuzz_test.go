package rule_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/catalog"
	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/rule/cel"
	"github.com/kubevitals/kubevitals/internal/rule/crs"
)

// To run one of the targets:
//
//	go test ./internal/rule -run '^$' -fuzz '^FuzzParse$' -fuzztime 15s -fuzzminimizetime 100x
//
// Minimising takes most of the time otherwise.

// nasty is an object in which nothing is what a rule expects.
func nasty() map[string]any {
	return map[string]any{
		"apiVersion": "g/v1", "kind": "K",
		"metadata": map[string]any{"name": "o", "labels": map[string]any{"a.b": "1", "a-b": "2", "a_b": "3", "__name__": "x", "1": "y", "": "z", "name": "evil", "ü": nil, "ab": []any{}}},
		"spec":     []any{nil, "text", int64(-1), 0.5, true, []any{[]any{}}, map[string]any{"type": "Ready", "status": "True", "": map[string]any{}}},
		"status":   map[string]any{"conditions": map[string]any{"a": map[string]any{"status": nil}, "b": "c"}, "n": "NaN", "v": "2024-01-01T00:00:00Z"},
		"v":        int64(1), "l": []any{"a", "a", nil}, "m": map[string]any{"a": map[string]any{"a": "b"}},
	}
}

// fuzzWorld has an object for most references, and admits some values. It keeps
// nothing, so that the same object gives the same lines.
type fuzzWorld struct{ recorder }

func (w *fuzzWorld) Find(ref rule.Ref) map[string]any {
	if len(ref.Name)%4 == 0 {
		return nil
	}
	return nasty()
}
func (w *fuzzWorld) AdmitSeries([]*rule.Limit) *rule.Limit { return nil }
func (w *fuzzWorld) AdmitValue(_ *rule.Limit, _, value string, _ bool) bool {
	return value == "other" || len(value)%3 != 0
}

// evalAll evaluates an object with the programs of each kind that the rules ask
// for; the recorder looks at the samples.
func evalAll(t *testing.T, set *rule.Set, object map[string]any) {
	eval := func(p *rule.Program) string {
		w := &fuzzWorld{recorder{t: t, families: set.Families(), seen: make(map[string]bool)}}
		p.Eval(new(rule.Context), object, w)
		return strings.Join(w.samples, "") + strings.Join(w.problems, "")
	}
	kinds := append(set.Kinds(), rule.GVK{Group: "g", Kind: "K"}, rule.GVK{Kind: "Node"})
	for _, gvk := range kinds {
		if gvk.Version == "" {
			gvk.Version = "v1"
		}
		k := rule.Served{GVK: gvk, Best: true, Wanted: true, Namespaced: true, Labels: map[string]string{"a": "b"}, Has: func(path []string) bool { return len(path) < 3 }}
		for _, p := range set.Programs(k) {
			first := eval(p)
			if again := eval(p); first != again && !strings.Contains(first+again, " budget: ") {
				t.Errorf("%v: two results for one object:\n%s\n%s", gvk, first, again)
			}
			checkTraced(t, set, p, object, run(t, set, p, new(rule.Context), object))
		}
	}
}

// fuzzCEL has a limit that does not depend on the time.
func fuzzCEL(f *testing.F) func(string, []string) (rule.Expression, error) {
	env, err := cel.New(cel.Options{CostLimit: 100_000})
	if err != nil {
		f.Fatal(err)
	}
	return env.Compiler()
}

// derivedFeatures are metrics that use what the older form did not have.
var derivedFeatures = []string{
	`{name: age, labels: {x: object.a}, age: [object.a, object.b]}`,
	`{name: sum, forEach: [{as: s, in: object.a, one: true}], labels: {x: s.a, y: object.b}, value: s, aggregate: {op: sum, by: [x]}}`,
	`{name: hist, type: histogram, value: object.b, aggregate: {op: histogram, buckets: [-1, 0, 2.5]}}`,
	`{name: ages, type: histogram, age: object.b, aggregate: {op: histogram, buckets: [1]}}`,
	`{name: count, labels: {x: object.a}, value: object.b, aggregate: {op: count, by: [x]}}`,
	`{name: moved, type: counter, forEach: [{as: s, in: object.a, index: i}], labels: {i: i}, onTransition: {of: s, by: [from, to]}, age: object.b}`,
	`{name: took, type: histogram, onTransition: {of: object.a, buckets: [1, 2]}}`,
	`{name: limited, forEach: [{as: s, in: object.a}], labels: {x: s}, value: 1, limits: {series: 3, perObject: 2, labelValues: {x: 2}, onExceed: other}}`,
	`{name: joined, forEach: [{as: s, in: object.a}, {as: o, lookup: {apiVersion: s.a, kind: [s.b, "'N'"], namespace: object.b, name: s}, where: o}], labels: {x: o.metadata.name}, value: 1}`,
	`{name: cel, value: "object.a + object.b", labels: {x: "string(object.a)"}}`,
	`{name: cel_loop, forEach: [{as: s, in: "object.a.map(x, x)", where: "s != object.b"}], labels: {x: "s + '!'"}, value: "object.a.exists(x, x == s)"}`,
}

// FuzzParse reads any bytes as rules. They never panic, and when they load they
// never give an invalid sample.
func FuzzParse(f *testing.F) {
	// Small ones, which are quick to minimise.
	for _, metric := range slices.Concat(features, derivedFeatures) {
		f.Add([]byte(doc(metric)), false)
	}
	f.Add([]byte("kind: MetricRules\nspec: {limits: {series: 2}, parameters: {p: {default: [a]}}, resources: [{discover: {groups: [\"*\"], kinds: [K], exclude: [x], categories: [], crdLabels: {a: b}, having: [status.x], scope: Namespaced}, selector: 'a in (b)', fieldSelector: a=b, lookup: [{as: o, apiVersion: \"'v1'\", kind: object.kind, name: \"param.p[0]\"}], labels: {x: o.v}, metrics: [{name: m, value: o.v}]}]}"), false)
	expressions := fuzzCEL(f)
	f.Add([]byte("customResourceState: {config: {spec: {resources: [{groupVersionKind: {group: g}, labelsFromPath: {\"*\": [metadata, labels]}, metrics: [{name: m, each: {type: info, info: {path: [m], labelFromKey: k}}}]}]}}}"), true)
	f.Add([]byte("spec: {resources: [{metrics: [{name: m, errorLogV: 5, each: {type: StateSet, stateSet: {labelName: 1, list: [a, a], path: [l, \"[a=b]\", -1]}}}]}]}"), true)
	f.Add([]byte("a: &a [b, *a]\nc: !!binary x\n? [d]\n: <<"), false)
	f.Fuzz(func(t *testing.T, data []byte, legacy bool) {
		docs, findings := rule.Parse("r.yaml", data, rule.ParseOptions{Legacy: legacy})
		if findings.Err() != nil {
			return
		}
		set, findings := rule.Compile([]rule.Source{{File: "r.yaml", Documents: docs}}, rule.CompileOptions{Legacy: crs.Compile, Expression: expressions})
		if findings.Err() != nil {
			return
		}
		set.Readings()
		set.Requests()
		set.Needs()
		for _, d := range set.Families() {
			if err := d.Validate(); err != nil {
				t.Error(err)
			}
		}
		if len(set.Kinds()) < 100 {
			evalAll(t, set, nasty())
		}
	})
}

// FuzzExpression reads any text as an expression. An error names a place in the
// expression; without one it can be evaluated.
func FuzzExpression(f *testing.F) {
	for _, e := range []string{`object.v`, `object.l[0]`, `object.l[-1]`, `object.spec[type=Ready].status`, `object["m"]['a'].a`, `gvk.kind`, `'text'`, `"a"`, `-1.5e3`, `true`,
		`object.`, `object[`, `object["`, `size(object.l)`, `object.m[a`, `0x1p-2`, `'`, `"`, `s.a.b[k=]`, `object.a == 'b'`, `object[00]`, `object.l.exists(x, x == 'a')`, `object.l.map(x, object.l.map(y, x + y))`, `'a'.matches('(a*)*b')`, `string(object.v) + s`, `timestamp(object.status.v)`,
		`object.spec.map(x, x)`, `object.metadata.labels.transformMap(k, v, v)`, `"x".replace("", "y")`, `[object.l, object.l].flatten()`, "object.v +\nx", `quantity('1Ki')`, `ip('::1')`, `cel.bind(x, object, x.v)`, `s.?a.orValue(1)`, `'%s'.format([object])`} {
		f.Add(e)
	}
	expressions := fuzzCEL(f)
	f.Fuzz(func(t *testing.T, expression string) {
		// YAML's double quotes know the escapes of Go's.
		quoted := strconv.Quote(expression)
		set, findings := compileWith(doc(`{name: m, type: info, forEach: [{as: s, in: object.m}], labels: {x: `+quoted+`}}, {name: n, forEach: [{as: s, in: `+
			quoted+`, where: true}], value: 1}, {name: o, value: `+quoted+`}, {name: p, age: `+quoted+`}`), rule.ParseOptions{}, rule.CompileOptions{Expression: expressions})
		if findings.Err() == nil {
			evalAll(t, set, nasty())
			return
		}
		for _, d := range findings {
			if d.File != "r.yaml" || d.Line < 6 || d.Column < 1 || d.Message == "" {
				t.Errorf("%q: a finding without a place: %v", expression, d)
			}
		}
	})
}

// FuzzEval evaluates any object with the rules of the catalogs.
func FuzzEval(f *testing.F) {
	env, err := cel.New(cel.Options{})
	if err != nil {
		f.Fatal(err)
	}
	var sets []*rule.Set
	for _, name := range catalog.Names() {
		_, data, err := catalog.Rules(name)
		if err != nil {
			f.Fatal(err)
		}
		set, findings := compileWith(string(data), rule.ParseOptions{}, rule.CompileOptions{Expression: env.Compiler()})
		if err := findings.Err(); err != nil {
			f.Fatal(err)
		}
		sets = append(sets, set)
	}
	own, findings := compileWith(doc(strings.Join(slices.Concat(features[:10], derivedFeatures), ",\n")), rule.ParseOptions{}, rule.CompileOptions{Legacy: crs.Compile, Expression: fuzzCEL(f)})
	if findings.Err() != nil {
		f.Fatal(findings)
	}
	sets = append(sets, own)
	f.Add([]byte(`{"a":[{"a":"v1","b":"Node"},"x",2.5,null,true,{"a":{"a":1}}],"b":{"a":"1","b":[1]}}`))
	f.Add([]byte(`{"a":"2024-01-01T00:00:00Z","b":1e300}`))
	seed, err := json.Marshal(nasty())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	for _, s := range []string{
		`{}`, `{"metadata":null,"spec":[],"status":"x"}`,
		`{"metadata":{"name":"a","namespace":"b","labels":{"x/y":"1","x.y":"2","name":"3"},"creationTimestamp":"2024-01-01T00:00:00Z"}}`,
		`{"spec":{"listeners":[{"name":"a","port":80},{"name":"a","port":80}],"rules":[{"backendRefs":[{"name":"s","port":1}]}],"parentRefs":[{"name":"g"},{"name":"g"}],"hostnames":["a","a"]}}`,
		`{"status":{"conditions":[{"type":"A","status":"True"},{"type":"A","status":"False"},null],"parents":[{"parentRef":{"name":"g"},"conditions":[{"type":"A","status":"maybe"}]}]}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber()
		var object map[string]any
		if decoder.Decode(&object) != nil || object == nil {
			return
		}
		for _, set := range sets {
			evalAll(t, set, jsonTypes(object).(map[string]any))
		}
	})
}
