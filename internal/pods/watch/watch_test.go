package watch

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/kubevitals/kubevitals/internal/pods/target"
	"github.com/kubevitals/kubevitals/internal/shard"
	"github.com/kubevitals/kubevitals/operator"
)

// servers runs a test with an API server that streams lists and one that does not.
func servers(t *testing.T, test func(*testing.T, *api)) {
	for _, streams := range []bool{false, true} {
		t.Run(fmt.Sprintf("streams=%t", streams), func(t *testing.T) {
			a := newAPI(t)
			a.streams = streams
			test(t, a)
		})
	}
}

func TestWatch(t *testing.T) {
	servers(t, func(t *testing.T, a *api) {
		a.put(pod("b", "two", "10.0.0.2"))
		a.put(pod("a", "one", "10.0.0.1"))
		a.put(with(pod("a", "none", "10.0.0.9"), func(p *corev1.Pod) { p.Annotations = nil }))
		w := start(t, a, Options{})
		expect(t, w, "a/one=10.0.0.1:80 b/two=10.0.0.2:80")
		a.put(pod("a", "zero", "10.0.0.3"))
		expect(t, w, "a/one=10.0.0.1:80 a/zero=10.0.0.3:80 b/two=10.0.0.2:80")
		a.del("a", "one")
		expect(t, w, "a/zero=10.0.0.3:80 b/two=10.0.0.2:80")
		if at := w.LastContact(); time.Since(at) > time.Minute {
			t.Errorf("last contact was at %s", at)
		}
	})
}

func TestNoPods(t *testing.T) {
	servers(t, func(t *testing.T, a *api) {
		w := start(t, a, Options{})
		expect(t, w, "")
	})
}

// TestBeforeRun is not ready, and asks for nothing.
func TestBeforeRun(t *testing.T) {
	a := newAPI(t)
	w := newWatcher(t, a, Options{})
	if err := w.Ready(t.Context()); err == nil || err.Error() != "pods have not been listed yet" {
		t.Error(err)
	}
	if len(w.Targets()) != 0 || !w.LastContact().IsZero() || len(a.asked()) != 0 {
		t.Error(w.Targets(), w.LastContact(), a.asked())
	}
}

// TestRecreatedPod has a pod that was deleted and made again under its name, as
// of a StatefulSet.
func TestRecreatedPod(t *testing.T) {
	servers(t, func(t *testing.T, a *api) {
		a.put(pod("a", "db-0", "10.0.0.1"))
		w := start(t, a, Options{})
		expect(t, w, "a/db-0=10.0.0.1:80")
		a.missDelete("a", "db-0")
		a.put(with(pod("a", "db-0", "10.0.0.2"), func(p *corev1.Pod) { p.UID = "another" }))
		expect(t, w, "a/db-0=10.0.0.2:80")
		if got := w.Targets(); got[0].UID != "another" || got[0].ID != "another/80/metrics" {
			t.Errorf("%+v", got)
		}
	})
}

// TestRequests sends what was selected to the API server.
func TestRequests(t *testing.T) {
	f := func(o Options, want ...string) {
		t.Helper()
		a := newAPI(t)
		w := start(t, a, o)
		expect(t, w, "")
		eventually(t, func() (string, bool) {
			got := a.asked()
			return cmp.Diff(want, got), slices.Equal(got, want)
		})
	}
	f(Options{}, "list pods labels= fields=status.phase=Running", "watch pods labels= fields=status.phase=Running")
	f(Options{NodeName: "n,1", FieldSelector: "metadata.name!=x", Selector: "app=web"},
		`list pods labels=app=web fields=metadata.name!=x,status.phase=Running,spec.nodeName=n\,1`,
		`watch pods labels=app=web fields=metadata.name!=x,status.phase=Running,spec.nodeName=n\,1`)
	f(Options{Namespaces: []string{"b", "a", "b"}},
		"list namespaces/a/pods labels= fields=status.phase=Running", "list namespaces/b/pods labels= fields=status.phase=Running",
		"watch namespaces/a/pods labels= fields=status.phase=Running", "watch namespaces/b/pods labels= fields=status.phase=Running")
	f(Options{NamespaceSelector: "team = blue"},
		"list namespaces labels=team=blue fields=", "list pods labels= fields=status.phase=Running",
		"watch namespaces labels=team=blue fields=", "watch pods labels= fields=status.phase=Running")
}

