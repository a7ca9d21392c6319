package otelreceiver

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/kubernetes/scheme"
)

// apiServer is as much of an API server as has Foos, which can be listed and
// watched, and a Lease.
type apiServer struct {
	*httptest.Server

	mu           sync.Mutex
	version      int
	foos         map[string]object     // by name
	events       []object              // from version 1 on
	wake         chan struct{}         // closed at every change
	lease        *coordinationv1.Lease // nil if there is none
	leaseVersion int
	lists        int
	down         bool
}

type object map[string]any

func newAPIServer(t testing.TB) *apiServer {
	a := &apiServer{foos: make(map[string]object), wake: make(chan struct{})}
	a.Server = httptest.NewServer(a)
	t.Cleanup(func() {
		a.CloseClientConnections()
		a.Close()
	})
	return a
}

// kubeconfig writes a file that leads to the server, by the context "here".
func (a *apiServer) kubeconfig(t testing.TB) string {
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: nowhere,
clusters: [{name: c, cluster: {server: "%s"}}, {name: d, cluster: {server: "http://127.0.0.1:1"}}],
users: [{name: u, user: {token: t}}],
contexts: [{name: here, context: {cluster: c, user: u}}, {name: nowhere, context: {cluster: d, user: u}}]}`, a.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// put adds or changes a Foo, and del deletes one.
func (a *apiServer) put(name string, size int) {
	a.change(name, object{"apiVersion": "a.io/v1", "kind": "Foo", "metadata": object{"namespace": "ns", "name": name}, "size": size})
}

func (a *apiServer) del(name string) { a.change(name, nil) }

func (a *apiServer) setDown(down bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.down = down
}

func (a *apiServer) change(name string, o object) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	typ, old := "MODIFIED", a.foos[name]
	switch {
	case o == nil:
		typ, o = "DELETED", object{"apiVersion": "a.io/v1", "kind": "Foo", "metadata": object{"namespace": "ns", "name": name}}
		delete(a.foos, name)
	case old == nil:
		typ = "ADDED"
		fallthrough
	default:
		a.foos[name] = o
	}
	o["metadata"].(object)["resourceVersion"] = strconv.Itoa(a.version)
	a.events = append(a.events, object{"type": typ, "object": o})
	close(a.wake)
	a.wake = make(chan struct{})
}

func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	down := a.down
	a.mu.Unlock()
	q := r.URL.Query()
	switch {
	case down:
		panic(http.ErrAbortHandler)
	case r.URL.Path == "/apis":
		w.Header().Set("Content-Type", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
		write(w, object{"apiVersion": "apidiscovery.k8s.io/v2", "kind": "APIGroupDiscoveryList", "items": []object{{
			"metadata": object{"name": "a.io"}, "versions": []object{{"version": "v1", "resources": []object{{
				"resource": "foos", "responseKind": object{"kind": "Foo"}, "scope": "Namespaced", "verbs": []string{"list", "watch"},
			}}}},
		}}})
	case r.URL.Path == "/apis/a.io/v1/foos" && q.Get("sendInitialEvents") != "":
		refuse(w, http.StatusUnprocessableEntity, "Invalid")
	case r.URL.Path == "/apis/a.io/v1/foos" && q.Get("watch") != "":
		a.watch(w, r)
	case r.URL.Path == "/apis/a.io/v1/foos":
		a.list(w)
	case strings.HasPrefix(r.URL.Path, "/apis/coordination.k8s.io/v1/namespaces/ns/leases"):
		a.leases(w, r)
	default:
		refuse(w, http.StatusForbidden, "Forbidden")
	}
}

func write(w http.ResponseWriter, o object) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	_ = json.NewEncoder(w).Encode(o)
}

func refuse(w http.ResponseWriter, code int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	write(w, object{"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": reason})
}

func (a *apiServer) list(w http.ResponseWriter) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lists++
	items := []object{}
	for _, o := range a.foos {
		items = append(items, o)
	}
	write(w, object{"apiVersion": "a.io/v1", "kind": "FooList", "metadata": object{"resourceVersion": strconv.Itoa(a.version)}, "items": items})
}

func (a *apiServer) watch(w http.ResponseWriter, r *http.Request) {
	from, err := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	if err != nil {
		refuse(w, http.StatusBadRequest, "BadRequest")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	for {
		a.mu.Lock()
		events, wake := a.events[min(from, len(a.events)):], a.wake
		for _, e := range events {
			write(w, e)
		}
		from = len(a.events)
		a.mu.Unlock()
		w.(http.Flusher).Flush()
		select {
		case <-wake:
		case <-r.Context().Done():
			return
		}
	}
}

func (a *apiServer) leases(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.Method == http.MethodGet && a.lease == nil {
		refuse(w, http.StatusNotFound, "NotFound")
		return
	}
	if r.Method != http.MethodGet {
		body, _ := io.ReadAll(r.Body)
		decoded, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
		lease, ok := decoded.(*coordinationv1.Lease)
		switch {
		case err != nil || !ok:
			refuse(w, http.StatusBadRequest, "BadRequest")
			return
		case a.lease != nil && lease.ResourceVersion != a.lease.ResourceVersion:
			refuse(w, http.StatusConflict, "Conflict")
			return
		}
		a.leaseVersion++
		lease.APIVersion, lease.Kind = "coordination.k8s.io/v1", "Lease"
		lease.ResourceVersion, lease.UID = strconv.Itoa(a.leaseVersion), "uid-of-the-lease"
		a.lease = lease
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(a.lease)
}

// in makes a configuration one for the server.
func (a *apiServer) in(t testing.TB, change func(*Config)) *Config {
	return quick(file{}, func(c *Config) {
		c.From, c.Kubeconfig, c.Context = nil, a.kubeconfig(t), "here"
		if change != nil {
			change(c)
		}
	})
}
