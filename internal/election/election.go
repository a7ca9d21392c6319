// Package election lets one of several replicas be the leader, by a Lease of the
// cluster.
package election

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// Options say which Lease, and how long it holds. Namespace and Name are needed.
type Options struct {
	// Namespace and Name are those of the Lease, which is created if need be.
	Namespace, Name string
	// Identity is what the Lease calls this process. The default is the host's
	// name and something random.
	Identity string
	// LeaseDuration is how long nobody leads at most when the leader has gone
	// without a word: others wait a little less, for the tries in between. It must
	// be longer than RenewDeadline, for which the leader tries to renew before it
	// gives up, and which must be longer than RetryPeriod, which is how far apart
	// tries are. The gap is kept if LeaseDuration is longer by five RetryPeriods
	// and 1.5 seconds than RenewDeadline, as by default: 15, 8 and 1 seconds.
	LeaseDuration, RenewDeadline, RetryPeriod time.Duration
	// Logger gets what changes, and failures once a minute. The default is
	// [slog.Default].
	Logger *slog.Logger
}

// Elector takes part in an election while its Run does. The other methods are
// safe for concurrent use.
type Elector struct {
	opts   Options
	leases coordinationv1client.LeasesGetter
	// valid is how long a renewal is good for. It ends after the leader has given
	// up and before anybody else can lead, even if this process was stopped in
	// between.
	valid time.Duration

	mu       sync.Mutex
	elected  context.Context // of the election, which may end late; nil without leadership
	term     context.Context // nil without leadership, or if it was not renewed
	end      context.CancelFunc
	watchdog *time.Timer
	renewed  time.Time
	uid      string
	err      error
	logged   time.Time
	failures uint64
}

// New returns an Elector that takes no part yet. The process needs the
// permissions get, create and update for leases in the namespace.
func New(config *rest.Config, opts Options) (*Elector, error) {
	own := rest.CopyConfig(config)
	opts = opts.withDefaults()
	own.Timeout = opts.RenewDeadline / 2 // one that hangs must not be the last
	client, err := coordinationv1client.NewForConfig(own)
	if err != nil {
		return nil, fmt.Errorf("leader election: %w", err)
	}
	return NewForClient(client, opts)
}

// NewForClient is [New] with a client of one's own.
func NewForClient(client coordinationv1client.LeasesGetter, opts Options) (*Elector, error) {
	opts = opts.withDefaults()
	if opts.Namespace == "" || opts.Name == "" {
		return nil, errors.New("leader election: the Lease needs a namespace and a name")
	}
	e := &Elector{opts: opts, valid: (opts.wait() + opts.RenewDeadline) / 2}
	e.leases = observedGetter{client, e}
	_, err := e.elector()
	return e, err
}

func (o Options) withDefaults() Options {
	if o.LeaseDuration <= 0 {
		o.LeaseDuration = 15 * time.Second
	}
	if o.RenewDeadline <= 0 {
		o.RenewDeadline = o.LeaseDuration * 8 / 15
	}
	if o.RetryPeriod <= 0 {
		o.RetryPeriod = o.LeaseDuration / 15
	}
	if o.Identity == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "unknown"
		}
		o.Identity = host + "_" + string(uuid.NewUUID())
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// forWork is what is left of LeaseDuration for the next leader to begin its work.
const forWork = 500 * time.Millisecond

// wait is how long others wait for a leader that does not answer. They find out
// that it has renewed, and later that it has not, up to 2.2 RetryPeriods late each:
// the library spreads its tries. A Lease counts in whole seconds.
func (o Options) wait() time.Duration {
	wait := (o.LeaseDuration - 5*o.RetryPeriod - forWork).Truncate(time.Second)
	if wait <= o.RenewDeadline {
		wait = min(o.RenewDeadline.Truncate(time.Second)+time.Second, o.LeaseDuration)
	}
	return wait
}

