package otlp

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/kubevitals/kubevitals/internal/otlp/client"
	"github.com/kubevitals/kubevitals/internal/otlp/points"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

// SourceFunc takes a snapshot in a format. That of an Operator is its
// [operator.Operator.Snapshot]. The Pusher releases the snapshot.
type SourceFunc func(ctx context.Context, f exposition.Format) (*operator.Snapshot, error)

// Options configure a [Pusher]. Source and Client are needed.
type Options struct {
	// Source is what is pushed.
	Source SourceFunc
	// Client sends it. The Pusher does not close it.
	Client client.Client
	// Points say how it is built. The Pusher sets Watch, and the resource's
	// service.name, "kubevitals", if it has none.
	Points points.Options
	// Names, if it is not nil, returns how families are called, instead of
	// Points.Names. It is asked before each push: rules change.
	Names func() map[string]string
	// Instance, if it is not nil, returns the service.instance.id of a resource that
	// has none. It is asked before each push, as it may be known only then. It should
	// be the same for all replicas: with another instance, Prometheus has other
	// series.
	Instance func() string
	// Records asks for records instead of lines, which cost more, and have native
	// histograms and the times at which sums began to count.
	Records bool
	// Interval is how far apart two pushes are at most. The default is a minute.
	Interval time.Duration
	// MinInterval is how far apart two pushes are at least when much changes. The
	// default is 5 seconds.
	MinInterval time.Duration
	// Backoff is the pause after a failure, if the receiver does not say how long.
	// It doubles with each failure, up to 30 seconds. The default is 5 seconds.
	Backoff time.Duration
	// Leader, if it is not nil, returns a context that ends when this process is
	// not the leader any more, and whether it is one at all. Only the leader
	// pushes. It is asked before each request.
	Leader func() (term context.Context, leads bool)
	// MaxSeries is how many series are remembered, to end them when they are gone:
	// about 60 bytes each. The others just stop. The default is a million.
	MaxSeries int
	// Told, if it is not nil, is told after each push and each failure of one how
	// it is: nil, or why the receiver has not taken it. It is called by Run.
	Told func(err error)
	// Logger gets failures, of each kind once a minute. The default is
	// [slog.Default].
	Logger *slog.Logger
}

// Pusher pushes snapshots. [New] makes it. Run is called by one goroutine at a
// time, the other methods by any.
type Pusher struct {
	opts    Options
	log     *slog.Logger
	changed chan struct{}
	stats   stats

	// The others belong to Run.
	series    *tracker
	limit     int           // of a chunk, in bytes
	shortest  time.Duration // of all pauses after a failure
	backoff   time.Duration // of the next failure
	notBefore time.Time     // the receiver is left alone until then
	logged    map[string]time.Time
}

// The pause after a failure, if the receiver does not say how long: it doubles
// from the one to the other.
const (
	minBackoff = 5 * time.Second
	maxBackoff = 30 * time.Second
)

// leaderPoll is how often a process that is not the leader looks whether it is.
const leaderPoll = 100 * time.Millisecond

