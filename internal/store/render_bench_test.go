package store

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/catalog"
	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/rule/cel"
)

// httpRoute is a route with one parent, on which two controllers report.
const httpRoute = `{
 "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
 "metadata": {"name": "toystore", "namespace": "default", "creationTimestamp": "2026-05-16T16:17:38Z", "generation": 1,
  "labels": {"app": "toystore", "service": "toystore", "deployment": "toystore"}},
 "spec": {"hostnames": ["api.toystore.example.com"],
  "parentRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "api-gateway", "namespace": "kuadrant-system", "sectionName": "api", "port": 443}]},
 "status": {"parents": [
  {"controllerName": "kuadrant.io/policy-controller",
   "parentRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "api-gateway", "namespace": "kuadrant-system", "sectionName": "api", "port": 443},
   "conditions": [
    {"type": "kuadrant.io/AuthPolicyAffected", "status": "True", "reason": "Accepted", "lastTransitionTime": "2026-05-16T16:17:38Z"},
    {"type": "kuadrant.io/RateLimitPolicyAffected", "status": "True", "reason": "Accepted", "lastTransitionTime": "2026-05-16T16:18:51Z"}]},
  {"controllerName": "istio.io/gateway-controller",
   "parentRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "api-gateway", "namespace": "kuadrant-system", "sectionName": "api", "port": 443},
   "conditions": [
    {"type": "Accepted", "status": "True", "reason": "Accepted", "lastTransitionTime": "2026-05-20T11:45:33Z"},
    {"type": "ResolvedRefs", "status": "False", "reason": "BackendNotFound", "lastTransitionTime": "2026-05-20T11:45:33Z"}]}]}}`

func benchRoute(tb testing.TB) map[string]any {
	tb.Helper()
	var o map[string]any
	if err := json.Unmarshal([]byte(httpRoute), &o); err != nil {
		tb.Fatal(err)
	}
	// The API machinery decodes integers as int64.
	fix := func(ref any) { ref.(map[string]any)["port"] = int64(443) }
	for _, ref := range o["spec"].(map[string]any)["parentRefs"].([]any) {
		fix(ref)
	}
	for _, p := range o["status"].(map[string]any)["parents"].([]any) {
		fix(p.(map[string]any)["parentRef"])
	}
	return o
}

