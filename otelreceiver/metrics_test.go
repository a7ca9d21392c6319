package otelreceiver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/kubevitals/kubevitals/internal/engine"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

// consumerFunc returns a consumer that takes everything once fn has returned.
func consumerFunc(fn func()) consumer.Metrics {
	c, err := consumer.NewMetrics(func(context.Context, pmetric.Metrics) error { fn(); return nil })
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return c
}

// exposed returns what `kubevitals state` would expose by a configuration, under
// the names that metrics have.
func exposed(t *testing.T, c *Config) map[string]string {
	t.Helper()
	set, err := c.load(t.Output())
	if err != nil {
		t.Fatal(err)
	}
	naming, err := c.naming(set)
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(engine.Options{From: c.From, Log: slog.New(slog.DiscardHandler), Budget: time.Minute})(set)
	if err != nil {
		t.Fatal(err)
	}
	rendered, err := e.Part().Gather(t.Context(), exposition.OpenMetrics)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]string)
	for _, r := range rendered {
		family, err := r.Parse(exposition.OpenMetrics)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range family.Samples {
			var labels []string
			for _, l := range s.Labels {
				if l.Value != "" {
					labels = append(labels, fmt.Sprintf("%s=%q", l.Name, l.Value))
				}
			}
			out[fmt.Sprintf("%s{%s}", naming.Describe(r.Desc).Name, strings.Join(labels, ","))] = fmt.Sprint(s.Value)
		}
	}
	return out
}

// TestEquality: the metrics of the pipeline are those of the exposition, label by
// label and value by value.
func TestEquality(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"kyma": func(c *Config) { c.Catalogs, c.From = []string{"kyma"}, []string{"testdata/kyma.yaml"} },
		"kyma objects": func(c *Config) {
			c.Catalogs, c.From, c.Resource = []string{"kyma"}, []string{"testdata/kyma.yaml"}, resourceObject
		},
		"one module": func(c *Config) {
			c.Catalogs, c.From = []string{"kyma"}, []string{"testdata/kyma.yaml"}
			c.Params = map[string][]string{"kyma.modules": {"telemetry"}}
		},
		"gateway-api": func(c *Config) { c.Catalogs, c.From = []string{"gateway-api"}, []string{"testdata/gateway.yaml"} },
		"dots": func(c *Config) {
			c.Catalogs, c.From, c.Dots = []string{"gateway-api"}, []string{"testdata/gateway.yaml"}, true
		},
	} {
		t.Run(name, func(t *testing.T) {
			var s sink
			c := quick(file{}, func(c *Config) { c.RulesInline = nil; change(c) })
			want := exposed(t, c)
			if len(want) < 5 {
				t.Fatalf("only %d series are exposed", len(want))
			}
			start(t, c, &s, nil)
			await(t, "as many series as are exposed", func() bool { state, _ := s.seen(); return len(state) >= len(want) })
			state, _ := s.seen()
			if diff := cmp.Diff(want, state); diff != "" {
				t.Errorf("(-exposition +pipeline):\n%s", diff)
			}
		})
	}
}

// TestNames: rules name metrics, and the configuration does.
func TestNames(t *testing.T) {
	var s sink
	start(t, quick(newFile(t, foo("a", 1)), func(c *Config) {
		c.RulesInline = []string{strings.Replace(fooRules, "name: foo_size,", "name: foo_size, otlpName: foo.bytes,", 1)}
	}), &s, nil)
	s.wantValue(t, strings.Replace(fooSeries("a"), "foo_size", "foo.bytes", 1), "1")
	start(t, quick(newFile(t, foo("a", 1)), func(c *Config) { c.Names = map[string]string{"foo_size": "my.size"} }), &s, nil)
	s.wantValue(t, strings.Replace(fooSeries("a"), "foo_size", "my.size", 1), "1")
}

