package watch

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Run watches until ctx ends, and then returns nil. An API server that cannot be
// reached, or refuses, is asked again for ever; meanwhile the targets stay what
// they were.
func (w *Watcher) Run(ctx context.Context) error {
	var feeds sync.WaitGroup
	defer feeds.Wait()
	for _, f := range w.feeds() {
		feeds.Go(func() { f.run(ctx) })
	}
	for {
		// A pod whose grace period ends changes without an event.
		var ending <-chan time.Time
		began := time.Now()
		if next := w.rebuild(); !next.IsZero() {
			ending = time.After(time.Until(next) + time.Millisecond)
		}
		took := time.Since(began)
		select {
		case <-ctx.Done():
			return nil
		case <-ending:
			continue
		case <-w.dirty:
		}
		select { // more will come at once; and at most a tenth of a core is used
		case <-ctx.Done():
			return nil
		case <-time.After(max(w.coalesce, 9*took)):
		}
	}
}

// changed makes Run look at everything anew, soon.
func (w *Watcher) changed() {
	select {
	case w.dirty <- struct{}{}:
	default:
	}
}

// rebuild makes the snapshot of what is known now. It returns when the next pod's
// grace period ends; zero if none is being deleted.
func (w *Watcher) rebuild() (next time.Time) {
	select {
	case <-w.dirty: // it is cleaned now
	default:
	}
	complete := w.synced()
	var pods []*corev1.Pod
	for _, f := range w.pods {
		for _, obj := range f.List() {
			pod, ok := obj.(*corev1.Pod)
			if !ok || !w.selects(pod.Namespace) {
				continue
			}
			pods = append(pods, pod)
			if t := pod.DeletionTimestamp; t != nil && t.After(time.Now()) && (next.IsZero() || t.Time.Before(next)) {
				next = t.Time
			}
		}
	}
	w.snapshot.Store(&snapshot{targets: w.target.Assemble(pods), complete: complete})
	return next
}

// selects reports whether the pods of a namespace count.
func (w *Watcher) selects(namespace string) bool {
	if w.namespaces == nil {
		return true
	}
	_, ok, err := w.namespaces.GetByKey(namespace)
	return ok && err == nil
}

// synced reports whether everything has been listed at least once.
func (w *Watcher) synced() bool {
	for _, f := range w.feeds() {
		if !f.state().synced {
			return false
		}
	}
	return true
}
