package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// Watcher follows the MetricPipelines of a cluster, and the Secrets that they refer
// to. Its methods may be called at the same time, but Watch only once.
type Watcher struct {
	client  dynamic.Interface
	log     *slog.Logger
	secrets *secrets
	wake    chan struct{} // has room for one
	every   time.Duration // between two looks at Secrets
	retry   time.Duration // after the first failure

	mu      sync.Mutex // guards what follows
	version string     // that the cluster serves; empty while it is not known
	objects map[string]*unstructured.Unstructured
	listed  bool // or found not to be installed
	told    bool // changed has been called
	err     error
	logged  time.Time // when a failure last was

	status statuses
}

// NewWatcher returns a watcher of a cluster. It makes no request.
func NewWatcher(config *rest.Config, log *slog.Logger) (*Watcher, error) {
	client, err := newClient(config)
	if err != nil {
		return nil, err
	}
	return newWatcher(client, log), nil
}

func newWatcher(client dynamic.Interface, log *slog.Logger) *Watcher {
	w := &Watcher{
		client: client, log: log, wake: make(chan struct{}, 1), every: time.Minute, retry: time.Second,
		objects: make(map[string]*unstructured.Unstructured), status: newStatuses(),
	}
	w.secrets = newSecrets(client, log, w.poke)
	return w
}

func newClient(config *rest.Config) (dynamic.Interface, error) {
	c := rest.CopyConfig(config)
	c.Timeout = 0 // it would end watches
	client, err := dynamic.NewForConfig(c)
	if err != nil {
		return nil, fmt.Errorf("preparing the client: %w", err)
	}
	return client, nil
}

// poke asks for another look.
func (w *Watcher) poke() {
	select {
	case w.wake <- struct{}{}:
	default: // there will be one
	}
}

// Watch calls changed with all pipelines, sorted by name, once they are known and
// whenever one of them or of their Secrets has changed, until ctx ends. A cluster
// that has no MetricPipelines installed has none, until it has. changed must not
// change what it gets, and is called by one goroutine.
func (w *Watcher) Watch(ctx context.Context, changed func([]Pipeline)) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer w.secrets.stop()
	defer cancel()
	wg.Go(func() { w.reflect(ctx) })
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	var last []Pipeline
	var again <-chan time.Time
	for first := true; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			w.secrets.expireAll()
		case <-again:
		case <-w.wake:
		}
		all, known, failed := w.read(ctx)
		if again = nil; failed {
			again = time.After(5 * w.retry)
		}
		if !known || ctx.Err() != nil || !first && slices.EqualFunc(all, last, same) {
			continue
		}
		changed(all)
		last, first = all, false
		w.mu.Lock()
		w.told = true
		w.mu.Unlock()
	}
}

// read returns the pipelines as they are now, whether they are known at all, and
// whether a Secret is to be asked for again soon.
func (w *Watcher) read(ctx context.Context) (all []Pipeline, known, failed bool) {
	w.mu.Lock()
	objects := slices.SortedFunc(maps.Values(w.objects), func(a, b *unstructured.Unstructured) int {
		return cmp.Compare(a.GetName(), b.GetName())
	})
	known = w.listed
	w.mu.Unlock()
	session := w.secrets.begin(ctx)
	all = make([]Pipeline, 0, len(objects))
	for _, u := range objects {
		all = append(all, parseObject(u, session.get))
	}
	return all, known, session.end()
}

// parseObject reads an object of the cluster.
func parseObject(u *unstructured.Unstructured, get SecretFunc) Pipeline {
	name := u.GetName()
	d := &document{file: "metricpipeline " + name, secrets: get}
	var list rule.Diagnostics
	if !d.header(rule.NewReporter(d.file, &list), nodeOf(u.Object)) {
		return Pipeline{Name: name, Err: list.Err()}
	}
	return d.pipeline()
}

// same reports whether two pipelines say the same.
func same(a, b Pipeline) bool {
	if (a.Err == nil) != (b.Err == nil) || a.Err != nil && a.Err.Error() != b.Err.Error() {
		return false
	}
	a.Err, b.Err = nil, nil
	return reflect.DeepEqual(a, b)
}

// Synced reports why the pipelines are not known yet. Later trouble is logged, and
// what is known stays.
func (w *Watcher) Synced(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.told:
		return nil
	case w.err == nil:
		return errors.New("MetricPipelines have not been listed yet")
	}
	return fmt.Errorf("MetricPipelines cannot be read: %w", w.err)
}

// note keeps why a request for pipelines has failed; nil is for one that has not.
func (w *Watcher) note(ctx context.Context, err error) {
	if ctx.Err() != nil || apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return
	}
	if apierrors.IsForbidden(err) {
		err = fmt.Errorf("%w: a ClusterRole must allow get, list and watch of %s in %s", err, resource, group)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err == nil && w.err != nil:
		w.log.Info("MetricPipelines can be read again")
		w.logged = time.Time{}
	case err != nil && time.Since(w.logged) > time.Minute:
		w.log.Warn("MetricPipelines cannot be read, what is known stays", "err", err)
		w.logged = time.Now()
	}
	w.err = err
}

// served is the resource in the version that the cluster serves.
func (w *Watcher) served() (dynamic.NamespaceableResourceInterface, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.client.Resource(resourceOf(w.version)), w.version != ""
}

func resourceOf(version string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: group, Version: version, Resource: resource}
}
