package source

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/kubevitals/kubevitals/internal/store"
)

// Watch keeps the store up to date until ctx ends: it follows what the cluster
// serves and runs a reflector for each kind that the rules ask for. An
// unreachable cluster is tried again for ever.
func (c *Cluster) Watch(ctx context.Context) error {
	watchers := make(map[slot]*watcher)
	defer func() {
		for _, w := range watchers {
			w.stop()
		}
	}()
	crds := make(chan struct{})
	go func() {
		defer close(crds)
		c.watchCRDs(ctx)
	}()
	defer func() { <-crds }()

	var soon []time.Duration
	settled := false
	for {
		s, changed, err := c.discover(ctx)
		if err == nil && (changed || !settled) {
			wanted := len(c.Store.Wanted())
			settled = c.reconcile(ctx, watchers, s)
			c.noteReconciled(wanted)
		}
		pause := c.Poll
		switch {
		case err != nil:
			pause = min(time.Second, c.Poll)
		case !settled:
			pause = min(time.Second, c.Poll)
		case len(soon) > 0:
			pause, soon = soon[0], soon[1:]
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		case <-c.Store.WantedChanged():
			settled = false // as far as is known now
		case <-c.poke:
			// Discovery lags behind the CRD by a moment, and many may come at once.
			soon = []time.Duration{500 * time.Millisecond, 2 * time.Second, 5 * time.Second}
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
}

// reconcile makes the running watchers those of the targets. A kind whose best
// version has changed keeps its objects until it has been listed anew. It
// returns false while a kind is missing and not yet known to be gone.
func (c *Cluster) reconcile(ctx context.Context, watchers map[slot]*watcher, s served) (settled bool) {
	targets := c.targets(s)
	settled = true
	for slot, w := range watchers {
		if _, ok := targets[slot]; ok {
			w.missing = time.Time{}
			continue
		}
		if to, ok := moved(w.target, targets); ok && watchers[to] == nil {
			watchers[to] = w // it goes on there
			delete(watchers, slot)
			continue
		}
		if w.missing.IsZero() {
			w.missing = time.Now()
		}
		if !s.has(w.gvk) && !superseded(w.target, targets) && !c.gone(ctx, w.target, w.missing) {
			settled = false
			continue
		}
		c.Log.Info("Kind is not served any more, or not asked for", "kind", w.gvk.String())
		w.stop()
		w.kind.Remove()
		delete(watchers, slot)
	}
	for slot, t := range targets {
		w := watchers[slot]
		switch {
		case w == nil:
			w = &watcher{kind: c.Store.Kind(t.program)}
		case w.same(t):
			continue
		default:
			w.stop()
			w = &watcher{kind: w.kind}
		}
		w.cluster, w.target = c, t
		c.Log.Info("Watching kind", "kind", t.gvk.String())
		w.start(ctx)
		watchers[slot] = w
	}
	return settled
}

// wake makes Watch look at once what the cluster serves.
func (c *Cluster) wake() {
	select {
	case c.poke <- struct{}{}:
	default:
	}
}

// watcher reflects one kind into the store. It is the reflector's store and its
// source.
type watcher struct {
	target
	cluster *Cluster
	kind    *store.Kind
	cancel  context.CancelFunc
	done    chan struct{}
	began   time.Time // of the last list
	missing time.Time // in discovery, since then
}

func (w *watcher) start(ctx context.Context) {
	ctx, w.cancel = context.WithCancel(ctx)
	w.done = make(chan struct{})
	if !w.watchable {
		go func() {
			defer close(w.done)
			w.poll(ctx)
		}()
		return
	}
	reflector := cache.NewReflectorWithOptions(w.listWatch(), &unstructured.Unstructured{}, w, cache.ReflectorOptions{
		Name:            w.gvk.String(),
		TypeDescription: w.gvk.String(),
		Backoff:         &wait.Backoff{Duration: 500 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 10, Cap: 10 * time.Second},
	})
	go func() {
		defer close(w.done)
		reflector.RunWithContext(ctx)
	}()
}

func (w *watcher) stop() {
	w.cancel()
	<-w.done
}

func (w *watcher) listWatch() cache.ListerWatcher {
	client := w.client(w.cluster.objects)
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
			w.began = time.Now()
			w.selectors(&opts)
			list, err := client.List(ctx, opts)
			w.note(ctx, err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
			if opts.SendInitialEvents != nil {
				w.began = time.Now()
			}
			w.selectors(&opts)
			events, err := client.Watch(ctx, opts)
			if !noStreamingLists(opts, err) {
				w.note(ctx, err)
			}
			return events, err
		},
	}
}

// noStreamingLists reports whether a server, such as most before Kubernetes 1.34,
// has refused to stream a list. The reflector asks for a plain one then: nothing
// has failed.
func noStreamingLists(opts metav1.ListOptions, err error) bool {
	return opts.SendInitialEvents != nil && apierrors.IsInvalid(err)
}

// pollEvery is how often kinds are listed that cannot be watched.
const pollEvery = 30 * time.Second

// poll lists a kind that cannot be watched, such as those of metrics.k8s.io,
// again and again.
func (w *watcher) poll(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		w.began = time.Now()
		var opts metav1.ListOptions
		w.selectors(&opts)
		list, err := w.client(w.cluster.objects).List(ctx, opts)
		w.note(ctx, err)
		if err == nil {
			objects := make([]map[string]any, len(list.Items))
			for i := range list.Items {
				objects[i] = list.Items[i].Object
			}
			w.kind.Replace(w.program, objects, time.Since(w.began))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// note keeps whether a request was answered. A kind that is not found may have
// been uninstalled.
func (w *watcher) note(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil:
	case err == nil:
		w.kind.Contact()
	case apierrors.IsResourceExpired(err), apierrors.IsGone(err):
		// The reflector lists anew: the server has answered.
	default:
		w.kind.Fail(reasonOf(err), err)
		if apierrors.IsNotFound(err) {
			w.cluster.wake()
		}
	}
}

// Add takes an object that is new to the reflector.
func (w *watcher) Add(obj any) error {
	w.kind.Set(obj.(*unstructured.Unstructured).Object)
	return nil
}

// Update takes a changed object.
func (w *watcher) Update(obj any) error { return w.Add(obj) }

// Delete takes an object that is gone.
func (w *watcher) Delete(obj any) error {
	u := obj.(*unstructured.Unstructured)
	w.kind.Delete(u.GetNamespace(), u.GetName())
	return nil
}

// Replace takes the list of all objects.
func (w *watcher) Replace(list []any, _ string) error {
	objects := make([]map[string]any, len(list))
	for i, obj := range list {
		objects[i] = obj.(*unstructured.Unstructured).Object
	}
	w.kind.Replace(w.program, objects, time.Since(w.began))
	return nil
}

// Resync has no meaning here.
func (w *watcher) Resync() error { return nil }

// Bookmark is a sign of life.
func (w *watcher) Bookmark(string) error {
	w.kind.Contact()
	return nil
}

// Transformer drops what no rule reads and what is often half of an object, and
// all but the identity of what other shards serve, before the reflector gathers the
// whole list.
func (w *watcher) Transformer() cache.TransformFunc {
	uses := w.cluster.Store.Uses(w.program)
	return func(obj any) (any, error) {
		u, ok := obj.(*unstructured.Unstructured)
		switch {
		case !ok:
		case !uses(u.Object):
			u.Object = identityOf(u)
		case !w.cluster.needs.ManagedFields:
			unstructured.RemoveNestedField(u.Object, "metadata", "managedFields")
		}
		return obj, nil
	}
}

// identityOf returns an object without anything but what names it.
func identityOf(u *unstructured.Unstructured) map[string]any {
	metadata := make(map[string]any)
	for _, field := range []string{"namespace", "name", "uid", "resourceVersion"} {
		if value := text(u.Object, "metadata", field); value != "" {
			metadata[field] = value
		}
	}
	return map[string]any{"apiVersion": u.GetAPIVersion(), "kind": u.GetKind(), "metadata": metadata}
}

var crdResource = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// watchCRDs wakes Watch when a CustomResourceDefinition changes. Without the
// permission polling discovery has to do; it asks again from time to time.
func (c *Cluster) watchCRDs(ctx context.Context) {
	for told := false; ctx.Err() == nil; {
		pause := 5 * time.Second
		w, err := c.metadata.Resource(crdResource).Watch(ctx, metav1.ListOptions{AllowWatchBookmarks: true})
		switch {
		case err == nil:
			for event := range w.ResultChan() {
				if event.Type != watch.Bookmark {
					c.wake()
				}
			}
		case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err), apierrors.IsNotFound(err):
			if !told {
				c.Log.Info("CustomResourceDefinitions may not be watched: new kinds are found by polling", "every", c.Poll)
			}
			told, pause = true, 5*time.Minute
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}
