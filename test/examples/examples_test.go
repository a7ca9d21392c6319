package examples

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/test/controlplane"
	"github.com/kubevitals/kubevitals/test/program"
)

var control *controlplane.ControlPlane

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	var err error
	if control, err = controlplane.Start(ctx, controlplane.Options{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = control.Stop() }()
	return m.Run()
}

// modules are the go.mod files that the examples are built with.
var modules = []string{"go.mod", "older.mod"}

// build builds one example with the versions of a go.mod file.
func build(t *testing.T, example, module string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), example)
	goTool(t, "build", "-modfile", module, "-o", binary, "./"+example)
	return binary
}

// goTool runs the go command in the folder of the examples.
func goTool(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = filepath.Join("..", "..", "examples")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return string(out)
}

// process is a running example.
type process struct {
	url    string
	cmd    *exec.Cmd
	output program.Output
}

// start runs an example on a free port of the loopback, with the cluster's
// kubeconfig. When the test ends, it is stopped as Kubernetes does, and must
// end well.
func start(t *testing.T, scheme, binary string, args ...string) *process {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	_ = ln.Close()
	p := &process{url: scheme + "://" + address}
	args = append([]string{"--listen", address, "--kubeconfig", control.Kubeconfig()}, args...)
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), binary, args...)
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Errorf("the example has ended before the test: %v", err)
		}
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("the example ended with %v", err)
		}
		if t.Failed() {
			t.Logf("output of the example:\n%s", &p.output)
		}
	})
	return p
}

// get returns the status and body of a response.
func (p *process) get(ctx context.Context, path, token string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, nil)
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // self-signed
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport, Timeout: time.Minute}).Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// waitFor polls a path until the body has all the lines.
func (p *process) waitFor(t *testing.T, path, token string, lines ...string) string {
	t.Helper()
	var body string
	program.Poll(t, path, func() error {
		var code int
		var err error
		if code, body, err = p.get(t.Context(), path, token); err != nil || code != http.StatusOK {
			return fmt.Errorf("%d %v\n%s\noutput:\n%s", code, err, body, &p.output)
		}
		for _, line := range lines {
			if !strings.Contains("\n"+body, "\n"+line) {
				return fmt.Errorf("no line %q in\n%s", line, body)
			}
		}
		return nil
	})
	return body
}

func apply(t *testing.T, manifest string) {
	t.Helper()
	if err := control.Apply(t.Context(), []byte(manifest)); err != nil {
		t.Fatal(err)
	}
}

func TestInformers(t *testing.T) {
	apply(t, `
apiVersion: v1
kind: Namespace
metadata: {name: informers}
---
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: informers}
spec: {containers: [{name: c, image: i}]}
status: {phase: Running}
---
apiVersion: v1
kind: Pod
metadata: {name: b, namespace: informers}
spec: {containers: [{name: c, image: i}]}
`)
	for _, module := range modules {
		t.Run(module, func(t *testing.T) {
			p := start(t, "http", build(t, "informers", module))
			p.waitFor(t, "/readyz", "")
			p.waitFor(t, "/metrics", "",
				`cluster_pods{namespace="informers",phase="Pending"} 1`, `cluster_pods{namespace="informers",phase="Running"} 1`,
				`operator_daemon_running{daemon="informers"} 1`)
		})
	}
}

func TestManagerSimple(t *testing.T) {
	for _, module := range modules {
		t.Run(module, func(t *testing.T) {
			p := start(t, "http", build(t, "manager-simple", module))
			p.waitFor(t, "/readyz", "")
			p.waitFor(t, "/metrics", "", "example_uptime_seconds ",
				"# TYPE go_gc_duration_seconds summary")
		})
	}
}

// TestManager: one port, protected by the cluster's RBAC, for the metrics of the
// manager and of the operator; tasks of every replica and of the leader.
func TestManager(t *testing.T) {
	apply(t, `
apiVersion: v1
kind: Namespace
metadata: {name: manager}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: manager}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader, namespace: manager}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: manager-metrics-reader}
rules: [{nonResourceURLs: [/metrics], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: manager-metrics-reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: manager-metrics-reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: manager}]
`)
	token, err := control.ServiceAccountToken(t.Context(), "manager", "reader")
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range modules {
		t.Run(module, func(t *testing.T) {
			p := start(t, "https", build(t, "manager", module), "--leader-election", "manager")
			p.waitFor(t, "/readyz", "")
			if code, body, err := p.get(t.Context(), "/metrics", ""); code != http.StatusUnauthorized {
				t.Errorf("without a token: %d %q %v, want 401", code, body, err)
			}
			p.waitFor(t, "/metrics", token,
				`example_configmaps{namespace="manager"} 1`, `example_reconciled_total{namespace="manager"} 1`,
				`controller_runtime_reconcile_total{controller="configmap",result="success"} `,
				`leader_election_master_status{name="example-manager"} 1`,
				`operator_timer_last_success_timestamp_seconds{timer="report"} `,
				`operator_auth_decisions_total{result="unauthenticated"} 1`)
		})
	}
}

// TestOlderModules: the SDK is in the build list, and Kubernetes' modules are
// those that the operator has chosen.
func TestOlderModules(t *testing.T) {
	list := goTool(t, "list", "-modfile", "older.mod", "-m", "-f", "{{.Path}} {{.Version}}", "all")
	for _, want := range []string{
		"github.com/kubevitals/kubevitals/operator v0.0.0", "k8s.io/client-go v0.32.1", "k8s.io/api v0.32.1",
		"k8s.io/apimachinery v0.32.1", "sigs.k8s.io/controller-runtime v0.20.4",
	} {
		if !strings.Contains("\n"+list, "\n"+want+"\n") {
			t.Errorf("no %s in\n%s", want, list)
		}
	}
}

// unique returns the lines of a text, each once.
func unique(text string) (out []string) {
	seen := map[string]bool{"": true}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); !seen[line] {
			seen[line] = true
			out = append(out, line)
		}
	}
	return out
}
