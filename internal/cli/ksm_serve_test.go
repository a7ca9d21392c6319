package cli_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const crsFoo = `kind: CustomResourceStateMetrics
spec:
  resources:
  - groupVersionKind: {group: myteam.io, version: v1, kind: Foo}
    labelsFromPath: {name: [metadata, name]}
    metrics:
    - name: uptime
      each: {type: Gauge, gauge: {path: [status, uptime]}}
`

const foo = `apiVersion: myteam.io/v1
kind: Foo
metadata: {name: foo}
status: {uptime: 43.21}
`

const fooSample = `kube_customresource_uptime{customresource_group="myteam.io",customresource_kind="Foo",customresource_version="v1",name="foo"} 43.21` + "\n"

var servers = regexp.MustCompile(`(?s) url=(https?://127\.0\.0\.1:\d+).* telemetry=(https?://127\.0\.0\.1:\d+)`)

// onFreePorts are the flags for two servers that tests can find.
var onFreePorts = []string{"--host", "127.0.0.1", "--port", "0", "--telemetry-host", "127.0.0.1", "--telemetry-port", "0"}

// serveAs starts the program under a name, by a link, and waits until it says
// where its two servers listen.
func serveAs(t *testing.T, program string, args ...string) (main, telemetry *server) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), program)
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	main = &server{output: &lockedBuffer{}, cmd: exec.Command(link, append(args, onFreePorts...)...)}
	main.cmd.Env = append(os.Environ(), "KUBEVITALS_TEST_MAIN=1", "GOMEMLIMIT=1GiB")
	main.cmd.Stdout, main.cmd.Stderr = main.output, main.output
	if err := main.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = main.cmd.Process.Kill()
		_ = main.cmd.Wait()
	})
	telemetry = &server{cmd: main.cmd, output: main.output}
	poll(t, "the addresses in "+program, func() bool {
		m := servers.FindStringSubmatch(main.output.String())
		if m != nil {
			main.url, telemetry.url = m[1], m[2]
		}
		return m != nil
	})
	return main, telemetry
}

// fooFiles writes an object and a rule file for it.
func fooFiles(t *testing.T) (object, rules string) {
	t.Helper()
	dir := t.TempDir()
	return write(t, dir, "foo.yaml", foo), write(t, dir, "crs.yaml", crsFoo)
}

// TestKSMServers: the main server has the families of the rules and nothing
// else, the other one the rest.
func TestKSMServers(t *testing.T) {
	object, rules := fooFiles(t)
	args := []string{"--from", object, "--custom-resource-state-config-file", rules, "--custom-resource-state-only", "--pprof", "--auto-gomemlimit"}
	for program, args := range map[string][]string{"kube-state-metrics": args, "kubevitals": append([]string{"state"}, args...)} {
		t.Run(program, func(t *testing.T) {
			main, telemetry := serveAs(t, program, args...)
			if _, body := main.get(t, "/metrics"); body != "# TYPE kube_customresource_uptime gauge\n"+fooSample {
				t.Errorf("main server:\n%s", body)
			}
			_, body := telemetry.get(t, "/metrics")
			for _, want := range []string{
				"kubevitals_build_info{", "go_goroutines ", "process_start_time_seconds ", "kubevitals_state_source_up 1\n",
				`kubevitals_state_kind_up{group="myteam.io",kind="Foo",version="v1"} 1` + "\n", `kubevitals_collector_up{collector="state"} 1` + "\n",
			} {
				if strings.Count(body, "\n"+want) != 1 {
					t.Errorf("telemetry server lacks %s in:\n%s", want, body)
				}
			}
			if strings.Contains(body, "kube_customresource") {
				t.Errorf("the telemetry server has families of rules:\n%s", body)
			}
			for _, s := range []*server{main, telemetry} {
				for path, want := range map[string]string{"/healthz": "OK", "/livez": "ok", "/readyz": "ok", "/": "Foo"} {
					if code, body := s.get(t, path); code != http.StatusOK || !strings.Contains(body, want) {
						t.Errorf("GET %s%s: %d %s", s.url, path, code, body)
					}
				}
			}
			onMain, _ := main.get(t, "/debug/pprof/cmdline")
			onTelemetry, _ := telemetry.get(t, "/debug/pprof/cmdline")
			if onMain != http.StatusNotFound || onTelemetry != http.StatusOK {
				t.Errorf("profiles: %d on the main server, %d on the other", onMain, onTelemetry)
			}
			if strings.Contains(main.output.String(), "WARN") {
				t.Errorf("warnings:\n%s", main.output)
			}
			if code := main.stop(t); code != 0 {
				t.Errorf("exit code %d after SIGTERM\n%s", code, main.output)
			}
		})
	}
}