func (e *Elector) elector() (*leaderelection.LeaderElector, error) {
	le, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: e.opts.Namespace, Name: e.opts.Name},
			Client:     e.leases,
			LockConfig: resourcelock.ResourceLockConfig{Identity: e.opts.Identity},
		},
		LeaseDuration: e.opts.wait(), RenewDeadline: e.opts.RenewDeadline, RetryPeriod: e.opts.RetryPeriod,
		ReleaseOnCancel: true, Name: e.opts.Name,
		Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: e.started, OnStoppedLeading: e.stopped},
	})
	if err != nil {
		return nil, fmt.Errorf("leader election: %w", err)
	}
	return le, nil
}

// Run takes part until ctx is over, and then gives the Lease back. It is a
// [operator.TaskFunc].
func (e *Elector) Run(ctx context.Context) error {
	defer e.stopped()
	for ctx.Err() == nil {
		le, err := e.elector()
		if err != nil {
			return err
		}
		le.Run(ctx)
	}
	return ctx.Err()
}

// started is called when this process was elected.
func (e *Elector) started(ctx context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.endLocked()
	e.elected = ctx
	e.beginLocked()
}

// beginLocked begins a term, if there is leadership without one.
func (e *Elector) beginLocked() {
	left := time.Until(e.renewed.Add(e.valid))
	if e.term != nil || e.elected == nil || e.elected.Err() != nil || left <= 0 {
		return
	}
	e.term, e.end = context.WithCancel(e.elected)
	e.watchdog = time.AfterFunc(left, e.expired)
	e.opts.Logger.Info("This process leads", "lease", e.name(), "identity", e.opts.Identity)
}

// expired ends a term that was not renewed, or waits on.
func (e *Elector) expired() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.term == nil {
		return
	}
	if left := time.Until(e.renewed.Add(e.valid)); left > 0 {
		e.watchdog.Reset(left)
		return
	}
	e.endLocked()
}

// stopped is called when this process does not lead any more, or gives the Lease
// back.
func (e *Elector) stopped() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.elected = nil
	e.endLocked()
}

func (e *Elector) endLocked() {
	if e.term == nil {
		return
	}
	e.end()
	e.watchdog.Stop()
	e.term, e.end = nil, nil
	e.opts.Logger.Info("This process does not lead any more", "lease", e.name(), "identity", e.opts.Identity)
}

func (e *Elector) name() string { return e.opts.Namespace + "/" + e.opts.Name }

// Term returns a context that ends with the leadership that the process has now,
// and true, or false if it has none. The context ends before any other process
// can lead.
func (e *Elector) Term() (context.Context, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.term == nil || e.term.Err() != nil || time.Since(e.renewed) >= e.valid {
		return nil, false
	}
	return e.term, true
}

// IsLeader reports whether this process leads.
func (e *Elector) IsLeader() bool {
	_, leads := e.Term()
	return leads
}

// UID returns the UID of the Lease, or "" as long as it was not seen. It is the
// same for all replicas, and another one in each cluster: who leads can pass as
// one and the same instance by it.
func (e *Elector) UID() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.uid
}

// Err returns why the Lease could not be read or written the last time, such as
// that it is forbidden, or nil.
func (e *Elector) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

// Collect gives metrics about the election. It is an [operator.CollectorFunc].
func (e *Elector) Collect(_ context.Context, emit func(operator.Metric)) error {
	leads := 0.0
	if e.IsLeader() {
		leads = 1
	}
	e.mu.Lock()
	failures := e.failures
	e.mu.Unlock()
	emit(operator.Metric{Name: "kubevitals_leader", Help: "Whether this process leads.", Type: metric.Gauge, Value: leads})
	emit(operator.Metric{
		Name: "kubevitals_lease_failures_total", Help: "Requests for the Lease of the leader election that failed.",
		Type: metric.Counter, Value: float64(failures),
	})
	return nil
}
