package otelreceiver

import (
	"context"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
)

// TestWatch follows a cluster: what changes there arrives without a request.
func TestWatch(t *testing.T) {
	a := newAPIServer(t)
	a.put("a", 1)
	a.put("b", 2)
	var s sink
	start(t, a.in(t, nil), &s, nil)
	s.wantValue(t, fooSeries("a"), "1")
	if first := seriesOf(s.AllMetrics()[0]); len(first) != 2 {
		t.Errorf("the first metrics are %v: they did not wait for the list", first)
	}
	a.put("a", 3)
	s.wantValue(t, fooSeries("a"), "3")
	a.del("b")
	s.wantValue(t, fooSeries("b"), "ended")
	a.put("c", 4)
	s.wantValue(t, fooSeries("c"), "4")
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.lists != 1 {
		t.Errorf("%d lists", a.lists)
	}
}

// TestScrape lists a cluster for each collection.
func TestScrape(t *testing.T) {
	a := newAPIServer(t)
	a.put("a", 1)
	var s sink
	start(t, a.in(t, func(c *Config) { c.Collect, c.CollectionInterval = collectScrape, 30*time.Millisecond }), &s, nil)
	s.wantValue(t, fooSeries("a"), "1")
	a.put("b", 2)
	s.wantValue(t, fooSeries("b"), "2")
	a.del("a")
	s.wantValue(t, fooSeries("a"), "ended")
}

// statusHost notes what a receiver says of itself.
type statusHost struct {
	host
	mu       sync.Mutex
	statuses []componentstatus.Status
}

func (h *statusHost) Report(e *componentstatus.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.statuses = append(h.statuses, e.Status())
}

func (h *statusHost) last() componentstatus.Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.statuses) == 0 {
		return componentstatus.StatusNone
	}
	return h.statuses[len(h.statuses)-1]
}

// TestUnreachable: a cluster that does not answer is no reason not to start, and
// not to say so; it is found when it is there.
func TestUnreachable(t *testing.T) {
	a := newAPIServer(t)
	a.put("a", 1)
	a.setDown(true)
	var s sink
	c := a.in(t, func(c *Config) {
		c.SelfMetrics, c.CollectionInterval, c.DiscoveryInterval = true, 50*time.Millisecond, 20*time.Millisecond
	})
	r := newTestReceiver(t, c, &s)
	var h statusHost
	if err := r.Start(t.Context(), &h); err != nil {
		t.Fatal(err)
	}
	s.wantValue(t, "kubevitals_state_source_up{}", "0")
	await(t, "an error that may pass", func() bool { return h.last() == componentstatus.StatusRecoverableError })
	a.setDown(false)
	s.wantValue(t, fooSeries("a"), "1")
	s.wantValue(t, "kubevitals_state_source_up{}", "1")
	await(t, "status OK", func() bool { return h.last() == componentstatus.StatusOK })
	if err := r.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

// extension elects leaders as the extension k8s_leader_elector does.
type extension struct {
	component.StartFunc
	component.ShutdownFunc
	mu      sync.Mutex
	started []func(context.Context)
	stopped []func()
}

func (e *extension) SetCallBackFuncs(started func(context.Context), stopped func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.started, e.stopped = append(e.started, started), append(e.stopped, stopped)
}

func (e *extension) elect(ctx context.Context) {
	for _, f := range e.started {
		f(ctx)
	}
}

func (e *extension) dismiss() {
	for _, f := range e.stopped {
		f()
	}
}

// TestExtension: the leader that an extension elects gives metrics, and others do
// not.
func TestExtension(t *testing.T) {
	id := component.MustNewID("k8s_leader_elector")
	e := new(extension)
	f := newFile(t, foo("a", 1))
	var s sink
	c := quick(f, func(c *Config) { c.K8sLeaderElector, c.CollectionInterval = &id, 20*time.Millisecond })
	r := start(t, c, &s, host{id: e})
	var other sink // of a receiver that gives the same whoever leads
	start(t, quick(f, nil), &other, nil)
	other.wantValue(t, fooSeries("a"), "1")
	if _, n := s.seen(); n > 0 {
		t.Errorf("%d calls before anybody leads", n)
	}
	e.elect(t.Context())
	s.wantValue(t, fooSeries("a"), "1")
	e.dismiss()
	f.write(foo("a", 2))
	other.wantValue(t, fooSeries("a"), "2")
	if got := s.value(fooSeries("a")); got != "1" {
		t.Errorf("value %s after it leads no more", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	e.elect(ctx)
	s.wantValue(t, fooSeries("a"), "2")
	cancel()
	e.elect(t.Context()) // without having been dismissed
	f.write(foo("a", 3))
	s.wantValue(t, fooSeries("a"), "3")
	if err := r.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.elect(t.Context()) // an extension ends after receivers
	e.dismiss()
}

// TestLease: of two receivers with one Lease one gives metrics, and the other one
// when the first has ended, as the same instance.
func TestLease(t *testing.T) {
	a := newAPIServer(t)
	a.put("a", 1)
	lease := func(c *Config) { c.Lease = &LeaseConfig{Namespace: "ns", Name: "l", Duration: 3 * time.Second} }
	var one, two sink
	first := start(t, a.in(t, lease), &one, nil)
	one.wantValue(t, fooSeries("a"), "1")
	start(t, a.in(t, lease), &two, nil)
	a.put("a", 2)
	one.wantValue(t, fooSeries("a"), "2")
	if _, n := two.seen(); n > 0 {
		t.Errorf("%d calls of the one that does not lead", n)
	}
	if err := first.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	two.wantValue(t, fooSeries("a"), "2")
	for name, s := range map[string]*sink{"first": &one, "second": &two} {
		instance, _ := s.AllMetrics()[0].ResourceMetrics().At(0).Resource().Attributes().Get("service.instance.id")
		if instance.Str() != "uid-of-the-lease" {
			t.Errorf("the %s is instance %q", name, instance.Str())
		}
	}
}
