package aggregate_test

import (
	"testing"

	"github.com/kubevitals/kubevitals/internal/pods/aggregate"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

var gauge = metric.Desc{Name: "depth", Type: metric.Gauge}

func TestOperations(t *testing.T) {
	pods := []pod{
		{"a1", "depth{q=\"x\"} 1\ndepth{q=\"y\"} -5 1700000000000\n"},
		{"a2", "# HELP depth D.\n\ndepth{q=\"x\",pod=\"own\"} 3\n depth { q = \"x\" , } 4\r\n"},
		{"b1", "depth{q=\"y\"} NaN\n"},
		{"b2", ""},
	}
	for rule, want := range map[string]string{
		"depth=sum":   "depth{exported_pod=\"own\",q=\"x\"} 3\ndepth{q=\"x\"} 5\ndepth{q=\"y\"} NaN",
		"depth=max":   "depth{exported_pod=\"own\",q=\"x\"} 3\ndepth{q=\"x\"} 4\ndepth{q=\"y\"} -5",
		"dep*=min":    "depth{exported_pod=\"own\",q=\"x\"} 3\ndepth{q=\"x\"} 1\ndepth{q=\"y\"} -5",
		"* = avg":     "depth{exported_pod=\"own\",q=\"x\"} 3\ndepth{q=\"x\"} 2.5\ndepth{q=\"y\"} NaN",
		"depth=count": "depth{exported_pod=\"own\",q=\"x\"} 1\ndepth{q=\"x\"} 2\ndepth{q=\"y\"} 2",
	} {
		w := newWorld(t, gauge, aggregate.Options{}, rule)
		w.want(want, pods...)
		w.want(want, pods...) // nothing is remembered
		w.want("", pod{"a1", ""})
	}
}

func TestOnlyNaN(t *testing.T) {
	for _, op := range []string{"max", "min"} {
		w := newWorld(t, gauge, aggregate.Options{}, "depth="+op)
		w.want("depth NaN", pod{"a1", "depth NaN"}, pod{"a2", "depth NaN"})
		w.want("depth 2", pod{"a1", "depth NaN"}, pod{"a2", "depth 2"})
	}
}

func TestKeep(t *testing.T) {
	w := newWorld(t, gauge, aggregate.Options{Keep: []string{"ns"}}, "depth=sum")
	w.want("depth{exported_ns=\"own\",ns=\"n-b\"} 4\ndepth{ns=\"n-a\"} 3", pod{"a1", "depth 1"}, pod{"a2", "depth 2"}, pod{"b1", `depth{ns="own"} 4`})
	w.Begin(nil)
	joined := aggregate.Target{ID: "c", Labels: metric.Labels("pod", "c", "ns", "n-c"), Joined: true}
	if err := w.Add(joined, gauge, exposition.OpenMetrics, []byte("depth{ns=\"n-c\",pod=\"c\"} 1 # {a=\"b\"} 2\n"), []byte("depth{ns=\"n-c\",pod=\"c\",x=\"y\"} 2\n")); err != nil {
		t.Error(err)
	}
	if got, want := w.text(), "depth{ns=\"n-c\"} 1\ndepth{ns=\"n-c\",x=\"y\"} 2"; got != want {
		t.Error(got)
	}
}

func TestTypesOfNumbers(t *testing.T) {
	for _, c := range []struct {
		rule string
		typ  metric.Type
		want metric.Type
	}{
		{"a=sum", metric.Gauge, metric.Gauge}, {"a=sum", metric.Unknown, metric.Unknown}, {"a=count", metric.Unknown, metric.Gauge},
		{"a=sum", metric.Info, metric.Gauge}, {"a=max", metric.Info, metric.Info}, {"a=min", metric.StateSet, metric.StateSet}, {"a=avg", metric.StateSet, metric.Gauge},
	} {
		d := metric.Desc{Name: "a", Type: c.typ}
		w := newWorld(t, d, aggregate.Options{}, c.rule)
		w.Begin([]string{"a1"})
		w.add(pod{"a1", "a 1"}, d)
		w.add(pod{"a2", "a 1"}, metric.Desc{Name: "a", Type: c.typ, Help: "H."})
		if got := w.Families(); len(got) != 1 || got[0].Type != c.want || got[0].Help != "H." {
			t.Errorf("%s of a %s: %v", c.rule, c.typ, got)
		}
	}
	w := newWorld(t, gauge, aggregate.Options{}, "depth=sum")
	w.Begin(nil)
	w.add(pod{"a1", "depth 1"}, gauge)
	w.add(pod{"a2", "depth 1"}, metric.Desc{Name: "depth", Type: metric.StateSet})
	if got := w.Families(); len(got) != 1 || got[0].Type != metric.Unknown || got[0].Samples[0].Value != 2 {
		t.Errorf("a gauge and a state set: %v", got)
	}
}

func TestParseRules(t *testing.T) {
	got, err := aggregate.ParseRules([]string{"http_requests_total=sum", " queue_* = max ", `a=b=count`})
	want := []aggregate.Rule{{Family: "http_requests_total"}, {Family: "queue_*", Op: aggregate.Max}, {Family: "a=b", Op: aggregate.Count}}
	if err != nil || len(got) != len(want) {
		t.Fatalf("%v, %v", got, err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v, want %v", got[i], want[i])
		}
	}
	for _, text := range []string{"", "a", "a=", "=sum", "a=median", "a_total=avg", "*_total=count", "a_bucket=sum", "\xff=sum"} {
		if got, err := aggregate.ParseRules([]string{"a=sum", text}); err == nil || len(got) != 1 {
			t.Errorf("%q is accepted: %v", text, got)
		}
	}
	if s := aggregate.Avg.String(); s != "avg" {
		t.Error(s)
	}
	if s := aggregate.Op(99).String(); s != "operation 99" {
		t.Error(s)
	}
	a := aggregate.New(aggregate.Options{Rules: want})
	if !a.Matches("queue_x") || a.Matches("queue") {
		t.Error("Matches")
	}
}
