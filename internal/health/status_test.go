package health_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kubevitals/kubevitals/internal/health"
)

// object reads an object of a kind; numbers are whole unless float is set.
func object(t testing.TB, gvk, rest string, float bool) map[string]any {
	t.Helper()
	apiVersion, kind, _ := strings.Cut(gvk, " ")
	var o map[string]any
	if err := yaml.Unmarshal([]byte(rest), &o); err != nil {
		t.Fatal(err)
	}
	if o == nil {
		o = make(map[string]any)
	}
	o["apiVersion"], o["kind"] = apiVersion, kind
	if !float {
		whole(o)
	}
	return o
}

// whole makes int64 of the numbers that JSON gives.
func whole(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			v[key] = whole(v[key])
		}
	case []any:
		for i := range v {
			v[i] = whole(v[i])
		}
	case float64:
		return int64(v)
	}
	return v
}

// TestStatus has the library decide, whatever decoder has read the object.
func TestStatus(t *testing.T) {
	f := func(gvk, rest, want string) {
		t.Helper()
		for _, float := range []bool{false, true} {
			o := object(t, gvk, rest, float)
			before, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			if got := health.Status(o); got != want {
				t.Errorf("%s %s (floats: %v) is %q, want %q", gvk, rest, float, got, want)
			}
			if after, err := json.Marshal(o); err != nil || string(after) != string(before) {
				t.Errorf("the object has changed (%v):\n%s\n%s", err, before, after)
			}
		}
	}
	const thing = "example.com/v1 Thing"
	f(thing, `{}`, health.Current)
	f(thing, `metadata: {deletionTimestamp: "2026-01-01T00:00:00Z"}`, health.Terminating)
	f(thing, `{metadata: {generation: 2}, status: {observedGeneration: 1}}`, health.InProgress)
	f(thing, `{metadata: {generation: 2}, status: {observedGeneration: 2}}`, health.Current)
	f(thing, `status: {conditions: [{type: Ready, status: "True"}]}`, health.Current)
	f(thing, `status: {conditions: [{type: Ready, status: "False"}]}`, health.InProgress)
	f(thing, `status: {conditions: [{type: Ready, status: "True"}, {type: Stalled, status: "True"}]}`, health.Failed)
	f(thing, `status: {conditions: [{type: Ready, status: "True"}, {type: Reconciling, status: "True"}]}`, health.InProgress)
	f("apps/v1 Deployment", `{metadata: {generation: 1}, spec: {replicas: 1}, status: {observedGeneration: 1, conditions: [{type: Progressing, status: "False", reason: ProgressDeadlineExceeded}]}}`, health.Failed)
	f("batch/v1 Job", `{status: {startTime: "2026-01-01T00:00:00Z", conditions: [{type: Failed, status: "True"}]}}`, health.Failed)

	// What is not as it should be.
	f(thing, `status: {conditions: text}`, health.Unknown)
	f(thing, `status: {conditions: [text, 5]}`, health.Unknown)
	f(thing, `status: {conditions: [{type: 5, status: []}]}`, health.Unknown)
	f(thing, `status: text`, health.Unknown)
	f(thing, `metadata: text`, health.Unknown)
	f(thing, `metadata: {deletionTimestamp: 5}`, health.Unknown)
	f(thing, `{metadata: {generation: text}}`, health.Unknown)
	f("example.com/v1 ", `{}`, "")
}

// TestStatusOfManyConditions is not asked for: copying them would take long.
func TestStatusOfManyConditions(t *testing.T) {
	conditions := make([]any, 10_000)
	for i := range conditions {
		conditions[i] = map[string]any{"type": fmt.Sprint("C", i), "status": "True"}
	}
	o := map[string]any{"kind": "Thing", "status": map[string]any{"conditions": conditions}}
	if got := health.Status(o); got != health.Unknown {
		t.Errorf("the state is %q", got)
	}
}

func TestStatusOfNothing(t *testing.T) {
	for _, o := range []map[string]any{nil, {}, {"kind": 5}} {
		if got := health.Status(o); got != "" {
			t.Errorf("%v is %q", o, got)
		}
	}
}

// FuzzStatus makes sure that no object is too much for the library.
func FuzzStatus(f *testing.F) {
	f.Add([]byte(`{"apiVersion":"apps/v1","kind":"Deployment","spec":{"replicas":"x"},"status":{"conditions":[{"type":"Available","status":"True"}]}}`))
	f.Add([]byte(`{"apiVersion":"v1","kind":"Pod","metadata":{"generation":1e300},"status":{"phase":[],"conditions":{}}}`))
	f.Add([]byte(`{"apiVersion":"v1","kind":"Pod","status":{"phase":"Running","containerStatuses":[null,1],"conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable"}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var o map[string]any
		if json.Unmarshal(data, &o) != nil {
			return
		}
		switch got := health.Status(o); got {
		case "", health.Current, health.Failed, health.InProgress, health.Terminating, health.Unknown:
		default:
			t.Errorf("the state is %q", got)
		}
	})
}

func TestVerdict(t *testing.T) {
	got := make(map[string]string)
	for _, p := range []health.Polarity{health.Positive, health.Negative, health.Neutral, "other"} {
		for _, status := range []string{"True", "False", "Unknown", "", "true", "odd"} {
			verdict, ok := health.Verdict(p, status)
			if !ok {
				got[string(p)] += " -"
				continue
			}
			got[string(p)] += fmt.Sprint(" ", verdict)
		}
	}
	want := map[string]string{"positive": " 1 0 -1 -1 1 -1", "negative": " 0 1 -1 -1 0 -1", "neutral": " - - - - - -", "other": " 1 0 -1 -1 1 -1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
