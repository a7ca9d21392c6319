package pods

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kubevitals/kubevitals/internal/pods/aggregate"
	"github.com/kubevitals/kubevitals/internal/pods/fetch"
	"github.com/kubevitals/kubevitals/internal/pods/merge"
	"github.com/kubevitals/kubevitals/internal/pods/relabel"
	"github.com/kubevitals/kubevitals/internal/pods/scan"
	"github.com/kubevitals/kubevitals/internal/pods/target"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

// Options say what is scraped, and what becomes of it.
type Options struct {
	// Targets returns what to scrape now, in the order of the exposition. It
	// must not be nil.
	Targets func() []target.Target
	// Client makes the requests. It must not be nil.
	Client *fetch.Client
	// Auth returns how to prove to a target who asks; nil proves nothing.
	Auth func(*target.Target) *fetch.Auth
	// Timeout is the most that the requests of a scrape may take, however long
	// the scraper is ready to wait. It must be more than 0.
	Timeout time.Duration
	// Limits are those of every target; pods can only lower them.
	Limits Limits
	// Fallback is the format of answers that do not say which they have; "" is
	// an error for all but those without any Content-Type, which are text.
	Fallback string
	// Collision is what becomes of labels of pods that are called as those of
	// their target.
	Collision merge.Collision
	// StripTimestamps leaves out the timestamps of samples.
	StripTimestamps bool
	// DropInvalidLines leaves out lines that are not valid, instead of all of
	// their target.
	DropInvalidLines bool
	// Reports adds the scrape_* series of each target to its up.
	Reports bool
	// Filter leaves out whole families; nil keeps all.
	Filter *relabel.Filter
	// Relabel changes samples after they got the labels of their target; nil
	// changes none.
	Relabel *relabel.Relabeler
	// Aggregate combines the samples of all targets; nil combines none.
	Aggregate *aggregate.Aggregator
	// Log is told of targets whose state changes. It must not be nil.
	Log *slog.Logger
}

// Limits bound what one target may send. 0 is no limit. All but Families are
// those of Prometheus' configuration.
type Limits struct {
	Families, Samples, Labels, LabelNameLength, LabelValueLength, NativeHistogramBuckets int
}

// Pods is a part of an exposition that has the metrics of pods. Make it with
// [New].
type Pods struct {
	opts Options
	cpu  chan struct{} // held by those who compute

	merging [numFormats]sync.Mutex
	mergers [numFormats]merge.Merger

	aggregating sync.Mutex // held while samples are combined

	mu          sync.Mutex
	states      map[string]*state // of targets, by their ids
	counts      counts
	toldRefused time.Time   // when it was logged last that samples are not combined
	merged      merge.Stats // of the last scrape

	untyped     map[string]bool // families without their type, when it was logged
	toldUntyped time.Time       // when that was
}

const numFormats = 3

// state is what is known of a target from scrapes before. It is guarded by
// Pods.mu, but for memory.
type state struct {
	size    int // of the last body
	spare   *scan.Exposition
	memory  [numFormats]scan.Memory
	last    Status
	hangs   bool      // it was asked the last time, and did not answer in time
	logged  string    // the reason that was logged last
	told    time.Time // when
	touched time.Time
}

// New returns a part.
func New(opts Options) *Pods {
	p := &Pods{opts: opts, cpu: make(chan struct{}, runtime.GOMAXPROCS(0)), states: make(map[string]*state)}
	p.counts.failures = make(map[string]uint64)
	for _, reason := range reasons {
		p.counts.failures[reason] = 0
	}
	return p
}

// Families returns nil: pods decide which families there are.
func (p *Pods) Families() []string { return nil }

// Gather scrapes all targets and returns what they gave in the format, with what
// there is to say about each.
func (p *Pods) Gather(ctx context.Context, format exposition.Format) ([]exposition.Rendered, error) {
	p.opts.Client.Generation()
	targets := p.opts.Targets()
	results := p.scrapeAll(ctx, format, targets)
	operator.Cleanup(ctx, func() { p.release(results) })
	p.note(results)

	sources := make([]merge.Source, 0, len(results))
	for _, r := range results {
		if r.err == nil && r.body != nil {
			sources = append(sources, merge.Source{Body: r.body, Labels: r.target.Labels, Labelled: r.labelled})
		}
	}
	p.merging[format].Lock()
	defer p.merging[format].Unlock()
	out, stats := p.mergers[format].Families(sources, merge.Options{
		Format: format, Collision: p.opts.Collision, StripTimestamps: p.opts.StripTimestamps,
		Reserved: Reserved, Keep: p.keeps(), Panicked: p.panicked,
	})
	p.keepStats(stats)
	// Names belong to who comes first: pods are last.
	return slices.Concat(p.report(format, results), p.aggregated(format, results), out), nil
}

// keeps returns which families are exposed.
func (p *Pods) keeps() func(string) bool {
	filter, combined := p.opts.Filter, p.opts.Aggregate
	if filter == nil && combined == nil {
		return nil
	}
	return func(name string) bool {
		return (filter == nil || filter.Keeps(name)) && (combined == nil || !p.combines(name))
	}
}

// prefix is that of the metrics of Kubevitals itself.
const prefix = "kubevitals_"

// Reserved reports whether pods may not have a family of this name.
func Reserved(name string) bool {
	return name == "up" || strings.HasPrefix(name, "scrape_") || strings.HasPrefix(name, prefix)
}

