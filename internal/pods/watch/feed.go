package watch

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// feed keeps what the API server has of one query. It is the store of a reflector,
// and tells the watcher of every change.
type feed struct {
	query
	cache.Store
	watcher *Watcher
	client  rest.Interface

	mu sync.Mutex // guards what follows
	feedState
	logged time.Time // when the last failure was
	told   bool      // of a failure, and not yet that it is over
}

// feedState is how a feed is.
type feedState struct {
	synced  bool      // it has been listed
	contact time.Time // when the API server last answered
	err     error     // of the last request; nil if it was answered
	errors  int       // how many requests have failed
}

func newFeed(w *Watcher, client rest.Interface, q query) *feed {
	return &feed{query: q, Store: cache.NewStore(cache.MetaNamespaceKeyFunc), watcher: w, client: client}
}

// empty returns what a list is read into.
func (f *feed) empty() runtime.Object {
	if f.resource == "namespaces" {
		return &corev1.NamespaceList{}
	}
	return &corev1.PodList{}
}

func (f *feed) expected() runtime.Object {
	if f.resource == "namespaces" {
		return &corev1.Namespace{}
	}
	return &corev1.Pod{}
}

// run lists and watches until ctx ends.
func (f *feed) run(ctx context.Context) {
	reflector := cache.NewReflectorWithOptions(&cache.ListWatch{ListWithContextFunc: f.list, WatchFuncWithContext: f.watch},
		f.expected(), f, cache.ReflectorOptions{Name: "pods", TypeDescription: f.resource, Backoff: f.backoff()})
	backoff := f.backoff()
	for ctx.Err() == nil {
		began := time.Now()
		// What went wrong has been noted where it did.
		_ = reflector.ListAndWatchWithContext(ctx)
		if time.Since(began) > time.Minute {
			backoff = f.backoff()
		}
		select {
		case <-ctx.Done():
		case <-time.After(backoff.Step()):
		}
	}
}

func (f *feed) backoff() *wait.Backoff {
	return &wait.Backoff{Duration: f.watcher.retry, Factor: 2, Jitter: 0.5, Steps: 10, Cap: 20 * f.watcher.retry}
}

// state returns how the feed is.
func (f *feed) state() feedState {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.feedState
}

// note keeps whether a request was answered. One that was cut because ctx has ended
// says nothing.
func (f *feed) note(ctx context.Context, err error) {
	switch {
	case err == nil, apierrors.IsResourceExpired(err), apierrors.IsGone(err):
		f.heard() // if it has expired, the reflector lists anew
	case !errors.Is(ctx.Err(), context.Canceled):
		f.mu.Lock()
		defer f.mu.Unlock()
		f.err = err
		f.errors++
		f.report(err)
	}
}

// heard keeps that there was a sign of life.
func (f *feed) heard() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.contact, f.err = time.Now(), nil
	if f.told {
		f.told = false
		f.watcher.log.Info("The API server answers again", f.place()...)
	}
}

// report logs a failure, once per minute. The caller holds the lock.
func (f *feed) report(err error) {
	if time.Since(f.logged) < time.Minute {
		return
	}
	f.logged, f.told = time.Now(), true
	attrs := append(f.place(), slog.Any("err", err))
	if f.synced {
		f.watcher.log.Warn("Watching failed; what is known stays", attrs...)
	} else {
		f.watcher.log.Warn("Listing failed; nothing is known yet", attrs...)
	}
}

func (f *feed) place() []any {
	return []any{slog.String("resource", f.resource), slog.String("namespace", f.namespace)}
}

// Add takes an object that is new to the reflector.
func (f *feed) Add(obj any) error { return f.apply(f.Store.Add, obj) }

// Update takes a changed object.
func (f *feed) Update(obj any) error { return f.apply(f.Store.Update, obj) }

// Delete takes an object that is gone, or not selected any more.
func (f *feed) Delete(obj any) error { return f.apply(f.Store.Delete, obj) }

// apply changes the store, and then tells the watcher if that can make a
// difference. Any change is a sign of life.
func (f *feed) apply(change func(any) error, obj any) error {
	stripped := f.strip(obj)
	matters := f.matters(stripped)
	err := change(stripped)
	f.heard()
	if matters {
		f.watcher.changed()
	}
	return err
}

// matters reports whether more than the name of an object is known, or was.
func (f *feed) matters(stripped any) bool {
	if _, isName := stripped.(cache.ExplicitKey); !isName {
		return true
	}
	old, known, err := f.Get(stripped)
	_, wasName := old.(cache.ExplicitKey)
	return err != nil || known && !wasName
}

// Replace takes all objects. What is not among them is gone, seen or not.
func (f *feed) Replace(all []any, version string) error {
	for i := range all {
		all[i] = f.strip(all[i])
	}
	err := f.Store.Replace(all, version)
	f.mu.Lock()
	f.synced = f.synced || err == nil
	f.mu.Unlock()
	f.heard()
	f.watcher.changed()
	return err
}

// Resync has no meaning here.
func (f *feed) Resync() error { return nil }

// Bookmark is a sign of life.
func (f *feed) Bookmark(string) error {
	f.heard()
	return nil
}

// Transformer strips objects before the reflector gathers a streamed list.
func (f *feed) Transformer() cache.TransformFunc {
	return func(obj any) (any, error) { return f.strip(obj), nil }
}

// strip drops what is not needed of an object. Of a pod that is none to scrape, as
// most are, the name stays.
func (f *feed) strip(obj any) any {
	switch obj := obj.(type) {
	case *corev1.Pod:
		if !f.watcher.target.Matters(obj) {
			return cache.ExplicitKey(obj.Namespace + "/" + obj.Name)
		}
		return f.watcher.target.Strip(obj)
	case *corev1.Namespace:
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: obj.Name, ResourceVersion: obj.ResourceVersion}}
	}
	return obj
}
