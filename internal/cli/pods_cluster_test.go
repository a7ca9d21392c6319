package cli_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// podsAPI is an API server that knows pods and nothing else, all of them running.
type podsAPI struct {
	url string

	mu      sync.Mutex
	pods    []corev1.Pod
	denied  bool
	queries []string // of lists
}

func newPodsAPI(t *testing.T) *podsAPI {
	t.Helper()
	a := &podsAPI{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/pods", a.serve)
	mux.HandleFunc("GET /api/v1/namespaces/{namespace}/pods", a.serve)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

func (a *podsAPI) serve(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	w.Header().Set("Content-Type", "application/json")
	a.mu.Lock()
	defer a.mu.Unlock()
	fail := func(code int, reason metav1.StatusReason) {
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Code: int32(code), Reason: reason, Message: string(reason),
		})
	}
	selector, err := labels.Parse(q.Get("labelSelector"))
	switch {
	case a.denied:
		fail(http.StatusForbidden, metav1.StatusReasonForbidden)
	case err != nil:
		fail(http.StatusBadRequest, metav1.StatusReasonBadRequest)
	case q.Get("sendInitialEvents") != "":
		fail(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid)
	case q.Get("watch") != "":
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		a.mu.Unlock()
		<-r.Context().Done()
		a.mu.Lock()
	default:
		a.queries = append(a.queries, r.URL.String())
		list := corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}, ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: []corev1.Pod{}}
		for _, p := range a.pods {
			if namespace := r.PathValue("namespace"); (namespace == "" || namespace == p.Namespace) && selector.Matches(labels.Set(p.Labels)) {
				list.Items = append(list.Items, p)
			}
		}
		_ = json.NewEncoder(w).Encode(list)
	}
}

// add adds a pod with the label app=web and an HTTP server at an address of its
// own, below 127.
func (a *podsAPI) add(t *testing.T, namespace, name string, h http.Handler, annotations ...string) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	ip := fmt.Sprintf("127.77.%d.%d", len(a.pods)/200, 1+len(a.pods)%200)
	ln, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	switch {
	case err != nil && runtime.GOOS == "linux":
		t.Fatalf("Linux has all of 127.0.0.0/8 on loopback: %v", err)
	case err != nil:
		t.Skipf("needs a second address on loopback: %v", err)
	}
	server := &httptest.Server{Listener: ln, Config: &http.Server{Handler: h}} //nolint:gosec // a test
	server.Start()
	t.Cleanup(server.Close)
	port := strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
	pod := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, UID: types.UID("uid-" + name), ResourceVersion: "1", Labels: map[string]string{"app": "web", "name": name},
			CreationTimestamp: metav1.NewTime(time.Now().Add(-time.Hour)),
			Annotations:       map[string]string{"prometheus.io/scrape": "true", "prometheus.io/port": port},
		},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}}},
	}
	for i := 1; i < len(annotations); i += 2 {
		pod.Annotations[annotations[i-1]] = annotations[i]
	}
	a.pods = append(a.pods, pod)
}

// kubeconfig writes a kubeconfig file for it.
func (a *podsAPI) kubeconfig(t *testing.T) string {
	t.Helper()
	return write(t, t.TempDir(), "config", fmt.Sprintf(`{"apiVersion": "v1", "kind": "Config", "current-context": "c",
		"contexts": [{"name": "c", "context": {"cluster": "c"}}], "clusters": [{"name": "c", "cluster": {"server": %q}}]}`, a.url))
}

// says answers with a text.
func says(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write([]byte(text))
	})
}