// scrapeAll scrapes the targets at once. Results are in the order of the targets.
// Those that hung the last time come after the others: there are only so many turns,
// and hundreds of them would leave none.
func (p *Pods) scrapeAll(ctx context.Context, format exposition.Format, targets []target.Target) []*result {
	ctx, cancel := context.WithTimeout(ctx, p.opts.Timeout)
	defer cancel()
	results := make([]*result, len(targets))
	var wg, others sync.WaitGroup
	var hung []*result
	for i := range targets {
		results[i] = &result{target: &targets[i]}
		if targets[i].Problem != "" {
			results[i].fail(targets[i].Problem, detail(targets[i].Detail))
			continue
		}
		var hangs bool
		if results[i].state, hangs = p.state(targets[i].ID); hangs {
			hung = append(hung, results[i])
			continue
		}
		others.Go(func() { p.scrape(ctx, format, results[i]) })
	}
	if len(hung) > 0 {
		waitSome(ctx, &others)
	}
	for _, r := range hung {
		wg.Go(func() { p.scrape(ctx, format, r) })
	}
	others.Wait()
	wg.Wait()
	return results
}

// waitSome waits, but not for longer than a fifth of the time there is.
func waitSome(ctx context.Context, wg *sync.WaitGroup) {
	end, _ := ctx.Deadline()
	timer := time.NewTimer(time.Until(end) / 5)
	defer timer.Stop()
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-timer.C:
	}
}

// release gives back the memory of a scrape.
func (p *Pods) release(results []*result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range results {
		if r.scanned != nil {
			r.scanned.Rest()
			r.state.spare, r.scanned = r.scanned, nil
		}
		r.raw.Release()
		r.claim.Release()
	}
}

// exposition returns memory for a scan. It is what the last scan of the target
// has left: of another target it would be of another size.
func (p *Pods) exposition(s *state) *scan.Exposition {
	p.mu.Lock()
	defer p.mu.Unlock()
	if x := s.spare; x != nil {
		s.spare = nil
		return x
	}
	return new(scan.Exposition)
}

// state returns what is known of a target, and whether it hung the last time.
func (p *Pods) state(id string) (s *state, hangs bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s = p.states[id]; s == nil {
		s = &state{touched: time.Now()}
		p.states[id] = s
	}
	return s, s.hangs
}

// note keeps what a scrape has shown of each target, and forgets targets that
// are gone.
func (p *Pods) note(results []*result) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range results {
		s := p.states[r.target.ID]
		if s == nil {
			s = new(state)
			p.states[r.target.ID] = s
		}
		s.touched = now
		s.last = r.status(now)
		if !errors.Is(r.err, fetch.ErrTurn) { // who had no turn is as before
			s.hangs = r.reason == fetch.ReasonTimeout
		}
		if r.body != nil {
			s.size = int(r.size)
		}
		p.counts.add(r)
		p.tell(s, r, now)
	}
	for id, s := range p.states {
		if now.Sub(s.touched) > forgetAfter {
			delete(p.states, id)
		}
	}
}

// panicked logs a panic while samples were written.
func (p *Pods) panicked(value any) {
	p.opts.Log.Error("Writing samples of a target panicked; they are missing", "panic", fmt.Sprintf("%.200v", value), "stack", string(debug.Stack()))
}

// forgetAfter is how long a target is known that was not scraped.
const forgetAfter = 10 * time.Minute

// logInterval is how far apart two log lines about one target, or about the types
// of families, are at least.
const logInterval = time.Minute

// tell logs that the state of a target has changed, but not more often than once
// in a while: pods decide about it. The caller holds the mutex.
func (p *Pods) tell(s *state, r *result, now time.Time) {
	if s.logged == r.reason || now.Sub(s.told) < logInterval {
		return
	}
	s.told = now
	t := r.target
	attrs := []any{"namespace", t.Namespace, "pod", t.Pod, "port", t.Port}
	switch {
	case r.err != nil:
		attrs = append(attrs, "reason", r.reason, "err", r.err)
		var bug *panicError
		if errors.As(r.err, &bug) {
			attrs = append(attrs, "stack", string(bug.stack))
		}
		p.opts.Log.Warn("Target cannot be scraped", attrs...)
	case s.logged != "":
		p.opts.Log.Info("Target can be scraped again", append(attrs, "was", s.logged)...)
	}
	s.logged = r.reason
}

// keepStats keeps what a merge had to say, and logs that further families have
// lost their type, but not more often than once in a while.
func (p *Pods) keepStats(stats merge.Stats) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.merged = stats
	first := slices.IndexFunc(stats.Untyped, func(name string) bool { return !p.untyped[name] })
	if first < 0 || now.Sub(p.toldUntyped) < logInterval {
		return
	}
	p.opts.Log.Warn("Families have lost their type: pods have samples of their names, or of one of their series, that do not fit into them",
		"families", len(stats.Untyped), "one", fmt.Sprintf("%.200q", stats.Untyped[first]))
	p.toldUntyped = now
	p.untyped = make(map[string]bool, len(stats.Untyped))
	for _, name := range stats.Untyped {
		p.untyped[name] = true
	}
}

// Statuses returns the targets of the moment with what the last scrape has shown
// of them.
func (p *Pods) Statuses() []Status {
	targets := p.opts.Targets()
	out := make([]Status, len(targets))
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range targets {
		if s := p.states[targets[i].ID]; s != nil {
			out[i] = s.last
		}
		out[i].Target = targets[i]
		out[i].Reason = cmp.Or(out[i].Reason, targets[i].Problem)
		out[i].Detail = cmp.Or(out[i].Detail, targets[i].Detail)
	}
	return out
}
