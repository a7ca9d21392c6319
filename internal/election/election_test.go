package election_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"

	"github.com/kubevitals/kubevitals/internal/election"
	"github.com/kubevitals/kubevitals/operator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server has one Lease, and refuses to overwrite what a client has not seen, as
// an API server does.
type server struct {
	coordinationv1client.LeaseInterface

	mu    sync.Mutex
	lease *coordinationv1.Lease
	n     int
}

// access is that of one client to the server.
type access struct {
	*server
	fail atomic.Pointer[error] // what all requests get
	hang atomic.Bool           // requests wait until they are given up
	slow atomic.Int64          // how long requests take in any case
}

func (a *access) Leases(string) coordinationv1client.LeaseInterface { return a }

func (a *access) failure(ctx context.Context) error {
	time.Sleep(time.Duration(a.slow.Load()))
	if a.hang.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	if err := a.fail.Load(); err != nil {
		return *err
	}
	return nil
}

var resource = schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}

func (a *access) Get(ctx context.Context, name string, _ metav1.GetOptions) (*coordinationv1.Lease, error) {
	if err := a.failure(ctx); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.lease == nil {
		return nil, apierrors.NewNotFound(resource, name)
	}
	return a.lease.DeepCopy(), nil
}

func (a *access) Create(ctx context.Context, lease *coordinationv1.Lease, _ metav1.CreateOptions) (*coordinationv1.Lease, error) {
	return a.put(ctx, lease, true)
}

func (a *access) Update(ctx context.Context, lease *coordinationv1.Lease, _ metav1.UpdateOptions) (*coordinationv1.Lease, error) {
	return a.put(ctx, lease, false)
}

func (a *access) put(ctx context.Context, lease *coordinationv1.Lease, create bool) (*coordinationv1.Lease, error) {
	if err := a.failure(ctx); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	lease = lease.DeepCopy()
	switch {
	case create && a.lease != nil:
		return nil, apierrors.NewAlreadyExists(resource, lease.Name)
	case create:
		lease.UID = types.UID("uid-of-" + lease.Name)
	case a.lease == nil || lease.ResourceVersion != a.lease.ResourceVersion:
		return nil, apierrors.NewConflict(resource, lease.Name, errors.New("changed"))
	}
	a.n++
	lease.ResourceVersion = strings.Repeat("x", a.n)
	a.lease = lease
	return lease.DeepCopy(), nil
}

// replica is a process.
type replica struct {
	*election.Elector
	access *access
	stop   func()
}

func start(t *testing.T, s *server, identity string) *replica {
	t.Helper()
	r := &replica{access: &access{server: s}}
	var err error
	r.Elector, err = election.NewForClient(r.access, election.Options{
		Namespace: "n", Name: "l", Identity: identity, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = r.Run(ctx) }()
	r.stop = func() { cancel(); <-done }
	t.Cleanup(r.stop)
	return r
}

// wait waits until one leads, never two, and returns how long that took.
func wait(t *testing.T, one, other *replica) time.Duration {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if one.IsLeader() && other.IsLeader() {
			t.Fatal("two leaders")
		}
		if one.IsLeader() {
			return time.Since(begin)
		}
		if time.Since(begin) > time.Minute {
			t.Fatal("no leader in a minute")
		}
	}
}

// TestHandover: who ends gives the Lease back, and the next leads soon.
func TestHandover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		a := start(t, s, "a")
		synctest.Wait()
		b := start(t, s, "b")
		wait(t, a, b)
		term, _ := a.Term()
		if a.UID() != "uid-of-l" {
			t.Errorf("UID %q", a.UID())
		}
		time.Sleep(time.Hour)
		if b.IsLeader() || !a.IsLeader() || term.Err() != nil {
			t.Error("the leader did not stay")
		}
		a.stop()
		if term.Err() == nil || a.IsLeader() {
			t.Error("the term did not end with Run")
		}
		if took := wait(t, b, a); took > 5*time.Second {
			t.Errorf("handed over after %s", took)
		}
		if b.UID() != a.UID() {
			t.Errorf("the replicas have the UIDs %q and %q", a.UID(), b.UID())
		}
	})
}

// TestLoss: a leader that cannot renew, because it is refused, or because nobody
// answers, gives up before another one leads, and leads again later.
func TestLoss(t *testing.T) {
	for name, cutOff := range map[string]func(*access, bool){
		"refused": func(a *access, off bool) {
			err := error(apierrors.NewForbidden(resource, "l", errors.New("no")))
			if a.fail.Store(&err); !off {
				a.fail.Store(nil)
			}
		},
		"nobody answers": func(a *access, off bool) { a.hang.Store(off) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := new(server)
				a := start(t, s, "a")
				synctest.Wait()
				b := start(t, s, "b")
				wait(t, a, b)
				time.Sleep(rand.N(10 * time.Second)) // the longest gap is right after a renewal
				term, _ := a.Term()
				cutOff(a.access, true)
				if took := wait(t, b, a); took > 15*time.Second {
					t.Errorf("taken over after %s, which is more than the default LeaseDuration", took)
				}
				if term.Err() == nil {
					t.Error("the term is not over")
				}
				if err := a.Err(); err == nil || !strings.Contains(err.Error(), "Lease n/l") {
					t.Errorf("error %v", err)
				}
				cutOff(a.access, false)
				time.Sleep(10 * time.Second)
				if err := a.Err(); err != nil {
					t.Errorf("error %v after it was over", err)
				}
				b.stop()
				wait(t, a, b)
			})
		})
	}
}

// TestLate: a renewal that comes so late that another process could have led ends
// the term, and begins a new one if none has.
func TestLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		a := start(t, s, "a")
		time.Sleep(time.Second)
		term, ok := a.Term()
		if !ok {
			t.Fatal("no leader")
		}
		a.access.slow.Store(int64(13 * time.Second))
		time.Sleep(15 * time.Second)
		a.access.slow.Store(0)
		if term.Err() == nil {
			t.Error("the term went on without being renewed")
		}
		time.Sleep(30 * time.Second)
		if !a.IsLeader() {
			t.Error("no term, though the Lease is held")
		}
	})
}

// TestForbidden: the error says what is wrong, and counts.
func TestForbidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		a := &access{server: s}
		err := error(apierrors.NewForbidden(resource, "l", errors.New("no")))
		a.fail.Store(&err)
		e, failure := election.NewForClient(a, election.Options{Namespace: "n", Name: "l", Logger: slog.New(slog.DiscardHandler)})
		if failure != nil {
			t.Fatal(failure)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- e.Run(ctx) }()
		time.Sleep(10 * time.Second)
		if err := e.Err(); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "cannot get the Lease n/l") {
			t.Errorf("error %v", err)
		}
		got := make(map[string]float64)
		if err := e.Collect(ctx, func(m operator.Metric) { got[m.Name] = m.Value }); err != nil {
			t.Error(err)
		}
		if got["kubevitals_lease_failures_total"] < 3 || got["kubevitals_leader"] != 0 || len(got) != 2 {
			t.Errorf("metrics %v", got)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestNew(t *testing.T) {
	for _, o := range []election.Options{
		{Name: "l"}, {Namespace: "n"}, {Namespace: "n", Name: "l", LeaseDuration: time.Second, RenewDeadline: time.Minute},
	} {
		if _, err := election.New(&rest.Config{Host: "http://127.0.0.1:1"}, o); err == nil {
			t.Errorf("%+v is no error", o)
		}
	}
	if _, err := election.New(&rest.Config{Host: "http://127.0.0.1:1"}, election.Options{Namespace: "n", Name: "l"}); err != nil {
		t.Error(err)
	}
}