// TestKSMGzip: called as kube-state-metrics, compression has to be switched on.
func TestKSMGzip(t *testing.T) {
	object, rules := fooFiles(t)
	args := []string{"--from", object, "--custom-resource-state-config-file", rules}
	f := func(want string, program string, args ...string) {
		t.Helper()
		main, _ := serveAs(t, program, args...)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, main.url+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept-Encoding", "gzip")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if got := resp.Header.Get("Content-Encoding"); got != want {
			t.Errorf("%s %v: Content-Encoding %q, want %q", program, args, got, want)
		}
	}
	f("", "kube-state-metrics", args...)
	f("gzip", "kube-state-metrics", append(args, "--enable-gzip-encoding")...)
	f("gzip", "kubevitals", append([]string{"state", "--enable-gzip-encoding=false"}, args...)...)
}

// TestKSMInlineRules: inline rules beat the file, and native resources are
// mentioned.
func TestKSMInlineRules(t *testing.T) {
	object, rules := fooFiles(t)
	main, _ := serveAs(t, "kube-state-metrics", "--from", object, "--custom-resource-state-config-file", rules, "--resources", "",
		"--custom-resource-state-config", strings.Replace(crsFoo, "name: uptime", "name: inline", 1))
	_, body := main.get(t, "/metrics")
	if want := strings.Replace(fooSample, "uptime", "inline", 1); !strings.Contains(body, want) || strings.Contains(body, "uptime") {
		t.Errorf("got %s, want %s", body, want)
	}
	for _, want := range []string{
		`flag=--custom-resource-state-config-file hint="no effect beside --custom-resource-state-config"`,
		`flag=--resources hint="no effect: it is empty`,
	} {
		if !strings.Contains(main.output.String(), want) {
			t.Errorf("no %s in\n%s", want, main.output)
		}
	}
	main, _ = serveAs(t, "kube-state-metrics", "--from", object, "--custom-resource-state-config-file", rules)
	if want := `flag=--custom-resource-state-only hint="not given, but only custom resources are served here`; strings.Count(main.output.String(), want) != 1 {
		t.Errorf("no %s in\n%s", want, main.output)
	}
	main, _ = serveAs(t, "kube-state-metrics", "--from", object, "--custom-resource-state-config-file", rules, "--custom-resource-state-only", "--resources=pods")
	if want := `flag=--resources hint="no effect with --custom-resource-state-only"`; !strings.Contains(main.output.String(), want) {
		t.Errorf("no %s in\n%s", want, main.output)
	}
}

// TestKSMOptionsFile: options beat the command line.
func TestKSMOptionsFile(t *testing.T) {
	object, rules := fooFiles(t)
	options := write(t, t.TempDir(), "options.yaml", `custom_resource_config_file: `+rules+`
custom_resources_only: true
resources: {}
metric_opt_in_list: {kube_a: {}, kube_b: {}}
labels_allow_list: {pods: [a, b]}
namespaces: []
node: null
server_read_timeout: 30s
unheard_of: 1
config: other.yaml
help: true
`)
	main, _ := serveAs(t, "kube-state-metrics", "--from", object, "--config", options)
	if _, body := main.get(t, "/metrics"); !strings.Contains(body, fooSample) {
		t.Errorf("got:\n%s", body)
	}
	for _, want := range []string{
		"option custom_resource_config_file is now called custom_resource_state_config_file",
		"option unheard_of is not known and has no effect", "flag=--metric-opt-in-list ", "flag=--metric-labels-allowlist ",
	} {
		if strings.Count(main.output.String(), want) != 1 {
			t.Errorf("no %q in\n%s", want, main.output)
		}
	}
	if strings.Count(main.output.String(), "WARN") != 4 {
		t.Errorf("more warnings than 4:\n%s", main.output)
	}
}

