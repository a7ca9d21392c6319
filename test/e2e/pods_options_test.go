package e2e

import (
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/test/podtest"
	"github.com/kubevitals/kubevitals/test/promtest"
)

// TestPodsOptions tests what becomes of samples by flags.
func TestPodsOptions(t *testing.T) {
	const space = "pods-options"
	body := "# TYPE requests_total counter\nrequests_total{code=\"200\"} %d\n# TYPE debug gauge\ndebug 1\nimpostor{k8s_pod_name=\"other\"} 1\nstamped 1 1700000000000\n%s"
	createPods(t, space,
		pod{name: "one", node: "node-1", labels: map[string]string{"team": "a"}, server: podtest.Start(t, podtest.Body(fmt.Sprintf(body, 1, "")))},
		pod{name: "two", node: "node-2", server: podtest.Start(t, podtest.Body(fmt.Sprintf(body, 2, "bad{ 1\n")))})
	rules := writeFile(t, "rules.yaml", "- source_labels: [code]\n  regex: \"(.)..\"\n  target_label: class\n  replacement: ${1}xx\n- regex: code\n  action: labeldrop\n")
	series := func(name, pod, labels, value string) string {
		return fmt.Sprintf("\n%s{k8s_pod_name=%q,k8s_namespace=%q%s} %s\n", name, pod, space, labels, value)
	}
	for _, c := range []struct {
		name       string
		args       []string
		want, gone []string
	}{
		{"defaults", nil, []string{
			series("requests_total", "one", `,code="200"`, "1"), series("up", "two", "", "0"),
			series("impostor", "one", `,exported_k8s_pod_name="other"`, "1"), series("stamped", "one", "", "1 1700000000000"),
		}, []string{`requests_total{k8s_pod_name="two"`}},
		{"invalid lines", []string{"--invalid-lines=drop"}, []string{series("requests_total", "two", `,code="200"`, "2"), series("up", "two", "", "1")}, nil},
		{"families", []string{"--allow=re*,debug", "--deny=debug"}, []string{series("requests_total", "one", `,code="200"`, "1")}, []string{"\ndebug{", "\nimpostor{"}},
		{"relabelling", []string{"--metric-relabel-configs", rules}, []string{`class="2xx"`}, []string{"code="}},
		{"collisions", []string{"--label-collisions=honor"}, []string{fmt.Sprintf("\nimpostor{k8s_namespace=%q,k8s_pod_name=\"other\"} 1\n", space)}, nil},
		{"timestamps", []string{"--honor-timestamps=false"}, []string{series("stamped", "one", "", "1")}, nil},
		{"labels", []string{"--target-label=team=label:team", "--target-label=node=node", "--pod-name-label=pod", "--namespace-label=namespace"}, []string{
			fmt.Sprintf("\ndebug{pod=\"one\",namespace=%q,team=\"a\",node=\"node-1\"} 1\n", space),
			fmt.Sprintf("\nup{pod=\"two\",namespace=%q,node=\"node-2\"} 0\n", space),
		}, []string{"{k8s_"}},
		{"sums", []string{"--aggregate=requests_total=sum", "--invalid-lines=drop"}, []string{"\nrequests_total{code=\"200\"} 3\n"}, []string{"requests_total{k8s_pod_name"}},
		{"no reports", []string{"--scrape-reports=false"}, []string{series("up", "one", "", "1")}, []string{"scrape_"}},
		{"target limit", []string{"--target-limit=1"}, []string{`reason="target_limit"} 1`}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := podProxy(t, space, c.args...)
			text := "\n" + podLines(scrape(t, p))
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("there is no %q in:\n%s", want, text)
				}
			}
			for _, gone := range c.gone {
				if strings.Contains(text, gone) {
					t.Errorf("there is %q in:\n%s", gone, text)
				}
			}
			stored(t, p, promtest.OpenMetrics)
		})
	}
}

// podLines returns the samples of an exposition that are not of kubevitals itself.
func podLines(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if line[0] != '#' && !strings.HasPrefix(line, "kubevitals_") {
			out.WriteString(line)
		}
	}
	return out.String()
}

// TestPodsAuth tests that pods are asked with the certificates and tokens that the
// operator of the proxy has given for them, and nobody else gets these: not a pod
// that another rule is for, nor one that only says so, nor one without TLS.
func TestPodsAuth(t *testing.T) {
	const space, token = "pods-auth", "a-secret-token"
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		podtest.Body("a 1\n").ServeHTTP(w, r)
	})
	secure := startTLS(t, handler)
	plain := podtest.Start(t, podtest.Body("a 1\n"))
	other := startTLS(t, handler)
	https := func(server *httptest.Server) map[string]string {
		_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
		return map[string]string{"prometheus.io/scheme": "https", "prometheus.io/port": port}
	}
	ip := func(server *httptest.Server) string {
		host, _, _ := net.SplitHostPort(server.Listener.Addr().String())
		return host
	}
	createPods(t, space,
		pod{name: "secure", ip: ip(secure), annotations: https(secure), labels: map[string]string{"auth": "yes"}},
		pod{name: "plain", server: plain, labels: map[string]string{"auth": "yes"}},
		pod{name: "other", ip: ip(other), annotations: https(other)})
	ca := writeFile(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})))
	file := writeFile(t, "auth.yaml", fmt.Sprintf(`- namespaces: [%s]
  selector: auth=yes
  tls: {ca: %q, serverName: example.com}
  bearerTokenFile: %q
`, space, ca, writeFile(t, "token", token)))
	p := podProxy(t, space, "--pod-auth", file)
	got := stored(t, p, promtest.Text)
	if got[ofPod(t, space, "secure", "a")] != 1 || got[podUp(t, space, "plain")] != 1 || got[podUp(t, space, "other")] != 0 {
		t.Errorf("up is %v", ups(got))
	}
	if series := ofPod(t, space, "other", `scrape_error{reason="tls"}`); got[series] != 1 {
		t.Errorf("%s is %v", series, got[series])
	}
	if h := plain.Header().Get("Authorization"); h != "" {
		t.Errorf("a token went over plain HTTP: %q", h)
	}
	if strings.Contains(p.Output.String(), token) {
		t.Error("the token is in the log")
	}
}

// startTLS starts a pod with a certificate for example.com.
func startTLS(t *testing.T, handler http.Handler) *httptest.Server {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", podtest.NextIP().String()+":0")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	_ = server.Listener.Close()
	server.Listener = listener
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}
