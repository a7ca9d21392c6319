package watch

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// api is as much of an API server as lists and watches pods and namespaces.
type api struct {
	*httptest.Server
	streams      bool                            // lists, as newer servers do
	ignoreFields bool                            // field selectors have no effect
	deny         func(resource, verb string) int // with this status, unless it is 0
	mu           sync.Mutex
	version      int
	oldest       int // versions before are 410
	objects      map[string]metav1.Object
	events       []change
	wake         chan struct{} // closed at every change
	cut          chan struct{} // closed to end all watches
	down         bool
	requests     []string
}

type change struct {
	version  int
	old, new metav1.Object
}

func newAPI(t *testing.T) *api {
	a := &api{objects: make(map[string]metav1.Object), wake: make(chan struct{}), cut: make(chan struct{}), version: 1}
	a.Server = httptest.NewServer(a)
	t.Cleanup(func() {
		a.CloseClientConnections()
		a.Close()
	})
	return a
}

// key tells objects apart: pods have a namespace.
func key(o metav1.Object) string { return o.GetNamespace() + "/" + o.GetName() }

// put creates or changes an object; del deletes one.
func (a *api) put(o metav1.Object)               { a.change(key(o), o, false) }
func (a *api) del(namespace, name string)        { a.change(namespace+"/"+name, nil, false) }
func (a *api) bookmark()                         { a.change("", nil, false) }
func (a *api) missDelete(namespace, name string) { a.change(namespace+"/"+name, nil, true) }

func (a *api) change(key string, o metav1.Object, missed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	old := a.objects[key]
	if o == nil {
		delete(a.objects, key)
	} else {
		o.SetResourceVersion(strconv.Itoa(a.version))
		a.objects[key] = o
	}
	if missed { // nobody learns of it but by listing
		a.version++
		a.oldest = a.version
		a.events = nil
		a.cutLocked()
		return
	}
	a.events = append(a.events, change{a.version, old, o})
	close(a.wake)
	a.wake = make(chan struct{})
}

func (a *api) cutLocked() {
	close(a.cut)
	a.cut = make(chan struct{})
}

// setDown makes the server break every connection without an answer.
func (a *api) setDown(down bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.down = down
	if down {
		a.cutLocked()
	}
}

func (a *api) setDeny(deny func(resource, verb string) int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.deny = deny
	a.cutLocked()
}

// asked returns the different requests there have been, sorted.
func (a *api) asked() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Compact(slices.Sorted(slices.Values(a.requests)))
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	path := strings.TrimPrefix(r.URL.Path, "/api/v1/")
	resource, namespace := path, ""
	if rest, ok := strings.CutPrefix(path, "namespaces/"); ok {
		namespace, resource, _ = strings.Cut(rest, "/")
	}
	verb := "list"
	if q.Get("watch") != "" {
		verb = "watch"
	}
	a.mu.Lock()
	a.requests = append(a.requests, fmt.Sprintf("%s %s labels=%s fields=%s", verb, path, q.Get("labelSelector"), q.Get("fieldSelector")))
	down, status := a.down, 0
	if a.deny != nil {
		status = a.deny(path, verb)
	}
	a.mu.Unlock()
	s := scope{resource: resource, namespace: namespace}
	var err error
	if s.labels, err = labels.Parse(q.Get("labelSelector")); err == nil && !a.ignoreFields {
		s.fields, err = fields.ParseSelector(q.Get("fieldSelector"))
	}
	switch {
	case down:
		panic(http.ErrAbortHandler)
	case status != 0:
		answer(w, status, failure(status, resource+" is forbidden: User \"me\" cannot "+verb))
	case err != nil:
		answer(w, 400, failure(400, err.Error()))
	case verb == "list":
		a.list(w, s)
	case q.Get("sendInitialEvents") != "" && !a.streams:
		answer(w, 422, failure(422, "sendInitialEvents is forbidden"))
	default:
		from, _ := strconv.Atoi(q.Get("resourceVersion"))
		seconds, _ := strconv.Atoi(q.Get("timeoutSeconds"))
		a.watch(w, r, s, from, time.Duration(seconds)*time.Second, q.Get("sendInitialEvents") != "")
	}
}

func failure(code int, message string) *metav1.Status {
	reasons := map[int]metav1.StatusReason{400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 410: "Expired", 422: "Invalid", 500: "InternalError"}
	return &metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure", Code: int32(code), Reason: reasons[code], Message: message,
	}
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

// scope is what a request is about.
type scope struct {
	resource, namespace string
	labels              labels.Selector
	fields              fields.Selector
}

func (s scope) has(o metav1.Object) bool {
	if o == nil {
		return false
	}
	set := fields.Set{"metadata.name": o.GetName()}
	pod, isPod := o.(*corev1.Pod)
	if isPod {
		set["status.phase"], set["spec.nodeName"] = string(pod.Status.Phase), pod.Spec.NodeName
	}
	return isPod == (s.resource == "pods") && (s.namespace == "" || s.namespace == o.GetNamespace()) &&
		s.labels.Matches(labels.Set(o.GetLabels())) && (s.fields == nil || s.fields.Matches(set))
}