func TestNodeName(t *testing.T) {
	a := newAPI(t)
	a.put(pod("a", "here", "10.0.0.1"))
	a.put(with(pod("a", "there", "10.0.0.2"), func(p *corev1.Pod) { p.Spec.NodeName = "other" }))
	expect(t, start(t, a, Options{NodeName: "node"}), "a/here=10.0.0.1:80")
}

// TestNamespaces watches each namespace by itself: one that is refused costs the
// others nothing.
func TestNamespaces(t *testing.T) {
	servers(t, func(t *testing.T, a *api) {
		for _, n := range []string{"a", "b", "c"} {
			a.put(pod(n, "pod-"+n, "10.0.0."+fmt.Sprint(n[0])))
		}
		a.setDeny(func(path, _ string) int {
			if path != "namespaces/a/pods" {
				return 403
			}
			return 0
		})
		w := start(t, a, Options{Namespaces: []string{"b", "a"}})
		eventually(t, func() (string, bool) { return w.list(), w.list() == "a/pod-a=10.0.0.97:80" })
		expectError(t, w, `pods in namespace "b" have not been listed: the API server answers 403: pods is forbidden: User "me" cannot list; a Role must allow list and watch of pods`)
		if !w.LastContact().IsZero() {
			t.Error("one namespace has never been heard of")
		}
		a.setDeny(nil)
		expect(t, w, "a/pod-a=10.0.0.97:80 b/pod-b=10.0.0.98:80")
	})
}

func TestNamespaceSelector(t *testing.T) {
	servers(t, func(t *testing.T, a *api) {
		a.put(namespace("a", "team=blue"))
		a.put(namespace("b", "team=red"))
		a.put(namespace("c", "team=blue"))
		for i, n := range []string{"a", "b", "c"} {
			a.put(pod(n, "p", fmt.Sprintf("10.0.0.%d", i+1)))
		}
		w := start(t, a, Options{NamespaceSelector: "team=blue"})
		expect(t, w, "a/p=10.0.0.1:80 c/p=10.0.0.3:80")
		a.put(namespace("b", "team=blue"))
		expect(t, w, "a/p=10.0.0.1:80 b/p=10.0.0.2:80 c/p=10.0.0.3:80")
		a.put(namespace("a"))
		expect(t, w, "b/p=10.0.0.2:80 c/p=10.0.0.3:80")
		a.missDelete("", "c")
		expect(t, w, "b/p=10.0.0.2:80")
		only := start(t, a, Options{NamespaceSelector: "team=blue", Namespaces: []string{"b", "a"}})
		expect(t, only, "b/p=10.0.0.2:80")
	})
}

func TestNamespacesAreRefused(t *testing.T) {
	a := newAPI(t)
	a.put(pod("a", "p", "10.0.0.1"))
	a.setDeny(func(path, _ string) int {
		if path == "namespaces" {
			return 403
		}
		return 0
	})
	w := start(t, a, Options{NamespaceSelector: "team=blue"})
	expectError(t, w, "namespaces have not been listed: the API server answers 403")
	expectError(t, w, "a ClusterRole must allow list and watch of namespaces")
	if got := w.list(); got != "" {
		t.Errorf("without knowing the namespaces there are targets %s", got)
	}
}