// New returns a Pusher that has not begun.
func New(opts Options) (*Pusher, error) {
	if opts.Source == nil || opts.Client == nil {
		return nil, errors.New("otlp: a Pusher needs a Source and a Client")
	}
	if opts.Interval <= 0 {
		opts.Interval = time.Minute
	}
	if opts.MinInterval <= 0 {
		opts.MinInterval = 5 * time.Second
	}
	if opts.MinInterval > opts.Interval {
		opts.MinInterval = opts.Interval
	}
	if opts.Backoff <= 0 {
		opts.Backoff = minBackoff
	}
	opts.Backoff = min(opts.Backoff, maxBackoff)
	if opts.MaxSeries <= 0 {
		opts.MaxSeries = 1_000_000
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.Told == nil {
		opts.Told = func(error) {}
	}
	if opts.Points.Resource.Get("service.name") == "" {
		opts.Points.Resource = opts.Points.Resource.With("service.name", "kubevitals")
	}
	p := &Pusher{
		opts: opts, log: opts.Logger, changed: make(chan struct{}, 1),
		series: newTracker(opts.MaxSeries), limit: opts.Points.Limit,
		shortest: opts.Backoff, backoff: opts.Backoff, logged: make(map[string]time.Time),
	}
	if p.limit <= 0 {
		p.limit = points.DefaultLimit
	}
	p.opts.Points.Watch = p.series.watch
	return p, nil
}

// Notify says that something has changed. It never waits; many calls are one.
func (p *Pusher) Notify() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// Run pushes until ctx is over. It is a [operator.TaskFunc]. It returns nil, or
// ctx's error.
func (p *Pusher) Run(ctx context.Context) error {
	for {
		term, leads := p.term(ctx)
		if !leads {
			if !sleep(ctx, leaderPoll) {
				return ctx.Err()
			}
			continue
		}
		p.lead(ctx, term)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// term returns the context of the leadership that the process has now.
func (p *Pusher) term(ctx context.Context) (context.Context, bool) {
	if p.opts.Leader == nil {
		return ctx, true
	}
	term, leads := p.opts.Leader()
	leads = leads && term.Err() == nil
	p.stats.update(func(s *numbers) { s.leads = leads })
	return term, leads
}

// lead pushes until ctx or the term is over.
func (p *Pusher) lead(ctx, term context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(term, cancel)()
	var began time.Time
	for p.wait(ctx, began) {
		began = time.Now()
		p.push(ctx, began)
	}
	p.term(ctx)
}

// wait waits until the next push is due: the first at once, others when the
// interval is over, or earlier when something changes. It reports false when ctx
// is over.
func (p *Pusher) wait(ctx context.Context, began time.Time) bool {
	due := began.Add(p.opts.Interval)
	changed := p.changed
	if began.IsZero() {
		due = time.Now()
	}
	for {
		timer := time.NewTimer(time.Until(later(due, p.notBefore)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return false
		case <-changed:
			timer.Stop()
			changed = nil // one is enough
			due = earlier(due, began.Add(p.opts.MinInterval))
		case <-timer.C:
			select { // what changes from now on is not in this push
			case <-p.changed:
			default:
			}
			return ctx.Err() == nil
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// sleep waits, and reports whether ctx is not over.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}

// push takes a snapshot and sends it.
func (p *Pusher) push(ctx context.Context, began time.Time) {
	format := exposition.OpenMetrics
	if p.opts.Records {
		format = exposition.Protobuf
	}
	x := &attempt{pusher: p, ctx: ctx, began: began, format: format, result: success}
	err := x.run()
	took := time.Since(began)
	if err == nil && x.taken == 0 {
		err = x.refusal // of all of it
	}
	switch {
	case ctx.Err() != nil, errors.Is(err, errDemoted):
		x.result = demoted
	case errors.Is(err, errSuperseded):
		x.result = superseded
	case err != nil:
		x.result = failed
	}
	p.stats.update(func(s *numbers) {
		s.pushes[x.result]++
		s.took = took
		if (x.result == success || x.result == partial) && x.taken > 0 {
			s.succeeded = time.Now()
		}
		s.series = p.series.count
	})
	switch x.result {
	case success, partial:
		if x.taken > 0 || x.refusal != nil { // else there was nothing to push
			p.opts.Told(x.refusal)
		}
	case failed:
		p.warn("Pushing metrics failed", "err", err)
		p.opts.Told(err)
	}
	if p.series.overflow {
		p.warn("More series than are remembered; the others are not ended when they are gone", "max", p.opts.MaxSeries)
	}
}

// warn logs a message, once a minute.
func (p *Pusher) warn(message string, args ...any) {
	now := time.Now()
	if last, ok := p.logged[message]; ok && now.Sub(last) < time.Minute {
		return
	}
	p.logged[message] = now
	p.log.Warn(message, args...) //nolint:sloglint // all callers give a constant
}

// errSuperseded ends a push for which there is no time any more.
var errSuperseded = errors.New("there is a newer snapshot")

// errDemoted ends a push when another process leads, or this one ends.
var errDemoted = errors.New("this process does not lead any more")