// all returns what is in the scope, and the version.
func (a *api) all(s scope) ([]metav1.Object, int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := slices.DeleteFunc(slices.Collect(maps.Values(a.objects)), func(o metav1.Object) bool { return !s.has(o) })
	slices.SortFunc(out, func(a, b metav1.Object) int { return cmp.Compare(key(a), key(b)) })
	return out, a.version
}

func (a *api) list(w http.ResponseWriter, s scope) {
	items, version := a.all(s)
	kind := map[string]string{"pods": "PodList", "namespaces": "NamespaceList"}[s.resource]
	answer(w, 200, map[string]any{
		"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"resourceVersion": strconv.Itoa(version)}, "items": items,
	})
}

func (a *api) watch(w http.ResponseWriter, r *http.Request, s scope, from int, timeout time.Duration, initial bool) {
	send := func(kind string, o any) {
		json.NewEncoder(w).Encode(map[string]any{"type": kind, "object": o})
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	a.mu.Lock()
	cut, gone := a.cut, from < a.oldest && !initial
	a.mu.Unlock()
	if gone {
		send("ERROR", failure(410, "too old resource version"))
		return
	}
	if initial {
		var items []metav1.Object
		items, from = a.all(s)
		for _, o := range items {
			send("ADDED", o)
		}
		send("BOOKMARK", bookmark(s.resource, from))
	}
	end := time.After(timeout)
	for {
		a.mu.Lock()
		for _, e := range a.events {
			if e.version <= from {
				continue
			}
			from = e.version
			switch was, is := s.has(e.old), s.has(e.new); {
			case e.old == nil && e.new == nil:
				send("BOOKMARK", bookmark(s.resource, from))
			case was && is:
				send("MODIFIED", e.new)
			case is:
				send("ADDED", e.new)
			case was:
				send("DELETED", e.old)
			}
		}
		wake := a.wake
		a.mu.Unlock()
		w.(http.Flusher).Flush()
		select {
		case <-wake:
		case <-cut:
			return
		case <-end:
			return
		case <-r.Context().Done():
			return
		}
	}
}

func bookmark(resource string, version int) any {
	kind := map[string]string{"pods": "Pod", "namespaces": "Namespace"}[resource]
	return map[string]any{"apiVersion": "v1", "kind": kind, "metadata": map[string]any{
		"resourceVersion": strconv.Itoa(version), "annotations": map[string]string{metav1.InitialEventsAnnotationKey: "true"},
	}}
}

// pod makes a running pod that is to be scraped; what is written as key=value is a
// label.
func pod(namespace, name, ip string, set ...string) *corev1.Pod {
	p := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: namespace, UID: types.UID("uid-" + name), Labels: make(map[string]string),
			Annotations: map[string]string{"prometheus.io/scrape": "true"},
		},
		Spec:   corev1.PodSpec{NodeName: "node", Containers: []corev1.Container{{Name: "app", Image: "image"}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: ip},
	}
	for _, s := range set {
		k, v, _ := strings.Cut(s, "=")
		p.Labels[k] = v
	}
	return p
}

func namespace(name string, set ...string) *corev1.Namespace {
	return &corev1.Namespace{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: pod("", "", "", set...).Labels},
	}
}

// with changes a pod.
func with(p *corev1.Pod, change func(*corev1.Pod)) *corev1.Pod {
	change(p)
	return p
}

// start makes a watcher of an API server and runs it until the test ends.
func start(t *testing.T, a *api, o Options) *Watcher {
	t.Helper()
	w := newWatcher(t, a, o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(3 * time.Second):
			t.Error("Run did not end in time")
		}
	})
	return w
}

func newWatcher(t *testing.T, a *api, o Options) *Watcher {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	w, err := New(&rest.Config{Host: a.URL}, o)
	if err != nil {
		t.Fatal(err)
	}
	w.retry, w.coalesce = 5*time.Millisecond, time.Millisecond
	return w
}

// eventually waits for something to become true.
func eventually(t *testing.T, what func() (got string, ok bool)) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		got, ok := what()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("it did not happen in time; last: %s", got)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// list writes targets as NAMESPACE/POD=IP:PORT, or with their problem.
func (w *Watcher) list() string {
	var out []string
	for _, t := range w.Targets() {
		s := t.Namespace + "/" + t.Pod + "="
		if t.Problem != "" {
			s += t.Problem
		} else {
			s += fmt.Sprintf("%s:%d", t.IP, t.Port)
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

// expect waits for the watcher to have the targets, and to be ready.
func expect(t *testing.T, w *Watcher, want string) {
	t.Helper()
	eventually(t, func() (string, bool) {
		err := w.Ready(t.Context())
		got := w.list()
		return fmt.Sprintf("%s, ready: %v; want %s", got, err, want), got == want && err == nil
	})
}

// expectError waits until the watcher is not ready, for what is said.
func expectError(t *testing.T, w *Watcher, want string) {
	t.Helper()
	eventually(t, func() (string, bool) {
		err := w.Ready(t.Context())
		return fmt.Sprintf("ready: %v; want %s", err, want), err != nil && strings.Contains(err.Error(), want)
	})
}
