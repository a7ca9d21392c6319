package cli_test

import (
	"encoding/pem"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/internal/cli"
	"github.com/kubevitals/kubevitals/internal/pods/target"
	"github.com/kubevitals/kubevitals/operator"
)

// certificate returns a CA and its certificate for example.com and 127.0.0.1, in
// PEM form.
func certificate(t *testing.T) (ca string) {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

func TestPodAuth(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, dir, "ca", certificate(t))
	write(t, dir, "token", "secret\n")
	write(t, dir, "auth.yaml", `
- namespaces: [shop, other]
  selector: app=web,tier in (a,b)
  tls: {ca: ca, serverName: example.com}
  bearerTokenFile: token
- namespaces: [shop]
  tls: {insecureSkipVerify: true}
- selector: app=none
  bearerTokenFile: token
`)
	var log lockedBuffer
	auth, err := cli.NewPodAuth("auth.yaml", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	of := func(namespace string, labels ...string) *target.Target {
		out := &target.Target{Namespace: namespace, PodLabels: map[string]string{}}
		for i := 1; i < len(labels); i += 2 {
			out.PodLabels[labels[i-1]] = labels[i]
		}
		return out
	}
	first := auth.Find(of("shop", "app", "web", "tier", "b"))
	if first == nil || first.TLS.ServerName != "example.com" || first.TLS.InsecureSkipVerify {
		t.Fatalf("the first entry does not match: %+v", first)
	}
	if token, err := first.Token(); token != "secret" || err != nil {
		t.Errorf("token %q, %v", token, err)
	}
	if got := auth.Find(of("other", "app", "web", "tier", "a")); got != first {
		t.Errorf("another namespace of the entry has %+v", got)
	}
	if got := auth.Find(of("shop", "app", "web")); got == nil || got == first || !got.TLS.InsecureSkipVerify || got.Token != nil {
		t.Errorf("the second entry does not match: %+v", got)
	}
	if got := auth.Find(of("x", "app", "none")); got == nil || got.TLS != nil {
		t.Errorf("the third entry does not match: %+v", got)
	}
	if got := auth.Find(of("x", "app", "web", "tier", "a")); got != nil {
		t.Errorf("no entry should match, but %+v", got)
	}

	refresh := func(wantLog string, wantCheck bool) {
		t.Helper()
		if err := auth.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
		if n := strings.Count(log.String(), wantLog); n != 1 {
			t.Errorf("%d times %q in the log:\n%s", n, wantLog, log.String())
		}
		if err := auth.Check(t.Context()); (err != nil) != wantCheck {
			t.Errorf("the check says %v", err)
		}
		up := -1.0
		if err := auth.Collect(t.Context(), func(m operator.Metric) { up = m.Value }); err != nil || (up == 0) != wantCheck {
			t.Errorf("kubevitals_pods_auth_up is %v, %v", up, err)
		}
	}
	if err := auth.Refresh(t.Context()); err != nil || log.String() != "" {
		t.Errorf("nothing has changed, but: %v\n%s", err, log.String())
	}
	write(t, dir, "ca", "-----")
	for range 2 { // it is said once
		refresh("has no certificate in PEM form", true)
	}
	if auth.Find(of("other", "app", "web", "tier", "a")) != first {
		t.Error("what is not valid is in use")
	}
	write(t, dir, "ca", certificate(t)+"\n")
	refresh("Changed files of --pod-auth are in use", false)
	if got := auth.Find(of("other", "app", "web", "tier", "a")); got == first || got.TLS == first.TLS {
		t.Error("the changed CA is not in use")
	}
}

// TestPodAuthFolder starts paths in the folder of the file, wherever the process is.
func TestPodAuthFolder(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "ca.pem", certificate(t))
	write(t, dir, "token", "secret")
	file := write(t, dir, "auth.yaml", "- {tls: {ca: ca.pem}, bearerTokenFile: ./token}\n")
	t.Chdir(t.TempDir())
	auth, err := cli.NewPodAuth(file, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	found := auth.Find(&target.Target{})
	if token, err := found.Token(); token != "secret" || err != nil || found.TLS.RootCAs == nil {
		t.Errorf("token %q, %v; TLS %+v", token, err, found.TLS)
	}
}

// TestPodsAuthenticate has one pod that wants a token over TLS, and one that
// would get it if it was sent in the clear.
func TestPodsAuthenticate(t *testing.T) {
	a := newPodsAPI(t)
	dir := t.TempDir()
	seen := make(chan string, 10)
	note := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header.Get("Authorization")
		says("a 1\n").ServeHTTP(w, r)
	})
	a.add(t, "shop", "clear", note)
	secure := httptest.NewUnstartedServer(note)
	ln, err := net.Listen("tcp", "127.77.9.9:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = secure.Listener.Close()
	secure.Listener = ln
	secure.StartTLS()
	t.Cleanup(secure.Close)
	_, port, _ := strings.Cut(ln.Addr().String(), ":")
	a.add(t, "shop", "secure", note, "prometheus.io/scheme", "https", "prometheus.io/port", port)
	a.pods[1].Status.PodIP, a.pods[1].Status.PodIPs = "127.77.9.9", nil
	ca := write(t, dir, "ca", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})))
	token := write(t, dir, "token", "secret")
	file := write(t, dir, "auth.yaml", "- {selector: app=web, tls: {ca: "+ca+", serverName: example.com}, bearerTokenFile: "+token+"}\n")
	s := servePods(t, a, "--pod-auth", file)
	_, body := s.get(t, "/metrics")
	for _, pod := range []string{"clear", "secure"} {
		if want := `up{k8s_pod_name="` + pod + `",k8s_namespace="shop"} 1`; !strings.Contains(body, want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
	got := map[string]bool{<-seen: true, <-seen: true}
	if !got[""] || !got["Bearer secret"] {
		t.Errorf("pods have seen %v", got)
	}
}

func TestOwnNamespace(t *testing.T) {
	dir := t.TempDir()
	if got, err := cli.OwnNamespace(write(t, dir, "good", "shop\n")); got != "shop" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	for _, file := range []string{write(t, dir, "bad", "A b"), dir + "/missing"} {
		if got, err := cli.OwnNamespace(file); err == nil {
			t.Errorf("%s gives %q", file, got)
		}
	}
}
