package rule_test

import (
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// keeper is a Tracer that wants everything.
type keeper struct{ traces []*rule.Trace }

func (k *keeper) Wants(*rule.Metric) bool { return true }
func (k *keeper) Trace(t *rule.Trace)     { k.traces = append(k.traces, t) }

// given counts the samples of the traces, and the results without a reason.
func (k *keeper) given() (samples, unexplained int) {
	for _, t := range k.traces {
		for i := range t.Results {
			r := &t.Results[i]
			switch {
			case r.Given:
				samples++
				if len(r.From) == 0 || len(r.Sources) < len(r.Labels) {
					unexplained++
				}
			case r.Why == "":
				unexplained++
			}
		}
		if len(t.Results) == 0 {
			unexplained++
		}
	}
	return samples, unexplained
}

// checkTraced evaluates an object with a tracer: what it gives must be what it
// gives without, and the traces must explain it.
func checkTraced(t *testing.T, set *rule.Set, p *rule.Program, object map[string]any, want string) {
	t.Helper()
	k := &keeper{}
	got := run(t, set, p, &rule.Context{Tracer: k}, object)
	if got != want {
		t.Fatalf("%v: with a tracer:\n%s\nwithout:\n%s", object, got, want)
	}
	samples, unexplained := k.given()
	if lines := strings.Count("\n"+got, "\n") - 1 - strings.Count("\n"+got, "\n! "); samples != lines {
		t.Fatalf("%v: the traces have %d samples of %d:\n%s", object, samples, lines, got)
	}
	if unexplained > 0 {
		t.Fatalf("%v: %d results without a reason", object, unexplained)
	}
}

// TestTracingChangesNothing evaluates rules for each feature with objects whose
// fields have any type.
func TestTracingChangesNothing(t *testing.T) {
	set := load(t, everything)
	p := set.Program(testKind, true)
	deep := values(values(values(nil)[:4]))
	for _, a := range deep {
		for _, b := range values([]any{"b", int64(1)})[:4] {
			object := map[string]any{"a": a, "b": b}
			checkTraced(t, set, p, object, run(t, set, p, new(rule.Context), object))
		}
	}
}

// TestUnwantedTrace makes sure that a tracer is told only what it wants.
func TestUnwantedTrace(t *testing.T) {
	set := load(t, doc(`{name: a, value: object.v}, {name: b, value: object.v}`))
	k := &chooser{name: "b"}
	run(t, set, set.Program(testKind, true), &rule.Context{Tracer: k}, map[string]any{"v": int64(1)})
	if len(k.traces) != 1 || k.traces[0].Metric.Name != "b" || k.traces[0].Results[0].Value != 1 {
		t.Errorf("traces %+v", k.traces)
	}
}

type chooser struct {
	keeper
	name string
}

func (c *chooser) Wants(m *rule.Metric) bool { return m.Name == c.name }
