package engine

import (
	"io"
	"log/slog"
	"time"

	"k8s.io/client-go/rest"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/shard"
	"github.com/kubevitals/kubevitals/internal/source"
	"github.com/kubevitals/kubevitals/internal/store"
	"github.com/kubevitals/kubevitals/operator"
)

// Options say where objects come from: files, if there is any in From, or else
// the cluster of REST.
type Options struct {
	// From are files and folders; "-" is Stdin.
	From  []string
	Stdin io.Reader
	// REST is how to reach the cluster.
	REST *rest.Config
	// Scrape lists the cluster for each scrape instead of watching it, and serves
	// the last answer for as long as Cache says.
	Scrape bool
	Cache  time.Duration
	// APIServerCache makes these lists what the API server has in its cache.
	APIServerCache bool
	// Poll is how often a watched cluster is asked which kinds there are.
	Poll time.Duration
	// Namespaces are the only ones to read, or NamespacesDenylist those not to
	// read.
	Namespaces, NamespacesDenylist []string
	// Shard returns the part of the objects that an engine gives which is made now:
	// see [store.Options]. It may be nil, for all.
	Shard func() shard.Shard
	// Budget is how long the expressions of one metric may take for one object.
	Budget time.Duration
	// Changed is that of [store.Options]. It may be nil.
	Changed func()
	// Log is needed.
	Log *slog.Logger
}

// New returns how engines are made. It reads nothing yet.
func New(o Options) Builder {
	if len(o.From) > 0 {
		return o.files()
	}
	return o.cluster()
}

func (o *Options) store(set *rule.Set) *store.Store {
	opts := store.Options{Log: o.Log, Budget: o.Budget, Changed: o.Changed}
	if o.Shard != nil {
		opts.Shard = o.Shard()
	}
	return store.New(set, opts)
}

// files makes engines that read files.
func (o Options) files() Builder {
	var last *source.Files
	return func(set *rule.Set) (*Engine, error) {
		s := o.store(set)
		files := &source.Files{
			Paths: o.From, Stdin: o.Stdin, Set: set, Store: s, Log: o.Log,
			Namespaces: o.Namespaces, NamespacesDenylist: o.NamespacesDenylist,
		}
		if last != nil {
			files = last.With(set, s)
		}
		if err := files.Load(); err != nil {
			if last == nil && len(s.Status()) == 0 {
				return nil, err
			}
			o.Log.Error("Some objects cannot be read", "err", err)
		}
		last = files
		return &Engine{Set: set, Store: s, Run: files.Watch, Ready: AtOnce, Err: files.Err, Warning: files.Err}, nil
	}
}

// cluster makes engines that read a cluster.
func (o Options) cluster() Builder {
	var last *source.Cluster
	return func(set *rule.Set) (*Engine, error) {
		s := o.store(set)
		var cluster *source.Cluster
		var err error
		if last != nil {
			cluster = last.With(set, s)
		} else if cluster, err = source.NewCluster(source.ClusterConfig{
			REST: o.REST, Set: set, Store: s, Log: o.Log, Poll: o.Poll, Cache: o.Cache,
			Namespaces: o.Namespaces, NamespacesDenylist: o.NamespacesDenylist, APIServerCache: o.APIServerCache,
		}); err != nil {
			return nil, err
		}
		last = cluster
		e := &Engine{Set: set, Store: s, Err: cluster.Err, Collect: []operator.CollectorFunc{cluster.CollectRequests}}
		e.Run, e.Ready, e.Warning, e.Tried = cluster.Watch, cluster.Listed, cluster.Warning, cluster.Tried
		if o.Scrape {
			e.Before, e.Run, e.Ready = cluster.Scrape, cluster.Discover, cluster.Discovered
		}
		return e, nil
	}
}