// TestUnrelatedPods come and go without work.
func TestUnrelatedPods(t *testing.T) {
	f := &feed{query: query{resource: "pods"}, Store: cache.NewStore(cache.MetaNamespaceKeyFunc)}
	f.watcher = &Watcher{dirty: make(chan struct{}, 1)}
	other := with(pod("a", "p", "10.0.0.1"), func(p *corev1.Pod) { p.Annotations = nil })
	for i, step := range []struct {
		do    func(any) error
		obj   any
		dirty bool
	}{
		{f.Add, other, false},
		{f.Update, other, false},
		{f.Update, pod("a", "p", "10.0.0.1"), true},
		{f.Update, other, true},
		{f.Delete, other, false},
		{f.Add, pod("a", "p", "10.0.0.1"), true},
		{f.Delete, other, true},
		{f.Add, other, false},
		{f.Delete, other, false},
	} {
		if err := step.do(step.obj); err != nil {
			t.Error(err)
		}
		if got := len(f.watcher.dirty) > 0; got != step.dirty {
			t.Errorf("step %d: work to do: %t", i, got)
		}
		for len(f.watcher.dirty) > 0 {
			<-f.watcher.dirty
		}
	}
	if keys := f.ListKeys(); len(keys) != 0 {
		t.Errorf("left over: %v", keys)
	}
}

// TestBookmark has the API server say no more than that it is there.
func TestBookmark(t *testing.T) {
	servers(t, func(t *testing.T, a *api) {
		a.put(pod("a", "p", "10.0.0.1"))
		w := start(t, a, Options{})
		expect(t, w, "a/p=10.0.0.1:80")
		// The watch begins after the list, and is a sign of life itself.
		eventually(t, func() (string, bool) {
			asked := strings.Join(a.asked(), "\n")
			return asked, strings.Contains(asked, "watch pods")
		})
		for range 3 {
			before := w.LastContact()
			a.bookmark()
			eventually(t, func() (string, bool) {
				at := w.LastContact()
				return at.String(), at.After(before)
			})
		}
		expect(t, w, "a/p=10.0.0.1:80")
	})
}

// TestManyNamespacesAreRefused says a few of many things that are wrong.
func TestManyNamespacesAreRefused(t *testing.T) {
	a := newAPI(t)
	a.setDeny(func(string, string) int { return 403 })
	w := start(t, a, Options{Namespaces: []string{"a", "b", "c", "d", "e", "f"}})
	expectError(t, w, "\nand 3 more")
}

// TestGracePeriodEnds drops a pod when its grace period is over, without an event.
func TestGracePeriodEnds(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.put(pod("a", "stays", "10.0.0.1"))
	// The API has whole seconds.
	ends := time.Now().Truncate(time.Second).Add(2 * time.Second)
	a.put(with(pod("a", "ends", "10.0.0.2"), func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: ends} }))
	w := start(t, a, Options{})
	expect(t, w, "a/ends=10.0.0.2:80 a/stays=10.0.0.1:80")
	expect(t, w, "a/stays=10.0.0.1:80")
	if time.Now().Before(ends) {
		t.Error("it was dropped too early")
	}
}

// TestShutdownWhileDown ends promptly, though there is nobody to ask. What start
// cleans up waits for it.
func TestShutdownWhileDown(t *testing.T) {
	a := newAPI(t)
	a.Close()
	w := start(t, a, Options{})
	expectError(t, w, "pods have not been listed: the API server cannot be reached:")
}

