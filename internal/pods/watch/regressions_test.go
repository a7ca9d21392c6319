package watch

// What a proxy for pods' metrics once did wrong.

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/rest"

	"github.com/kubevitals/kubevitals/internal/pods/target"
)

// TestRegression10FinishedPod has a pod that is done while another one gets its
// IP; when it is deleted that one stays. Also a server that does not know the
// field selector makes no difference.
func TestRegression10FinishedPod(t *testing.T) {
	servers(t, func(t *testing.T, a *api) {
		for _, ignore := range []bool{false, true} {
			a.ignoreFields = ignore
			a.put(pod("a", "job", "10.0.0.1"))
			w := start(t, a, Options{})
			expect(t, w, "a/job=10.0.0.1:80")
			a.put(with(pod("a", "job", "10.0.0.1"), func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }))
			expect(t, w, "")
			a.put(pod("b", "web", "10.0.0.1"))
			expect(t, w, "b/web=10.0.0.1:80")
			a.del("a", "job")
			a.put(pod("b", "later", "10.0.0.2"))
			expect(t, w, "b/later=10.0.0.2:80 b/web=10.0.0.1:80")
			a.del("b", "web")
			a.del("b", "later")
		}
	})
}

// TestRegression11MissedDelete has a pod deleted while the watch is broken and the
// version too old to go on from; its IP is another tenant's then.
func TestRegression11MissedDelete(t *testing.T) {
	servers(t, func(t *testing.T, a *api) {
		a.put(pod("a", "gone", "10.0.0.1"))
		a.put(pod("a", "stays", "10.0.0.2"))
		w := start(t, a, Options{})
		expect(t, w, "a/gone=10.0.0.1:80 a/stays=10.0.0.2:80")
		a.missDelete("a", "gone")
		expect(t, w, "a/stays=10.0.0.2:80")
		a.put(with(pod("b", "tenant", "10.0.0.1"), func(p *corev1.Pod) { p.Annotations = nil }))
		a.put(pod("c", "last", "10.0.0.3"))
		expect(t, w, "a/stays=10.0.0.2:80 c/last=10.0.0.3:80")
		a.missDelete("b", "tenant")
		a.put(with(pod("b", "tenant", "10.0.0.1"), func(p *corev1.Pod) { p.Annotations["prometheus.io/port"] = "1" }))
		expect(t, w, "a/stays=10.0.0.2:80 b/tenant=10.0.0.1:1 c/last=10.0.0.3:80")
		if err := w.pods[0].state().err; err != nil {
			t.Errorf("the watch counts as failed: %v", err)
		}
	})
}

// TestRegression12Changes has an annotation removed or set to false, an IP
// changed, and a label that is not selected any more.
func TestRegression12Changes(t *testing.T) {
	servers(t, func(t *testing.T, a *api) {
		a.put(pod("a", "p", "10.0.0.1", "app=web"))
		w := start(t, a, Options{Selector: "app=web"})
		expect(t, w, "a/p=10.0.0.1:80")
		a.put(pod("a", "p", "10.0.0.2", "app=web"))
		expect(t, w, "a/p=10.0.0.2:80")
		a.put(with(pod("a", "p", "10.0.0.2", "app=web"), func(p *corev1.Pod) { p.Annotations["prometheus.io/scrape"] = "false" }))
		expect(t, w, "")
		a.put(pod("a", "p", "10.0.0.2", "app=web"))
		expect(t, w, "a/p=10.0.0.2:80")
		a.put(with(pod("a", "p", "10.0.0.2", "app=web"), func(p *corev1.Pod) { p.Annotations = nil }))
		expect(t, w, "")
		a.put(pod("a", "p", "10.0.0.2", "app=web"))
		expect(t, w, "a/p=10.0.0.2:80")
		a.put(pod("a", "p", "10.0.0.2", "app=other"))
		expect(t, w, "")
	})
}

// TestRegression13Selectors asks the API server for exactly what was selected.
func TestRegression13Selectors(t *testing.T) {
	f := func(selector string) {
		t.Helper()
		want, err := labels.Parse(selector)
		if err != nil {
			t.Fatal(err)
		}
		a := newAPI(t)
		w := start(t, a, Options{Selector: selector})
		expect(t, w, "")
		for _, request := range a.asked() {
			_, sent, _ := strings.Cut(request, "labels=")
			sent, _, _ = strings.Cut(sent, " fields=")
			if got, err := labels.Parse(sent); err != nil || got.String() != want.String() {
				t.Errorf("%s: the API server is asked for %q", selector, sent)
			}
		}
	}
	f("")
	f("app=x")
	f("app==x,a=b")
	f("app=x,tier in (a,b)")
	f("!canary,app=x")
	f("app=x,app=y")
	f("app=x,env!=prod")
	f("app=x, env=b")
	f("app.kubernetes.io/name notin (a, b),x>3")
}

