package rule_test

import (
	"bytes"
	"encoding/json"
	"strconv"
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

// evalAll evaluates an object with the program of each kind that the rules ask
// for, with a tracer and without; the recorder looks at the samples.
func evalAll(t *testing.T, set *rule.Set, object map[string]any) {
	c := new(rule.Context)
	for _, gvk := range set.Kinds() {
		if gvk.Version == "" {
			gvk.Version = "v1"
		}
		p := set.Program(gvk, true)
		first := run(t, set, p, c, object)
		if first != run(t, set, p, c, object) {
			t.Errorf("%v: two results for one object, the first:\n%s", gvk, first)
		}
		checkTraced(t, set, p, object, first)
	}
}

// FuzzParse reads any bytes as rules. They never panic, and when they load they
// never give an invalid sample.
func FuzzParse(f *testing.F) {
	// Small ones, which are quick to minimise.
	for _, metric := range features {
		f.Add([]byte(doc(metric)), false)
	}
	f.Add([]byte("customResourceState: {config: {spec: {resources: [{groupVersionKind: {group: g}, labelsFromPath: {\"*\": [metadata, labels]}, metrics: [{name: m, each: {type: info, info: {path: [m], labelFromKey: k}}}]}]}}}"), true)
	f.Add([]byte("spec: {resources: [{metrics: [{name: m, errorLogV: 5, each: {type: StateSet, stateSet: {labelName: 1, list: [a, a], path: [l, \"[a=b]\", -1]}}}]}]}"), true)
	f.Add([]byte("a: &a [b, *a]\nc: !!binary x\n? [d]\n: <<"), false)
	f.Fuzz(func(t *testing.T, data []byte, legacy bool) {
		docs, findings := rule.Parse("r.yaml", data, rule.ParseOptions{Legacy: legacy})
		if findings.Err() != nil {
			return
		}
		set, findings := rule.Compile([]rule.Source{{File: "r.yaml", Documents: docs}}, rule.CompileOptions{Legacy: crs.Compile})
		if findings.Err() != nil {
			return
		}
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
		`object.`, `object[`, `object["`, `size(object.l)`, `object.m[a`, `0x1p-2`, `'`, `"`, `s.a.b[k=]`, `object.a == 'b'`, `object[00]`} {
		f.Add(e)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		// YAML's double quotes know the escapes of Go's.
		quoted := strconv.Quote(expression)
		set, findings := compile(doc(`{name: m, type: info, forEach: [{as: s, in: object.m}], labels: {x: ` + quoted + `}}, {name: n, value: ` + quoted + `}`))
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