// TestKSMWithoutFiles starts without its files, reads rules when they appear, and
// starts anew for options.
func TestKSMWithoutFiles(t *testing.T) {
	object, _ := fooFiles(t)
	dir := t.TempDir()
	options, rules := filepath.Join(dir, "options.yaml"), filepath.Join(dir, "crs.yaml")
	main, _ := serveAs(t, "kube-state-metrics", "--from", object, "--custom-resource-state-only",
		"--config", options, "--continue-without-config",
		"--custom-resource-state-config-file", rules, "--continue-without-custom-resource-state-config-file")
	if code, body := main.get(t, "/metrics"); code != http.StatusOK || body != "" {
		t.Errorf("without rules: %d %s", code, body)
	}
	write(t, dir, "crs.yaml", crsFoo)
	poll(t, "the rules to be used", func() bool {
		_, body := main.get(t, "/metrics")
		return strings.Contains(body, fooSample)
	})
	write(t, dir, "options.yaml", "metric_denylist: [uptime]\n")
	restarted := func() bool {
		all := listening.FindAllString(main.output.String(), -1)
		main.url = all[max(len(all)-2, 0)]
		resp, err := (&http.Client{Timeout: time.Second}).Get(main.url + "/metrics")
		if err != nil {
			return false
		}
		defer func() { _ = resp.Body.Close() }()
		body, _ := io.ReadAll(resp.Body)
		return len(body) == 0 && len(all) == 4
	}
	poll(t, "the options to be used", restarted)
	if code := main.stop(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, main.output)
	}
}

// TestKSMTLS: one file for both servers.
func TestKSMTLS(t *testing.T) {
	object, rules := fooFiles(t)
	config := write(t, t.TempDir(), "web.yaml", "basic_auth_users: {prometheus: $2y$04$Cai0nCXTgq44znc.nhdW1eMnaRlnmzUA0/Ap5Bam9Uv5Hd6o9PjWa}\n")
	main, telemetry := serveAs(t, "kube-state-metrics", "--from", object, "--custom-resource-state-config-file", rules, "--tls-config", config)
	for _, s := range []*server{main, telemetry} {
		if code, body := s.get(t, "/metrics"); code != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", s.url, code, body)
		}
	}
	main, _ = serveAs(t, "kube-state-metrics", "--from", object, "--custom-resource-state-config-file", rules, "--tls-config=")
	if want := `flag=--tls-config hint="no effect: it is empty, so there is no TLS"`; !strings.Contains(main.output.String(), want) {
		t.Errorf("no %s in\n%s", want, main.output)
	}
}

// apiServer is one that knows the token "good", which may do everything, and
// serves nothing. It counts discovery requests.
func apiServer(t *testing.T, discovered *atomic.Int64) (url, kubeconfig string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review struct {
			Spec struct{ Token string }
		}
		_ = json.NewDecoder(r.Body).Decode(&review)
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.HasSuffix(r.URL.Path, "/tokenreviews"):
			_, _ = fmt.Fprintf(w, `{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": {"authenticated": %t, "user": {"username": "u"}}}`,
				review.Spec.Token == "good")
		case strings.HasSuffix(r.URL.Path, "/subjectaccessreviews"):
			_, _ = io.WriteString(w, `{"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "status": {"allowed": true}}`)
		default:
			discovered.Add(1)
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	kubeconfig = write(t, t.TempDir(), "kubeconfig", kubeconfigOf(server.URL))
	return server.URL, kubeconfig
}

func kubeconfigOf(server string) string {
	return `{"apiVersion": "v1", "kind": "Config", "current-context": "c",
"clusters": [{"name": "c", "cluster": {"server": "` + server + `"}}],
"contexts": [{"name": "c", "context": {"cluster": "c"}}]}`
}