// TestRegression17OwnPod lists the own pod, and does not scrape it.
func TestRegression17OwnPod(t *testing.T) {
	a := newAPI(t)
	a.put(pod("a", "self", "10.0.0.1"))
	w := start(t, a, Options{Target: target.Options{SelfUID: "uid-self"}})
	expect(t, w, "a/self=loop")
}

// TestRegression23APIServer is not ready while the API server refuses or is away
// at the beginning, keeps what is known later, and says so when that is old.
func TestRegression23APIServer(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, a *api) {
		a.put(pod("a", "p", "10.0.0.1"))
		a.setDeny(func(string, string) int { return 403 })
		w := start(t, a, Options{StaleAfter: 1500 * time.Millisecond})
		expectError(t, w, `pods have not been listed: the API server answers 403: pods is forbidden: User "me" cannot list; a ClusterRole must allow list and watch of pods`)
		a.setDeny(func(string, string) int { return 401 })
		expectError(t, w, "the API server answers 401: ")
		a.setDeny(func(string, string) int { return 500 })
		expectError(t, w, "the API server answers 500: ")
		a.setDown(true)
		expectError(t, w, "the API server cannot be reached: ")
		a.setDown(false)
		a.setDeny(nil)
		expect(t, w, "a/p=10.0.0.1:80")

		for name, fail := range map[string]func(){
			"the API server answers 403: pods is forbidden": func() { a.setDeny(func(string, string) int { return 403 }) },
			"the API server cannot be reached":              func() { a.setDown(true) },
		} {
			fail()
			eventually(t, func() (string, bool) {
				up := collected(t, w)["kubevitals_pods_watch_up resource=pods"]
				return "up", up == 0
			})
			if err := w.Ready(t.Context()); err != nil && time.Since(w.LastContact()) < time.Second {
				t.Errorf("not ready at once: %v", err)
			}
			expectError(t, w, name)
			if got := w.list(); got != "a/p=10.0.0.1:80" {
				t.Errorf("what was known is lost: %s", got)
			}
			a.setDown(false)
			a.setDeny(nil)
			expect(t, w, "a/p=10.0.0.1:80")
		}
	})
}

// TestWatchIsRefused lists and may not watch: what is listed is served.
func TestWatchIsRefused(t *testing.T) {
	servers(t, func(t *testing.T, a *api) {
		a.setDeny(func(_, verb string) int {
			if verb == "watch" {
				return 403
			}
			return 0
		})
		w := start(t, a, Options{})
		expect(t, w, "")
		a.put(pod("a", "p", "10.0.0.1"))
		expect(t, w, "a/p=10.0.0.1:80")
		a.setDeny(nil)
		a.put(pod("a", "q", "10.0.0.2"))
		expect(t, w, "a/p=10.0.0.1:80 a/q=10.0.0.2:80")
	})
}

// TestQuietServer has no events and no bookmarks: watches that end in time keep
// what is known from counting as old.
func TestQuietServer(t *testing.T) {
	t.Parallel()
	const stale = 4 * time.Second
	a := newAPI(t)
	a.put(pod("a", "p", "10.0.0.1"))
	w := start(t, a, Options{StaleAfter: stale})
	expect(t, w, "a/p=10.0.0.1:80")
	first := w.LastContact()
	eventually(t, func() (string, bool) {
		if err := w.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		at := w.LastContact()
		return at.String(), at.Sub(first) > stale
	})
}

// TestRegression24BadSelector is an error that says what to write.
func TestRegression24BadSelector(t *testing.T) {
	for _, selector := range []string{"a in", "a=b=c", "=x", "a=b,,", "a b", "app=x&y", "-a=b", "a in (b"} {
		_, err := New(&rest.Config{Host: "http://127.0.0.1:1"}, Options{Selector: selector})
		if err == nil || !strings.Contains(err.Error(), "pod selector") || !strings.Contains(err.Error(), "app=web,tier in (a,b),!canary") {
			t.Errorf("%s: got %v", selector, err)
		}
	}
}
