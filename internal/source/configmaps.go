package source

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/kubevitals/kubevitals/internal/store"
)

// ConfigMap is a ConfigMap that holds rules.
type ConfigMap struct {
	Namespace, Name string
	// Data has the rule files by their keys.
	Data map[string]string
	// Created is when it was made, as the API server writes it.
	Created string

	uid, version string
}

// String returns namespace/name.
func (c ConfigMap) String() string { return c.Namespace + "/" + c.Name }

// ConfigMaps follows the ConfigMaps of a label selector.
type ConfigMaps struct {
	Selector   string
	Namespaces []string // none for all
	Log        *slog.Logger

	client dynamic.Interface

	tell   sync.Mutex // changed is called by one at a time, with what is newest
	mu     sync.Mutex
	known  map[string]map[string]ConfigMap // by namespace that is watched, by namespace/name
	synced map[string]bool
	failed map[string]error // by namespace
	silent bool             // events may not be written
}

var (
	configMapResource = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	eventResource     = schema.GroupVersionResource{Version: "v1", Resource: "events"}
)

// NewConfigMaps returns the ConfigMaps of a cluster. It makes no request.
func NewConfigMaps(config *rest.Config, selector string, namespaces []string, log *slog.Logger) (*ConfigMaps, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("preparing the client: %w", err)
	}
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	return &ConfigMaps{
		Selector: selector, Namespaces: namespaces, Log: log, client: client,
		known: make(map[string]map[string]ConfigMap), synced: make(map[string]bool), failed: make(map[string]error),
	}, nil
}

// Watch calls changed with all ConfigMaps, in order, once they have been listed
// and whenever one changes, until ctx ends.
func (c *ConfigMaps) Watch(ctx context.Context, changed func([]ConfigMap)) error {
	var wg sync.WaitGroup
	for _, namespace := range c.Namespaces {
		w := &configMapWatcher{all: c, namespace: namespace, changed: changed}
		reflector := cache.NewReflectorWithOptions(w.listWatch(), &unstructured.Unstructured{}, w, cache.ReflectorOptions{
			Name: "rules", TypeDescription: "ConfigMaps with rules",
		})
		wg.Go(func() { reflector.RunWithContext(ctx) })
	}
	wg.Wait()
	return nil
}

// Synced reports why the ConfigMaps are not known yet.
func (c *ConfigMaps) Synced(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, namespace := range slices.Sorted(maps.Keys(c.failed)) {
		return fmt.Errorf("ConfigMaps with rules cannot be read: %w", c.failed[namespace])
	}
	if len(c.synced) < len(c.Namespaces) {
		return errors.New("ConfigMaps with rules have not been listed yet")
	}
	return nil
}

// Record writes an Event on a ConfigMap.
func (c *ConfigMaps) Record(ctx context.Context, on ConfigMap, warning bool, reason, message string) {
	const longest = 1024 // the API server takes no longer ones
	if len(message) > longest {
		message = strings.ToValidUTF8(message[:longest-len("…")], "") + "…"
	}
	kind := "Normal"
	if warning {
		kind = "Warning"
	}
	now := time.Now().UTC().Format(time.RFC3339)
	event := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Event",
		"metadata": map[string]any{"generateName": on.Name + ".", "namespace": on.Namespace},
		"involvedObject": map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "namespace": on.Namespace, "name": on.Name,
			"uid": on.uid, "resourceVersion": on.version,
		},
		"reason": reason, "message": message, "type": kind, "count": int64(1),
		"firstTimestamp": now, "lastTimestamp": now,
		"source": map[string]any{"component": "kubevitals"}, "reportingComponent": "kubevitals",
	}}
	_, err := c.client.Resource(eventResource).Namespace(on.Namespace).Create(ctx, event, metav1.CreateOptions{})
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && ctx.Err() == nil && (!apierrors.IsForbidden(err) || !c.silent) {
		c.Log.Warn("An Event on a ConfigMap cannot be written", "configmap", on.String(), "err", err)
	}
	c.silent = c.silent || apierrors.IsForbidden(err)
}

