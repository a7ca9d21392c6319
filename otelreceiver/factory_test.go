package otelreceiver

import (
	"context"
	"errors"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pipeline"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

func TestFactory(t *testing.T) {
	f := NewFactory()
	if f.Type() != Type || f.MetricsStability() != component.StabilityLevelAlpha {
		t.Errorf("type %s, stability %s", f.Type(), f.MetricsStability())
	}
	c := f.CreateDefaultConfig()
	if err := componenttest.CheckConfigStruct(c); err != nil {
		t.Error(err)
	}
	if err := confmap.Validate(c); err != nil {
		t.Errorf("the default is not valid: %v", err)
	}
	settings := receivertest.NewNopSettings(Type)
	if _, err := f.CreateLogs(t.Context(), settings, c, consumertest.NewNop()); !errors.Is(err, pipeline.ErrSignalNotSupported) {
		t.Errorf("logs: %v", err)
	}
	if _, err := f.CreateMetrics(t.Context(), settings, &struct{}{}, consumertest.NewNop()); err == nil {
		t.Error("another configuration is no error")
	}
	if _, err := f.CreateMetrics(t.Context(), settings, c, nil); err == nil {
		t.Error("no consumer is no error")
	}
}

// TestLifecycle starts and ends a receiver in every order.
func TestLifecycle(t *testing.T) {
	f := newFile(t, foo("a", 1))
	var s sink
	r, err := NewFactory().CreateMetrics(t.Context(), receivertest.NewNopSettings(Type), quick(f, nil), &s)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Shutdown(t.Context()); err != nil {
		t.Errorf("shut down before it was started: %v", err)
	}
	for i := range 3 {
		f.write(foo("a", i))
		ctx, cancel := context.WithCancel(t.Context())
		if err := r.Start(ctx, componenttest.NewNopHost()); err != nil {
			t.Fatal(err)
		}
		cancel() // that of Start is for starting only
		if err := r.Start(t.Context(), componenttest.NewNopHost()); err == nil {
			t.Error("it can be started twice")
		}
		s.wantValue(t, fooSeries("a"), string(rune('0'+i)))
		for range 2 {
			if err := r.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		}
		_, before := s.seen()
		f.write(foo("a", 100+i))
		if _, after := s.seen(); after != before {
			t.Error("it gives metrics after it was shut down")
		}
	}
}

// TestSlowConsumer: what does not end in time is said, and ended all the same.
func TestSlowConsumer(t *testing.T) {
	release, called := make(chan struct{}), make(chan struct{}, 10)
	next := consumerFunc(func() { called <- struct{}{}; <-release })
	r := start(t, quick(newFile(t, foo("a", 1)), nil), next, nil)
	<-called
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("shutdown: %v", err)
	}
	if err := r.Start(t.Context(), componenttest.NewNopHost()); err == nil || !strings.Contains(err.Error(), "not ended") {
		t.Errorf("started before the last time has ended: %v", err)
	}
	close(release)
	await(t, "ended", func() bool { return r.Shutdown(t.Context()) == nil })
}

// TestSideBySide: receivers in one process do not know of each other.
func TestSideBySide(t *testing.T) {
	var one, two sink
	first := newFile(t, foo("a", 1))
	start(t, quick(first, nil), &one, nil)
	start(t, quick(newFile(t, foo("b", 2)), func(c *Config) {
		c.RulesInline = []string{strings.ReplaceAll(fooRules, "foo_size", "foo_other")}
	}), &two, nil)
	one.wantValue(t, fooSeries("a"), "1")
	two.wantValue(t, strings.Replace(fooSeries("b"), "size", "other", 1), "2")
	first.write(foo("a", 3))
	one.wantValue(t, fooSeries("a"), "3")
	if state, _ := two.seen(); len(state) != 1 {
		t.Errorf("the second has %v", state)
	}
}

// TestStartErrors: what is only known at the start is said there.
func TestStartErrors(t *testing.T) {
	t.Setenv("KUBECONFIG", "")
	t.Setenv("HOME", t.TempDir())
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	id := component.MustNewID("k8s_leader_elector")
	f := newFile(t, foo("a", 1))
	for _, c := range []struct {
		want   string
		change func(*Config)
		host   host
	}{
		{"from: ", func(c *Config) { c.From = []string{"/none.yaml"} }, nil},
		{"no cluster: run in a pod, give kubeconfig", func(c *Config) { c.From = nil }, nil},
		{"loading the kubeconfig: stat /none", func(c *Config) { c.From, c.Kubeconfig = nil, "/none" }, nil},
		{"there is no extension", func(c *Config) { c.K8sLeaderElector = &id }, nil},
		{"elects no leader", func(c *Config) { c.K8sLeaderElector = &id }, host{id: nil}},
		{"no rule gives", func(c *Config) { c.Names = map[string]string{"x": "y"} }, nil},
		{"rules_inline[0]", func(c *Config) { c.RulesInline = []string{"a: b"} }, nil},
	} {
		r, err := NewFactory().CreateMetrics(t.Context(), receivertest.NewNopSettings(Type), quick(f, c.change), new(sink))
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Start(t.Context(), c.host); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want an error with %q, got %v", c.want, err)
		}
		if err := r.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