// TestKSMAuthFilter protects both servers, and counts for both.
func TestKSMAuthFilter(t *testing.T) {
	object, rules := fooFiles(t)
	_, kubeconfig := apiServer(t, new(atomic.Int64))
	main, telemetry := serveAs(t, "kube-state-metrics", "--from", object, "--custom-resource-state-config-file", rules,
		"--auth-filter", "--tls-self-signed", "--auth-kubeconfig", kubeconfig)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	get := func(url, token string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body)
	}
	for _, s := range []*server{main, telemetry} {
		for path, want := range map[string]int{"/metrics": 401, "/": 401, "/healthz": 200, "/readyz": 200} {
			if code, body := get(s.url+path, ""); code != want {
				t.Errorf("GET %s%s without a token: %d %s", s.url, path, code, body)
			}
		}
		if code, body := get(s.url+"/metrics", "bad"); code != http.StatusUnauthorized {
			t.Errorf("a bad token: %d %s", code, body)
		}
	}
	if code, body := get(main.url+"/metrics", "good"); code != http.StatusOK || !strings.Contains(body, fooSample) {
		t.Errorf("a good token: %d %s", code, body)
	}
	_, body := get(telemetry.url+"/metrics", "good")
	for _, want := range []string{`{result="allowed"} 1`, `{result="unauthenticated"} 5`} { // the page of the other server is not counted
		if !strings.Contains(body, "\nkubevitals_auth_decisions_total"+want+"\n") {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
}

// TestKSMAPIServer: the flag beats the server of the kubeconfig, and does
// without one.
func TestKSMAPIServer(t *testing.T) {
	_, rules := fooFiles(t)
	elsewhere := write(t, t.TempDir(), "kubeconfig", kubeconfigOf("http://127.0.0.1:1"))
	for _, args := range [][]string{{"--kubeconfig", elsewhere}, nil} {
		t.Setenv("HOME", t.TempDir())
		t.Setenv("KUBECONFIG", "")
		var discovered atomic.Int64
		url, _ := apiServer(t, &discovered)
		serveAs(t, "kube-state-metrics", append(args, "--apiserver", url, "--custom-resource-state-config-file", rules)...)
		poll(t, "discovery at --apiserver", func() bool { return discovered.Load() > 0 })
	}
}

// TestKSMFilters: lists of families and of namespaces choose what is served.
func TestKSMFilters(t *testing.T) {
	dir := t.TempDir()
	for _, namespace := range []string{"a", "b", "c"} {
		write(t, dir, namespace+".yaml", strings.Replace(foo, "{name: foo}", "{name: foo, namespace: "+namespace+"}", 1))
	}
	rules := write(t, t.TempDir(), "crs.yaml", strings.Replace(crsFoo, "[metadata, name]", "[metadata, namespace]", 1)+
		"    - name: other_time\n      each: {type: Gauge, gauge: {path: [status, uptime]}}\n")
	sample := regexp.MustCompile(`(?m)^kube_customresource_(\w+)\{.*name="(\w)"\}`)
	f := func(want string, args ...string) {
		t.Helper()
		main, _ := serveAs(t, "kube-state-metrics", append([]string{"--from", dir, "--custom-resource-state-config-file", rules}, args...)...)
		_, body := main.get(t, "/metrics")
		var got []string
		for _, m := range sample.FindAllStringSubmatch(body, -1) {
			got = append(got, m[1]+" "+m[2])
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%v: got %s, want %s", args, strings.Join(got, ", "), want)
		}
		if want == "" && !strings.Contains(main.output.String(), "No family is left to serve") {
			t.Errorf("%v: no warning in\n%s", args, main.output)
		}
	}
	f("uptime a, uptime b, uptime c", "--metric-allowlist", "_uptime$")
	f("other_time a, other_time b, other_time c", "--metric-denylist", "kube_customresource_u.*,nothing")
	f("", "--metric-allowlist", "kube_pod_info")
	f("other_time a, other_time c, uptime a, uptime c", "--namespaces", "a,c", "--namespaces=x")
	f("uptime c", "--namespaces-denylist", "a,b", "--metric-denylist", "other")
	f("uptime a", "--namespaces-denylist", "b,c", "--namespaces", "a,b", "--metric-allowlist", "uptime")
}
