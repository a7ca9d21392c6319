package rule_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// benchObject has two parents with three conditions each: six samples.
const benchObject = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: toystore, namespace: default}
status:
  parents:
  - {controllerName: kuadrant.io/policy-controller, parentRef: {name: api-gateway}, conditions: [
      {type: Accepted, status: "True", reason: Accepted}, {type: ResolvedRefs, status: "False", reason: BackendNotFound}, {type: Programmed, status: Unknown, reason: Pending}]}
  - {controllerName: istio.io/gateway-controller, parentRef: {name: internal}, conditions: [
      {type: Accepted, status: "True", reason: Accepted}, {type: ResolvedRefs, status: "True", reason: ResolvedRefs}, {type: Programmed, status: "False", reason: Invalid}]}
`

// benchRule has three labels from two scopes, and a value to be filled in.
func benchRule(value string) string {
	return doc(`{name: m, forEach: [{as: parent, in: object.status.parents}, {as: cond, in: parent.conditions}],
  labels: {controller: parent.controllerName, parent: parent.parentRef.name, type: cond.type}, value: "` + value + `"}`)
}

// byHand gives the samples of benchRule. As rules do, it takes an object for
// what it is: what is missing or of another type is left out.
type byHand struct {
	metric *rule.Metric
	once   bool // look for label sets that are there twice, as rules do
	seen   [][3]string
	labels []metric.Label
	number func(v any) (float64, error)
}

func (h *byHand) eval(object map[string]any, sink rule.Sink) {
	h.seen = h.seen[:0]
	status, _ := object["status"].(map[string]any)
	parents, _ := status["parents"].([]any)
	for _, p := range parents {
		parent, _ := p.(map[string]any)
		controller, _ := parent["controllerName"].(string)
		ref, _ := parent["parentRef"].(map[string]any)
		name, _ := ref["name"].(string)
		conditions, _ := parent["conditions"].([]any)
		for _, c := range conditions {
			cond, _ := c.(map[string]any)
			typ, _ := cond["type"].(string)
			labels := h.labels[:0]
			for _, l := range [...]metric.Label{{Name: "controller", Value: controller}, {Name: "parent", Value: name}, {Name: "type", Value: typ}} {
				if l.Value != "" {
					labels = append(labels, l)
				}
			}
			h.labels = labels
			v := cond["status"]
			if v == nil {
				continue
			}
			n, err := h.number(v)
			if err != nil {
				sink.Problem(rule.Problem{Reason: rule.ReasonValue, Err: err})
				continue
			}
			if h.once && !h.first([3]string{typ, name, controller}) {
				continue
			}
			sink.Sample(h.metric, labels, n)
		}
	}
}

// first reports whether no sample of the object had these values.
func (h *byHand) first(values [3]string) bool {
	for i := range h.seen {
		if h.seen[i] == values {
			return false
		}
	}
	h.seen = append(h.seen, values)
	return true
}

// benchVariant is a way to evaluate one object.
type benchVariant struct {
	name, value string // of the rule; by hand without
	eval        func(object map[string]any, sink rule.Sink)
}

// benchVariants returns the loop by hand, one that does not look for samples that
// are there twice, and rules that do the same as the first.
func benchVariants(tb testing.TB) []benchVariant {
	hand := &byHand{metric: &rule.Metric{}, number: rule.ToNumber, once: true}
	careless := &byHand{metric: &rule.Metric{}, number: rule.ToNumber}
	out := []benchVariant{{name: "hand", eval: hand.eval}, {name: "careless", eval: careless.eval}}
	for _, v := range []benchVariant{
		{name: "walker", value: "cond.status"},
		{name: "cel-equal", value: "cond.status == 'True'"},
		{name: "cel-choice", value: "cond.status == 'True' ? 1 : 0"},
		{name: "cel-field", value: "(cond.status)"},
		{name: "cel-call", value: "cond.status.startsWith('T')"},
		{name: "cel-go", value: "cond.status.trim()"}, // the only one that cel-go has to evaluate, with text in and out
	} {
		p, c := loadCEL(tb, benchRule(v.value)).Program(testKind, true), new(rule.Context)
		v.eval = func(object map[string]any, sink rule.Sink) { p.Eval(c, object, sink) }
		out = append(out, v)
	}
	return out
}

// TestBenchVariants makes sure that the benchmark compares equal work.
func TestBenchVariants(t *testing.T) {
	object := parseObject(t, benchObject)
	variants := benchVariants(t)
	samples := func(v benchVariant) []string {
		r := &recorder{t: t, families: []metric.Desc{{Name: "m", Type: metric.Gauge}}, seen: make(map[string]bool)}
		v.eval(object, r)
		return append(r.samples, r.problems...)
	}
	want := samples(variants[0])
	if len(want) != 6 {
		t.Fatalf("%d samples", len(want))
	}
	for _, v := range variants[1:] {
		if diff := cmp.Diff(want, samples(v)); diff != "" {
			t.Errorf("%s (-by hand +got):\n%s", v.name, diff)
		}
	}
}

// TestEvalAllocations: paths and what is evaluated directly allocate nothing. A
// text through cel-go and back allocates three times for each of the six samples,
// and once more as the race detector makes pools forget.
func TestEvalAllocations(t *testing.T) {
	object, sink := parseObject(t, benchObject), new(counter)
	for _, v := range benchVariants(t) {
		most := 0.0
		if v.name == "cel-go" {
			most = 4 * 6
		}
		v.eval(object, sink)
		if n := testing.AllocsPerRun(200, func() { v.eval(object, sink) }); n > most {
			t.Errorf("%s: %v allocations, want at most %v", v.name, n, most)
		}
	}
}

// BenchmarkEval evaluates one object in each way by turns, and reports how long
// a rule takes as a multiple of the loop by hand (the median of all turns).
//
//	go test -run - -bench '^BenchmarkEval$' -benchmem ./internal/rule
func BenchmarkEval(b *testing.B) {
	const turn = 200
	object, sink := parseObject(b, benchObject), new(counter)
	variants := benchVariants(b)
	took := make([][]float64, len(variants))
	for b.Loop() {
		for i, v := range variants {
			start := time.Now()
			for range turn {
				v.eval(object, sink)
			}
			took[i] = append(took[i], float64(time.Since(start))/turn)
		}
	}
	b.ReportMetric(0, "ns/op") // of all variants together
	for i, v := range variants {
		ratios := make([]float64, len(took[i]))
		for j := range ratios {
			ratios[j] = took[i][j] / took[0][j]
		}
		slices.Sort(ratios)
		slices.Sort(took[i])
		b.ReportMetric(took[i][len(took[i])/2], v.name+"-ns")
		b.ReportMetric(testing.AllocsPerRun(100, func() { v.eval(object, sink) }), v.name+"-allocs")
		if i > 0 {
			b.ReportMetric(ratios[len(ratios)/2], v.name+"-x-by-hand")
		}
	}
}

// BenchmarkEvalOnly evaluates in one way, for a profile.
func BenchmarkEvalOnly(b *testing.B) {
	object, sink := parseObject(b, benchObject), new(counter)
	for _, v := range benchVariants(b) {
		b.Run(v.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				v.eval(object, sink)
			}
		})
	}
}
