package cli

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/kubevitals/kubevitals/internal/engine"
	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/shard"
	"github.com/kubevitals/kubevitals/internal/source"
)

// builder returns how engines are made, and what their objects are called.
func (f *stateFlags) builder(in io.Reader, part func() shard.Shard, log *slog.Logger) (engine.Builder, string, error) {
	opts := engine.Options{
		From: f.from, Stdin: in, Scrape: f.collect == "scrape", Cache: f.cache, APIServerCache: f.apiserverCache, Poll: f.poll,
		Namespaces: f.namespaces, NamespacesDenylist: f.namespacesDenylist, Shard: part, Budget: f.rules.budget, Log: log,
	}
	if f.collect != "scrape" || len(f.from) > 0 {
		opts.Changed = f.changed.tell // else a push, which lists, would lead to another
	}
	if len(f.from) > 0 {
		build := engine.New(opts)
		return func(set *rule.Set) (*engine.Engine, error) {
			e, err := build(set)
			if err != nil {
				return nil, fmt.Errorf("--from: %w", err)
			}
			return e, nil
		}, "Objects from files", nil
	}
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
	opts.REST = config
	if f.collect == "scrape" {
		return engine.New(opts), "Objects of " + config.Host + ", listed during scrapes", nil
	}
	return engine.New(opts), "Objects of " + config.Host + ", watched", nil
}
