package kubeauth

import (
	"encoding/pem"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mounted is a pod's ServiceAccount folder for an API server.
func mounted(t *testing.T, server *httptest.Server) string {
	t.Helper()
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", host)
	t.Setenv("KUBERNETES_SERVICE_PORT", port)
	folder := t.TempDir()
	writeFile(t, filepath.Join(folder, "token"), []byte("one\n"))
	writeFile(t, filepath.Join(folder, "ca.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	return folder
}

func TestInCluster(t *testing.T) {
	var tokens []string
	api := newFakeAPI(t)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tokens = append(tokens, r.Header.Get("Authorization"))
		api.ServeHTTP(w, r)
	}))
	defer server.Close()
	folder := mounted(t, server)
	client, host, err := inCluster(folder)
	if err != nil {
		t.Fatal(err)
	}
	transport := client.Transport.(*accountTransport).transport.get()
	defer transport.CloseIdleConnections()
	if transport.Proxy != nil {
		t.Error("the API server is reached through a proxy")
	}
	wantEqual(t, "host", host, server.URL)
	var log logBuffer
	a, err := New(Config{Client: client, Host: host, Logger: log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, "good", get(a, "good"), 200)
	writeFile(t, filepath.Join(folder, "token"), []byte("two")) // rotated
	wantCode(t, "other", get(a, "other"), 403)
	wantSlice(t, "tokens", tokens, "Bearer one", "Bearer one", "Bearer two", "Bearer two")
	writeFile(t, filepath.Join(folder, "token"), nil)
	wantCode(t, "empty token", get(a, "new"), 503)
	wantError(t, "log", errorString(log.String()), "token is empty")

	writeFile(t, filepath.Join(folder, "token"), []byte("three"))
	for _, other := range []string{"https://example.test", strings.Replace(host, "https", "http", 1)} {
		resp, err := client.Post(other, "", strings.NewReader("x"))
		if err == nil {
			resp.Body.Close()
		}
		wantError(t, other, err, "the token is for "+host+" only")
	}
}

type errorString string

func (e errorString) Error() string { return string(e) }

func TestInClusterFollowsNoRedirect(t *testing.T) {
	server := httptest.NewTLSServer(http.RedirectHandler("/other", http.StatusTemporaryRedirect))
	defer server.Close()
	client, host, err := inCluster(mounted(t, server))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Get(host)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	wantEqual(t, "status", resp.StatusCode, http.StatusTemporaryRedirect)
}

// TestInClusterTrust demands that no authority but the mounted one counts.
func TestInClusterTrust(t *testing.T) {
	server := httptest.NewUnstartedServer(newFakeAPI(t))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.StartTLS()
	defer server.Close()
	folder := mounted(t, server)
	writeFile(t, filepath.Join(folder, "ca.crt"), newPair(t, "other", nil).certPEM)
	client, host, err := inCluster(folder)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Get(host)
	if err == nil {
		resp.Body.Close()
	}
	wantError(t, "API server of another authority", err, "certificate")
}

func TestInClusterFails(t *testing.T) {
	server := httptest.NewTLSServer(newFakeAPI(t))
	defer server.Close()
	folder := mounted(t, server)
	f := func(what, part string) {
		t.Helper()
		_, _, err := inCluster(folder)
		wantError(t, what, err, part)
	}
	writeFile(t, filepath.Join(folder, "ca.crt"), []byte("broken"))
	f("broken CA", "ca.crt: there is no certificate")
	if err := os.Remove(filepath.Join(folder, "token")); err != nil {
		t.Fatal(err)
	}
	f("no token", "automountServiceAccountToken")
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	f("no pod", "not a pod")
	_, err := New(Config{})
	wantError(t, "New", err, "kubeauth: ", "not a pod")
}
