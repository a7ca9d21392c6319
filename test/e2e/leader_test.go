package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/kubevitals/kubevitals/test/program"
)

// writers notes which process has pushed when, by its connections: of two processes
// none is the other's.
type writers struct {
	mu     sync.Mutex
	pushes []pushed
}

type pushed struct {
	from, instance string
	at             time.Time // of the snapshot
	seen           time.Time
}

func (w *writers) server(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		req := pmetricotlp.NewExportRequest()
		if err := req.UnmarshalProto(body); err != nil {
			t.Errorf("a request: %v", err)
			return
		}
		w.take(r.Header.Get("Writer"), req)
		rw.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func (w *writers) take(from string, req pmetricotlp.ExportRequest) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, rm := range req.Metrics().ResourceMetrics().All() {
		instance, _ := rm.Resource().Attributes().Get("service.instance.id")
		p := pushed{from: from, instance: instance.AsString(), seen: time.Now()}
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				if m.Name() == "kubevitals_leader" && m.Gauge().DataPoints().Len() > 0 {
					p.at = m.Gauge().DataPoints().At(0).Timestamp().AsTime()
				}
			}
		}
		if !p.at.IsZero() {
			w.pushes = append(w.pushes, p)
		}
	}
}

func (w *writers) all() []pushed {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]pushed(nil), w.pushes...)
}

// await waits for a push of somebody else than one.
func (w *writers) await(t *testing.T, than string) pushed {
	t.Helper()
	var found pushed
	program.Poll(t, "a push of another", func() error {
		for _, p := range w.all() {
			if p.from != than && (than == "" || p.seen.After(found.seen)) {
				found = p
			}
		}
		if found.from == "" {
			return fmt.Errorf("there is none but of %q", than)
		}
		return nil
	})
	return found
}

// TestLeader runs two replicas. When the leader is killed the other takes its place
// within the time that the Lease is good for; when it is stopped, at once. At no
// time do both push, and what they push has one instance.
func TestLeader(t *testing.T) {
	const lease = 4 * time.Second
	namespace(t, control, "leader")
	w := new(writers)
	endpoint := w.server(t)
	replica := func(name string) *program.Process {
		return start(t, "state", "--kubeconfig", control.Kubeconfig(), "--catalog", "gateway-api",
			"--leader-elect", "--leader-elect-namespace", "leader", "--leader-elect-lease-duration", lease.String(),
			"--leader-elect-renew-deadline", "1s", "--leader-elect-retry-period", "200ms",
			"--otlp-endpoint", endpoint, "--otlp-interval", "500ms", "--otlp-min-interval", "500ms", "--otlp-plain", "--otlp-header", "Writer="+name)
	}
	replicas := map[string]*program.Process{"a": replica("a"), "b": replica("b")}
	first := w.await(t, "")
	killed := time.Now()
	replicas[first.from].Kill(t)
	second := w.await(t, first.from)
	if gap := second.seen.Sub(killed); gap > lease {
		t.Errorf("nobody pushed for %s after the leader was killed; the Lease is good for %s", gap, lease)
	}
	// A third one takes over from the second, which is stopped and gives the Lease
	// back.
	third := replica("c")
	third.WaitReady(t)
	stopped := time.Now()
	replicas[second.from].Stop(t)
	next := w.await(t, second.from)
	for next.from != "c" {
		next = w.await(t, next.from)
	}
	if gap := next.seen.Sub(stopped); gap > lease {
		t.Errorf("nobody pushed for %s after the leader was stopped", gap)
	}
	checkWriters(t, w.all())
}

// checkWriters wants that writers follow each other, that time only grows, and that
// all have one instance.
func checkWriters(t *testing.T, all []pushed) {
	t.Helper()
	done := make(map[string]bool)
	for i := 1; i < len(all); i++ {
		before, now := all[i-1], all[i]
		if now.from != before.from {
			if done[now.from] {
				t.Errorf("push %d is of %s, which another had followed", i, now.from)
			}
			done[before.from] = true
		}
		if !now.at.After(before.at) {
			t.Errorf("push %d of %s is of %s, the one before it of %s is of %s", i, now.from, now.at, before.from, before.at)
		}
		if now.instance != before.instance || now.instance == "" {
			t.Errorf("push %d has the instance %q, the one before it %q", i, now.instance, before.instance)
		}
	}
	if len(done) != 2 {
		t.Errorf("%d writers were followed by another, want 2", len(done))
	}
}
