package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/source"
	"github.com/kubevitals/kubevitals/internal/store"
	"github.com/kubevitals/kubevitals/operator"
)

// engine is a set of rules at work: a store, and where its objects come from.
// Other rules get an engine of their own, which takes over once it knows its
// objects.
type engine struct {
	set     *rule.Set
	store   *store.Store
	before  func(context.Context) // a scrape; may be nil
	run     operator.TaskFunc     // keeps the store up to date; may be nil
	ready   operator.CheckFunc
	err     func() error       // why the source does not answer
	warning func() error       // what it does not find out; may be nil
	tried   operator.CheckFunc // like ready, but an error is an answer; may be nil
	collect []operator.CollectorFunc
}

// builder makes an engine for a set of rules.
type builder func(set *rule.Set) (*engine, error)

// builder returns how engines are made, and what their objects are called.
func (f *stateFlags) builder(in io.Reader, log *slog.Logger) (builder, string, error) {
	if len(f.from) > 0 {
		return f.fromFiles(in, log), "Objects from files", nil
	}
	return f.fromCluster(log)
}

// newStore returns the store of an engine.
func (f *stateFlags) newStore(set *rule.Set, log *slog.Logger) *store.Store {
	return store.New(set, store.Options{Log: log, Budget: f.rules.budget})
}

// fromFiles makes engines that read files.
func (f *stateFlags) fromFiles(in io.Reader, log *slog.Logger) builder {
	var last *source.Files
	return func(set *rule.Set) (*engine, error) {
		s := f.newStore(set, log)
		files := &source.Files{
			Paths: f.from, Stdin: in, Set: set, Store: s, Log: log,
			Namespaces: f.namespaces, NamespacesDenylist: f.namespacesDenylist,
		}
		if last != nil {
			files = last.With(set, s)
		}
		if err := files.Load(); err != nil {
			if last == nil && len(s.Status()) == 0 {
				return nil, fmt.Errorf("--from: %w", err)
			}
			log.Error("Some objects cannot be read", "err", err)
		}
		last = files
		return &engine{set: set, store: s, run: files.Watch, ready: atOnce, err: files.Err, warning: files.Err}, nil
	}
}

// atOnce is the check of what is ready from its beginning.
func atOnce(context.Context) error { return nil }

// fromCluster makes engines that read a cluster.
func (f *stateFlags) fromCluster(log *slog.Logger) (builder, string, error) {
	if f.collect != "watch" && f.collect != "scrape" {
		return nil, "", fmt.Errorf("--collect %q: expected watch or scrape", f.collect)
	}
	if f.cache != 0 && f.collect != "scrape" {
		return nil, "", errors.New("--scrape-cache goes with --collect=scrape: a watched cluster is never stale")
	}
	if f.pollGiven && f.collect == "scrape" {
		return nil, "", errors.New("--discovery-interval goes with --collect=watch: each scrape asks which kinds there are")
	}
	config, err := f.cluster()
	switch {
	case errors.Is(err, source.ErrNoCluster):
		return nil, "", fmt.Errorf("%w: give --kubeconfig FILE, set KUBECONFIG, run in a pod, or read objects with --from FILE", err)
	case err != nil:
		return nil, "", err
	}
	var last *source.Cluster
	build := func(set *rule.Set) (*engine, error) {
		s := f.newStore(set, log)
		var cluster *source.Cluster
		var err error
		if last != nil {
			cluster = last.With(set, s)
		} else if cluster, err = source.NewCluster(source.ClusterConfig{
			REST: config, Set: set, Store: s, Log: log, Poll: f.poll, Cache: f.cache,
			Namespaces: f.namespaces, NamespacesDenylist: f.namespacesDenylist, APIServerCache: f.apiserverCache,
		}); err != nil {
			return nil, err
		}
		last = cluster
		e := &engine{set: set, store: s, err: cluster.Err, collect: []operator.CollectorFunc{cluster.CollectRequests}}
		e.run, e.ready, e.warning, e.tried = cluster.Watch, cluster.Listed, cluster.Warning, cluster.Tried
		if f.collect == "scrape" {
			e.before, e.run, e.ready = cluster.Scrape, cluster.Discover, cluster.Discovered
		}
		return e, nil
	}
	if f.collect == "scrape" {
		return build, "Objects of " + config.Host + ", listed during scrapes", nil
	}
	return build, "Objects of " + config.Host + ", watched", nil
}

// running is an engine whose source runs.
type running struct {
	*engine
	cancel context.CancelFunc
	ready  chan struct{} // closed when it is
	ended  chan error    // receives what run returns
}

// askReady is how often an engine that is to take over is asked whether it can.
const askReady = 100 * time.Millisecond

// maxWait is how long it is waited for kinds that answer with errors.
const maxWait = 15 * time.Second

func (e *engine) start(ctx context.Context) *running {
	ctx, cancel := context.WithCancel(ctx)
	r := &running{engine: e, cancel: cancel, ready: make(chan struct{}), ended: make(chan error, 1)}
	go func() {
		var err error
		if e.run != nil {
			err = e.run(ctx)
		}
		if err == nil {
			<-ctx.Done() // it has nothing more to do
		}
		r.ended <- err
	}()
	go func() {
		tick := time.NewTicker(askReady)
		defer tick.Stop()
		patience := time.After(maxWait)
		for e.ready(ctx) != nil {
			select {
			case <-ctx.Done():
				return
			case <-patience:
				if e.tried != nil && e.tried(ctx) == nil {
					close(r.ready)
					return
				}
				patience = time.After(maxWait)
			case <-tick.C:
			}
		}
		close(r.ready)
	}()
	return r
}

// stop ends the source and waits for it.
func (r *running) stop() {
	if r != nil {
		r.cancel()
		<-r.ended //nolint:errcheck // run ends because of stop: what it returns is nobody's business
	}
}