func benchStore(tb testing.TB) (*Store, *rule.Program) {
	tb.Helper()
	file, data, err := catalog.Rules("gateway-api")
	if err != nil {
		tb.Fatal(err)
	}
	docs, findings := rule.Parse(file, data, rule.ParseOptions{})
	if findings.Err() != nil {
		tb.Fatal(findings)
	}
	env, err := cel.New(cel.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	set, findings := rule.Compile([]rule.Source{{File: file, Documents: docs}}, rule.CompileOptions{
		Expression: env.Compiler(),
		// What CEL costs is measured where CEL is.
		Keep: func(family string) bool { return !strings.HasSuffix(family, "_parent_attached") },
	})
	if findings.Err() != nil {
		tb.Fatal(findings)
	}
	program := set.Program(rule.GVK{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRoute"}, true)
	return New(set, Options{}), program
}

// TestHandWrittenRenderer makes sure that the benchmark compares equal work.
func TestHandWrittenRenderer(t *testing.T) {
	s, program := benchStore(t)
	route := benchRoute(t)
	s.render.object(program, new(object), route)
	var got []byte
	for _, f := range program.Families() {
		lines, _ := s.render.lines(f)
		got = append(got, lines...)
	}
	if want := handWritten(nil, route); string(got) != string(want) {
		t.Errorf("rules give\n%s\nby hand\n%s", got, want)
	}
}

// TestRenderAllocations holds rendering to one allocation for two series.
func TestRenderAllocations(t *testing.T) {
	s, program := benchStore(t)
	route := benchRoute(t)
	s.render.object(program, new(object), route)
	if n := testing.AllocsPerRun(100, func() { s.render.object(program, new(object), route) }); n > 11.0/2 {
		t.Errorf("%v allocations for 11 series", n)
	}
}

// BenchmarkRender renders one HTTPRoute of 11 series by the catalog's rules, and
// reports the time as a multiple of that of code written for just these lines.
//
//	go test -run - -bench Render -benchmem ./internal/store
func BenchmarkRender(b *testing.B) {
	s, program := benchStore(b)
	route := benchRoute(b)
	var buf []byte
	for b.Loop() {
		s.render.object(program, new(object), route)
	}
	byRules := b.Elapsed()
	start := time.Now()
	for range b.N {
		buf = handWritten(buf[:0], route)
	}
	b.ReportMetric(float64(byRules)/float64(time.Since(start)), "x-by-hand")
	b.ReportMetric(11, "series/op")
}

// BenchmarkHandWritten is the floor of BenchmarkRender.
func BenchmarkHandWritten(b *testing.B) {
	route := benchRoute(b)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = handWritten(buf[:0], route)
	}
}

// handWritten renders an HTTPRoute's lines without any rule, sorted as the
// store sorts them.
func handWritten(dst []byte, o map[string]any) []byte {
	metadata := o["metadata"].(map[string]any)
	w := handWriter{dst: dst, name: metadata["name"].(string), namespace: metadata["namespace"].(string)}
	w.created(metadata)
	w.deleted()
	spec := o["spec"].(map[string]any)
	for _, h := range spec["hostnames"].([]any) {
		w.start("gatewayapi_httproute_hostname_info")
		w.resource()
		w.label("hostname", h.(string))
		w.object()
		w.end("1")
	}
	w.labels(metadata["labels"].(map[string]any))
	for _, ref := range spec["parentRefs"].([]any) {
		w.start("gatewayapi_httproute_parent_info")
		w.identity()
		w.parent(ref.(map[string]any))
		w.end("1")
	}
	parents := o["status"].(map[string]any)["parents"].([]any)
	for _, p := range parents {
		parent := p.(map[string]any)
		w.start("gatewayapi_httproute_status_parent_info")
		w.label("controller_name", parent["controllerName"].(string))
		w.identity()
		w.parent(parent["parentRef"].(map[string]any))
		w.end("1")
	}
	for _, p := range parents {
		w.conditions(p.(map[string]any))
	}
	return w.dst
}

var escaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

type handWriter struct {
	dst             []byte
	name, namespace string
	sep             byte
}

func (w *handWriter) start(name string) {
	w.dst = append(w.dst, name...)
	w.sep = '{'
}

func (w *handWriter) label(name, value string) {
	w.dst = append(w.dst, w.sep)
	w.dst = append(w.dst, name...)
	w.dst = append(w.dst, '=', '"')
	if strings.ContainsAny(value, "\\\n\"") {
		value = escaper.Replace(value)
	}
	w.dst = append(w.dst, value...)
	w.dst = append(w.dst, '"')
	w.sep = ','
}

func (w *handWriter) identity() {
	w.resource()
	w.object()
}

func (w *handWriter) resource() {
	w.label("customresource_group", "gateway.networking.k8s.io")
	w.label("customresource_kind", "HTTPRoute")
	w.label("customresource_version", "v1")
}

func (w *handWriter) object() {
	w.label("name", w.name)
	w.label("namespace", w.namespace)
}

func (w *handWriter) parent(ref map[string]any) {
	w.label("parent_group", ref["group"].(string))
	w.label("parent_kind", ref["kind"].(string))
	w.label("parent_name", ref["name"].(string))
	w.label("parent_namespace", ref["namespace"].(string))
	w.dst = append(w.dst, `,parent_port="`...)
	w.dst = strconv.AppendInt(w.dst, ref["port"].(int64), 10)
	w.dst = append(w.dst, '"')
	w.label("parent_section_name", ref["sectionName"].(string))
}

func (w *handWriter) end(value string) {
	w.dst = append(w.dst, "} "...)
	w.dst = append(w.dst, value...)
	w.dst = append(w.dst, '\n')
}

func (w *handWriter) created(metadata map[string]any) {
	w.start("gatewayapi_httproute_created")
	w.identity()
	t, err := time.Parse(time.RFC3339, metadata["creationTimestamp"].(string))
	if err != nil {
		panic(err)
	}
	w.dst = append(w.dst, "} "...)
	w.dst = strconv.AppendFloat(w.dst, float64(t.Unix()), 'g', -1, 64)
	w.dst = append(w.dst, '\n')
}

func (w *handWriter) deleted() {
	w.start("gatewayapi_httproute_deleted")
	w.identity()
	w.end("0")
}

func (w *handWriter) labels(labels map[string]any) {
	names := make([]string, 0, len(labels))
	for name := range labels {
		names = append(names, name)
	}
	slices.Sort(names)
	w.start("gatewayapi_httproute_labels")
	before := func(limit string) {
		for len(names) > 0 && names[0] < limit {
			w.label(names[0], labels[names[0]].(string))
			names = names[1:]
		}
	}
	before("customresource_group")
	w.resource()
	before("name")
	w.object()
	before("\xff")
	w.end("1")
}

func (w *handWriter) conditions(parent map[string]any) {
	for _, c := range parent["conditions"].([]any) {
		condition := c.(map[string]any)
		w.start("gatewayapi_httproute_status_parents_conditions")
		w.label("controller_name", parent["controllerName"].(string))
		w.identity()
		w.parent(parent["parentRef"].(map[string]any))
		w.label("type", condition["type"].(string))
		if condition["status"] == "True" {
			w.end("1")
		} else {
			w.end("0")
		}
	}
}
