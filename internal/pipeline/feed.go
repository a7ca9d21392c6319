package pipeline

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

const (
	maxRequest = 30 * time.Second // what a request may take
	maxRetry   = 10               // how many times the first pause the longest may be
)

// reflect keeps the objects as the API server has them, until ctx ends.
func (w *Watcher) reflect(ctx context.Context) {
	source := plainList{&cache.ListWatch{ListWithContextFunc: w.list, WatchFuncWithContext: w.watch}}
	reflector := cache.NewReflectorWithOptions(source, &unstructured.Unstructured{}, feed{w}, cache.ReflectorOptions{
		Name: "metricpipelines", TypeDescription: "MetricPipelines", Backoff: w.backoff(),
	})
	backoff := w.backoff()
	for ctx.Err() == nil {
		began := time.Now()
		_ = reflector.ListAndWatchWithContext(ctx) // what went wrong has been noted where it did
		if time.Since(began) > time.Minute {
			backoff = w.backoff()
		}
		select {
		case <-ctx.Done():
		case <-time.After(backoff.Step()):
		}
	}
}

func (w *Watcher) backoff() *wait.Backoff {
	return &wait.Backoff{Duration: w.retry, Factor: 2, Jitter: 0.3, Steps: maxRetry, Cap: maxRetry * w.retry}
}

// plainList asks for lists that are not streamed: there are few objects.
type plainList struct{ *cache.ListWatch }

// IsWatchListSemanticsUnSupported is asked by reflectors.
func (plainList) IsWatchListSemanticsUnSupported() bool { return true }

// list lists in the version that is served, which may be another one than before.
func (w *Watcher) list(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
	w.mu.Lock()
	tried := append([]string{w.version}, versions...)
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, maxRequest)
	defer cancel()
	var missing error
	for _, version := range tried {
		if version == "" {
			continue
		}
		list, err := w.client.Resource(resourceOf(version)).List(ctx, opts)
		if apierrors.IsNotFound(err) {
			missing = err
			continue
		}
		if err == nil {
			w.mu.Lock()
			w.version = version
			w.mu.Unlock()
		}
		w.note(ctx, err)
		return list, err
	}
	w.absent()
	return nil, missing
}

// absent notes that MetricPipelines are not installed.
func (w *Watcher) absent() {
	w.mu.Lock()
	if !w.listed || w.version != "" {
		w.log.Info("MetricPipelines are not installed in this cluster; they are picked up when they are")
	}
	w.version, w.listed, w.err = "", true, nil
	clear(w.objects)
	w.mu.Unlock()
	w.poke()
}

func (w *Watcher) watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	client, _ := w.served()
	events, err := client.Watch(ctx, opts)
	if !apierrors.IsNotFound(err) { // the list says more
		w.note(ctx, err)
	}
	return events, err
}

// feed is what a reflector writes to.
type feed struct{ w *Watcher }

func (f feed) apply(change func(objects map[string]*unstructured.Unstructured)) error {
	f.w.mu.Lock()
	change(f.w.objects)
	f.w.mu.Unlock()
	f.w.poke()
	return nil
}

func stripped(obj any) *unstructured.Unstructured {
	u := obj.(*unstructured.Unstructured)
	unstructured.RemoveNestedField(u.Object, "metadata", "managedFields")
	return u
}

// Add takes a new object.
func (f feed) Add(obj any) error {
	return f.apply(func(objects map[string]*unstructured.Unstructured) {
		u := stripped(obj)
		objects[u.GetName()] = u
	})
}

// Update takes a changed object.
func (f feed) Update(obj any) error { return f.Add(obj) }

// Delete takes an object that is gone.
func (f feed) Delete(obj any) error {
	return f.apply(func(objects map[string]*unstructured.Unstructured) {
		delete(objects, obj.(*unstructured.Unstructured).GetName())
	})
}

// Replace takes the list of all.
func (f feed) Replace(list []any, _ string) error {
	return f.apply(func(objects map[string]*unstructured.Unstructured) {
		f.w.listed = true
		clear(objects)
		for _, obj := range list {
			u := stripped(obj)
			objects[u.GetName()] = u
		}
	})
}

// Resync has no meaning here.
func (f feed) Resync() error { return nil }