// lines counts what is logged.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// TestLog says once that something is wrong, however often it is tried, and once
// that it is over.
func TestLog(t *testing.T) {
	servers(t, func(t *testing.T, a *api) {
		a.setDeny(func(string, string) int { return 403 })
		var log lines
		w := start(t, a, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		eventually(t, func() (string, bool) {
			n := w.pods[0].state().errors
			return fmt.Sprint(n), n > 4
		})
		a.setDeny(nil)
		expect(t, w, "")
		got := log.String()
		if strings.Count(got, "Listing failed; nothing is known yet") != 1 || strings.Count(got, "The API server answers again") != 1 || strings.Count(got, "\n") != 2 {
			t.Error(got)
		}
		if !strings.Contains(got, `resource=pods namespace="" err="pods is forbidden`) {
			t.Error(got)
		}
	})
}

func collected(t *testing.T, w *Watcher) map[string]float64 {
	t.Helper()
	out := make(map[string]float64)
	err := w.Collect(t.Context(), func(m operator.Metric) {
		name := m.Name
		for _, l := range m.Labels {
			if l.Value != "" {
				name += " " + l.Name + "=" + l.Value
			}
		}
		if _, twice := out[name]; twice {
			t.Errorf("%s is there twice", name)
		}
		out[name] = m.Value
	})
	if err != nil {
		t.Error(err)
	}
	return out
}

func TestCollect(t *testing.T) {
	a := newAPI(t)
	w := newWatcher(t, a, Options{})
	want := map[string]float64{
		"kubevitals_pods_targets state=active":             0,
		"kubevitals_pods_watch_up resource=pods":           0,
		"kubevitals_pods_watch_objects resource=pods":      0,
		"kubevitals_pods_watch_errors_total resource=pods": 0,
		"kubevitals_pods_targets state=address":            0,
		"kubevitals_pods_targets state=bad_annotation":     0,
		"kubevitals_pods_targets state=duplicate_endpoint": 0,
		"kubevitals_pods_targets state=loop":               0,
		"kubevitals_pods_targets state=port":               0,
		"kubevitals_pods_targets state=target_limit":       0,
	}
	if diff := cmp.Diff(want, collected(t, w)); diff != "" {
		t.Error(diff)
	}
	a.put(namespace("a"))
	a.put(pod("a", "one", "10.0.0.1"))
	a.put(pod("a", "two", "127.0.0.1"))
	w = start(t, a, Options{Namespaces: []string{"a"}, NamespaceSelector: "!x"})
	expect(t, w, "a/one=10.0.0.1:80 a/two=address")
	got := collected(t, w)
	for name, want := range map[string]float64{
		"kubevitals_pods_targets state=active": 1, "kubevitals_pods_targets state=address": 1, "kubevitals_pods_targets state=loop": 0,
		"kubevitals_pods_watch_up namespace=a resource=pods": 1, "kubevitals_pods_watch_up resource=namespaces": 1,
		"kubevitals_pods_watch_objects namespace=a resource=pods": 2, "kubevitals_pods_watch_objects resource=namespaces": 1,
	} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s is %v, want %v", name, value, want)
		}
	}
	if at := got["kubevitals_pods_watch_last_contact_timestamp_seconds namespace=a resource=pods"]; at < float64(time.Now().Unix()-60) {
		t.Errorf("last contact at %v", at)
	}
}

func TestPermissions(t *testing.T) {
	listWatch, core := []string{"list", "watch"}, []string{""}
	f := func(o Options, want ...Rule) {
		t.Helper()
		if diff := cmp.Diff(want, Permissions(o)); diff != "" {
			t.Error(diff)
		}
	}
	f(Options{}, Rule{core, []string{"pods"}, listWatch, ""})
	f(Options{Namespaces: []string{"b", "a"}, Selector: "a=b"}, Rule{core, []string{"pods"}, listWatch, "a"}, Rule{core, []string{"pods"}, listWatch, "b"})
	f(Options{NamespaceSelector: "a"}, Rule{core, []string{"pods"}, listWatch, ""}, Rule{core, []string{"namespaces"}, listWatch, ""})
	f(Options{Selector: "a in"})
}

// TestBadOptions are errors that say what is wrong.
func TestBadOptions(t *testing.T) {
	f := func(want string, o Options) {
		t.Helper()
		if _, err := New(&rest.Config{Host: "http://127.0.0.1:1"}, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	f(`namespace selector "a in": `, Options{NamespaceSelector: "a in"})
	f(`field selector "spec.nodeName": `, Options{FieldSelector: "spec.nodeName"})
	f(`namespace "": `, Options{Namespaces: []string{""}})
	f(`namespace "a/b": `, Options{Namespaces: []string{"a/b"}})
	f("-1s is negative", Options{StaleAfter: -time.Second})
	f("shard 2 of 2", Options{Target: target.Options{Shard: shard.Shard{Index: 2, Count: 2}}})
	if _, err := New(&rest.Config{Host: "://"}, Options{}); err == nil || !strings.Contains(err.Error(), "making a client") {
		t.Error(err)
	}
}