// TestResource: each object has a resource of its own, with the attributes of all.
func TestResource(t *testing.T) {
	var s sink
	start(t, quick(newFile(t, foo("a", 1), foo("b", 2)), func(c *Config) {
		c.Resource, c.ResourceAttributes = resourceObject, map[string]string{"k8s.cluster.name": "c"}
	}), &s, nil)
	s.wantValue(t, fooSeries("b"), "2")
	var got []string
	for _, rm := range s.AllMetrics()[0].ResourceMetrics().All() {
		got = append(got, labelsOf(rm.Resource().Attributes()))
	}
	want := []string{
		`{k8s.cluster.name="c",k8s.namespace.name="ns",k8s.resource.name="a",service.name="kubevitals"}`,
		`{k8s.cluster.name="c",k8s.namespace.name="ns",k8s.resource.name="b",service.name="kubevitals"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestSelfMetrics: the receiver tells of itself.
func TestSelfMetrics(t *testing.T) {
	var s sink
	start(t, quick(newFile(t, foo("a", 1)), func(c *Config) { c.SelfMetrics, c.CollectionInterval = true, 50*time.Millisecond }), &s, nil)
	s.wantValue(t, fooSeries("a"), "1")
	s.wantValue(t, "kubevitals_state_source_up{}", "1")
	await(t, "what it has handed over", func() bool { return s.value(`kubevitals_otlp_points_total{result="sent"}`) > "0" })
}

// TestDeletion: the series of an object that is gone ends, once the pipeline has
// taken that, and not a second time.
func TestDeletion(t *testing.T) {
	f := newFile(t, foo("a", 1), foo("b", 2))
	var s sink
	start(t, quick(f, func(c *Config) { c.CollectionInterval = 50 * time.Millisecond }), &s, nil)
	s.wantValue(t, fooSeries("a"), "1")
	refused := 0
	s.setAnswer(func(_ int, md pmetric.Metrics) error {
		if seriesOf(md)[fooSeries("a")] == "ended" {
			if refused++; refused < 3 {
				return errors.New("not now")
			}
		}
		return nil
	})
	f.write(foo("b", 3))
	s.wantValue(t, fooSeries("a"), "ended")
	s.wantValue(t, fooSeries("b"), "3")
	_, before := s.seen()
	await(t, "five more collections", func() bool { _, n := s.seen(); return n > before+5 })
	s.mu.Lock()
	if refused != 3 || s.ends[fooSeries("a")] != 1 {
		t.Errorf("ended %d times after %d refusals", s.ends[fooSeries("a")], refused-1)
	}
	s.mu.Unlock()
	f.write(foo("a", 4), foo("b", 3))
	s.wantValue(t, fooSeries("a"), "4")
}

// TestRefusals: what is refused for now is handed over again as it was, even by a
// pipeline that changes it; what is refused for good is not.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		calls int
		want  string
	}{
		"for now":                   {errors.New("queue is full"), 4, "1"},
		"for now, downstream":       {consumererror.NewDownstream(errors.New("busy")), 4, "1"},
		"by status, for now":        {consumererror.NewOTLPHTTPError(errors.New("busy"), 503), 4, "1"},
		"for good":                  {consumererror.NewPermanent(errors.New("bad")), 1, ""},
		"for good, by status":       {consumererror.NewOTLPHTTPError(errors.New("bad"), 400), 1, ""},
		"for good, among others":    {errors.Join(errors.New("busy"), consumererror.NewPermanent(errors.New("bad"))), 1, ""},
		"deadline of what is below": {context.DeadlineExceeded, 4, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFile(t, foo("a", 1))
			s := sink{mutates: true, answer: func(call int, md pmetric.Metrics) error {
				if call > 3 {
					return nil
				}
				md.ResourceMetrics().RemoveIf(func(pmetric.ResourceMetrics) bool { return true })
				return c.err
			}}
			start(t, quick(f, nil), &s, nil)
			await(t, "handed over", func() bool { _, n := s.seen(); return n >= c.calls })
			if c.want != "" {
				s.wantValue(t, fooSeries("a"), c.want)
			}
			s.setAnswer(nil)
			f.write(foo("a", 2))
			s.wantValue(t, fooSeries("a"), "2")
			if _, n := s.seen(); n != 1 {
				t.Errorf("%d calls for one change", n)
			}
		})
	}
}