// configMapWatcher reflects the ConfigMaps of one namespace, or of all.
type configMapWatcher struct {
	all       *ConfigMaps
	namespace string
	changed   func([]ConfigMap)
}

func (w *configMapWatcher) listWatch() cache.ListerWatcher {
	client := w.all.client.Resource(configMapResource).Namespace(w.namespace)
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
			opts.LabelSelector = w.all.Selector
			list, err := client.List(ctx, opts)
			w.note(ctx, err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
			opts.LabelSelector = w.all.Selector
			events, err := client.Watch(ctx, opts)
			if !noStreamingLists(opts, err) {
				w.note(ctx, err)
			}
			return events, err
		},
	}
}

// note keeps why a request has failed, and logs a new reason.
func (w *configMapWatcher) note(ctx context.Context, err error) {
	if ctx.Err() != nil || apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return
	}
	c := w.all
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.failed[w.namespace]
	if err == nil {
		// One that was refused is known only when its list has been taken in.
		if before != nil && reasonOf(before) != store.ReasonForbidden {
			delete(c.failed, w.namespace)
		}
		return
	}
	if before == nil || reasonOf(before) != reasonOf(err) {
		c.Log.Warn("ConfigMaps with rules cannot be read", "namespace", w.namespace, "err", err)
	}
	c.failed[w.namespace] = err
	if reasonOf(err) == store.ReasonForbidden && !c.synced[w.namespace] {
		// The other namespaces are not to wait for it.
		c.synced[w.namespace] = true
		go w.update(func(map[string]ConfigMap) {})
	}
}

// update applies a change and tells about it, once all are known.
func (w *configMapWatcher) update(apply func(known map[string]ConfigMap)) {
	c := w.all
	c.tell.Lock()
	defer c.tell.Unlock()
	c.mu.Lock()
	if c.known[w.namespace] == nil {
		c.known[w.namespace] = make(map[string]ConfigMap)
	}
	apply(c.known[w.namespace])
	synced := len(c.synced) == len(c.Namespaces)
	all := make(map[string]ConfigMap)
	for _, some := range c.known {
		maps.Copy(all, some)
	}
	c.mu.Unlock()
	if !synced {
		return
	}
	out := make([]ConfigMap, 0, len(all))
	for _, key := range slices.Sorted(maps.Keys(all)) {
		out = append(out, all[key])
	}
	w.changed(out)
}

func configMapOf(obj any) ConfigMap {
	u := obj.(*unstructured.Unstructured)
	data, _, _ := unstructured.NestedStringMap(u.Object, "data")
	return ConfigMap{Namespace: u.GetNamespace(), Name: u.GetName(), Data: data,
		Created: u.GetCreationTimestamp().UTC().Format(time.RFC3339), uid: string(u.GetUID()), version: u.GetResourceVersion()}
}

// Add takes a new ConfigMap.
func (w *configMapWatcher) Add(obj any) error {
	cm := configMapOf(obj)
	w.update(func(known map[string]ConfigMap) { known[cm.String()] = cm })
	return nil
}

// Update takes a changed ConfigMap.
func (w *configMapWatcher) Update(obj any) error { return w.Add(obj) }

// Delete takes a ConfigMap that is gone.
func (w *configMapWatcher) Delete(obj any) error {
	w.update(func(known map[string]ConfigMap) { delete(known, configMapOf(obj).String()) })
	return nil
}

// Replace takes the list of all.
func (w *configMapWatcher) Replace(list []any, _ string) error {
	w.all.mu.Lock()
	w.all.synced[w.namespace] = true
	w.all.mu.Unlock()
	w.update(func(known map[string]ConfigMap) {
		clear(known)
		for _, obj := range list {
			cm := configMapOf(obj)
			known[cm.String()] = cm
		}
	})
	w.all.mu.Lock()
	defer w.all.mu.Unlock()
	delete(w.all.failed, w.namespace)
	return nil
}

// Resync has no meaning here.
func (w *configMapWatcher) Resync() error { return nil }
