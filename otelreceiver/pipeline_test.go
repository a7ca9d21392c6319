package otelreceiver

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sink is a pipeline that remembers the last value of each series.
type sink struct {
	consumertest.MetricsSink
	mutates bool
	answer  func(call int, md pmetric.Metrics) error // nil takes everything

	mu    sync.Mutex
	calls int
	state map[string]string // "ended" for one that has no value any more
	ends  map[string]int    // how often the end of one was taken
}

func (s *sink) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: s.mutates}
}

func (s *sink) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.answer != nil {
		if err := s.answer(s.calls, md); err != nil {
			return err
		}
	}
	if s.state == nil {
		s.state, s.ends = make(map[string]string), make(map[string]int)
	}
	for series, value := range seriesOf(md) {
		if s.state[series] = value; value == "ended" {
			s.ends[series]++
		}
	}
	return s.MetricsSink.ConsumeMetrics(ctx, md)
}

// setAnswer changes what the pipeline answers from now on.
func (s *sink) setAnswer(answer func(call int, md pmetric.Metrics) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer, s.calls = answer, 0
}

func (s *sink) seen() (state map[string]string, calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.state), s.calls
}

func (s *sink) value(series string) string {
	state, _ := s.seen()
	return state[series]
}

// seriesOf returns the values of metrics by name and attributes, as Prometheus
// writes them.
func seriesOf(md pmetric.Metrics) map[string]string {
	out := make(map[string]string)
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				points := pmetric.NewNumberDataPointSlice()
				switch m.Type() {
				case pmetric.MetricTypeGauge:
					points = m.Gauge().DataPoints()
				case pmetric.MetricTypeSum:
					points = m.Sum().DataPoints()
				}
				for _, p := range points.All() {
					value := fmt.Sprint(p.DoubleValue())
					if p.Flags().NoRecordedValue() {
						value = "ended"
					}
					out[m.Name()+labelsOf(p.Attributes())] = value
				}
			}
		}
	}
	return out
}

func labelsOf(attributes pcommon.Map) string {
	var out []string
	for k, v := range attributes.All() {
		out = append(out, fmt.Sprintf("%s=%q", k, v.Str()))
	}
	slices.Sort(out)
	return "{" + strings.Join(out, ",") + "}"
}

// fooRules give the size of each Foo.
const fooRules = `
apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
spec:
  resources:
  - groupVersionKind: {group: a.io, kind: Foo}
    labels: {namespace: object.metadata.namespace, name: object.metadata.name}
    metrics: [{name: foo_size, help: Size., type: gauge, value: object.size}]
`

func foo(name string, size int) string {
	return fmt.Sprintf("---\n{apiVersion: a.io/v1, kind: Foo, metadata: {namespace: ns, name: %s}, size: %d}\n", name, size)
}

func fooSeries(name string) string { return fmt.Sprintf(`foo_size{name=%q,namespace="ns"}`, name) }

// file is one with objects.
type file struct {
	t    testing.TB
	name string
}

func newFile(t testing.TB, objects ...string) file {
	f := file{t, filepath.Join(t.TempDir(), "objects.yaml")}
	f.write(objects...)
	return f
}

// write puts other objects in the place of those there are, at once.
func (f file) write(objects ...string) {
	f.t.Helper()
	if err := os.WriteFile(f.name+".new", []byte(strings.Join(objects, "")), 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(f.name+".new", f.name); err != nil {
		f.t.Fatal(err)
	}
}

// quick is a configuration for tests that reads a file by fooRules.
func quick(f file, change func(*Config)) *Config {
	c := NewFactory().CreateDefaultConfig().(*Config)
	c.RulesInline, c.From = []string{fooRules}, []string{f.name}
	c.MinInterval, c.RetryInterval, c.SelfMetrics = 10*time.Millisecond, 10*time.Millisecond, false
	if change != nil {
		change(c)
	}
	return c
}

// host has extensions.
type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

// newTestReceiver makes a receiver that has not started.
func newTestReceiver(t testing.TB, c *Config, next consumer.Metrics) receiver.Metrics {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	r, err := NewFactory().CreateMetrics(t.Context(), receivertest.NewNopSettings(Type), c, next)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// start starts a receiver until the test has ended.
func start(t testing.TB, c *Config, next consumer.Metrics, extensions host) receiver.Metrics {
	t.Helper()
	r := newTestReceiver(t, c, next)
	h := componenttest.NewNopHost()
	if extensions != nil {
		h = extensions
	}
	if err := r.Start(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

// await polls until something is so.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("after 10 seconds still not: %s", what)
		}
	}
}

// wantValue waits until a series has a value.
func (s *sink) wantValue(t testing.TB, series, value string) {
	t.Helper()
	defer func() {
		if t.Failed() {
			state, calls := s.seen()
			t.Logf("after %d calls there is %v", calls, state)
		}
	}()
	await(t, series+" "+value, func() bool { return s.value(series) == value })
}
