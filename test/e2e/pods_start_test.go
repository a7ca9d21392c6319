package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevitals/kubevitals/test/controlplane"
	"github.com/kubevitals/kubevitals/test/podtest"
	"github.com/kubevitals/kubevitals/test/program"
	"github.com/kubevitals/kubevitals/test/promtest"
)

// metricsProxy links the binary under the name of the program that it stands in
// for.
func metricsProxy(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "metrics-proxy")
	if err := os.Symlink(binary, name); err != nil {
		t.Fatal(err)
	}
	return name
}

// proxyCommand is metrics-proxy with its environment, on a free port.
func proxyCommand(t *testing.T, args []string, environment ...string) (cmd *exec.Cmd, url string) {
	t.Helper()
	port, err := controlplane.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.CommandContext(context.WithoutCancel(t.Context()), metricsProxy(t), args...)
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "KUBECONFIG=" + control.Kubeconfig(), fmt.Sprintf("PORT=%d", port),
	}, environment...)
	return cmd, fmt.Sprintf("http://127.0.0.1:%d", port)
}

// TestPodsEnvironment runs metrics-proxy as the Deployment of metrics-k8s-proxy
// does, with nothing but environment variables; pods at loopback addresses are then
// listed and not asked. With one flag more they are.
func TestPodsEnvironment(t *testing.T) {
	const space = "pods-environment"
	server := podtest.Start(t, podtest.Body("# TYPE a counter\na 1\n"))
	createPods(t, space, pod{name: "p", server: server, labels: map[string]string{"app": "environment"}})
	environment := []string{"POD_LABEL_SELECTOR=app=environment", "SCRAPE_TIMEOUT=5s"}

	cmd, url := proxyCommand(t, nil, environment...)
	p := program.StartAt(t, url, cmd)
	p.WaitReady(t)
	got := stored(t, p, promtest.Text)
	if up, ok := got[podUp(t, space, "p")]; !ok || up != 0 || got[ofPod(t, space, "p", `scrape_error{reason="address"}`)] != 1 {
		t.Errorf("at a loopback address: up is %v (present: %v)", up, ok)
	}
	if n := server.Requests(); n != 0 {
		t.Errorf("a loopback address got %d requests", n)
	}

	cmd, url = proxyCommand(t, []string{"--pod-cidr=127.0.0.0/8"}, environment...)
	p = program.StartAt(t, url, cmd)
	p.WaitReady(t)
	got = stored(t, p, promtest.Text)
	if got[podUp(t, space, "p")] != 1 || got[ofPod(t, space, "p", "a")] != 1 {
		t.Errorf("Prometheus has %v", got)
	}
	code, text := p.Get(t, "/metrics", nil)
	if want := fmt.Sprintf("\na{k8s_pod_name=\"p\",k8s_namespace=%q} 1\n", space); code != http.StatusOK || !strings.Contains(string(text), want) {
		t.Errorf("%d %s", code, text)
	}
}

// TestPodsRefused tests that settings that cannot be end the process with a status
// that says so, and a sentence that names them.
func TestPodsRefused(t *testing.T) {
	good := "POD_LABEL_SELECTOR=app=x"
	for _, c := range []struct {
		name        string
		environment []string
		args        []string
		want        string
	}{
		{"no selector", nil, nil, "POD_LABEL_SELECTOR"},
		{"selector", []string{"POD_LABEL_SELECTOR=a in b"}, nil, "POD_LABEL_SELECTOR"},
		{"selector flag", []string{good}, []string{"--selector", "a=b=c"}, "--selector"},
		{"timeout", []string{good, "SCRAPE_TIMEOUT=soon"}, nil, "SCRAPE_TIMEOUT"},
		{"timeout zero", []string{good, "SCRAPE_TIMEOUT=0s"}, nil, "SCRAPE_TIMEOUT"},
		{"timeout negative", []string{good, "SCRAPE_TIMEOUT=-5s"}, nil, "SCRAPE_TIMEOUT"},
		{"port", []string{good, "PORT=http"}, nil, "PORT"},
		{"port zero", []string{good, "PORT=0"}, nil, "PORT"},
		{"kubeconfig", []string{good, "KUBECONFIG=/does/not/exist"}, nil, "/does/not/exist"},
		{"shard", []string{good}, []string{"--shard", "3/3"}, "shard"},
		{"cidr", []string{good}, []string{"--pod-cidr", "10.0.0.0/33"}, "10.0.0.0/33"},
		{"label", []string{good}, []string{"--target-label", "le=node"}, "le"},
		{"argument", []string{good}, []string{"surplus"}, "surplus"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cmd, _ := proxyCommand(t, c.args, c.environment...)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Errorf("it ended with %v", err)
			}
			if !strings.Contains(string(out), c.want) {
				t.Errorf("it does not name %s: %s", c.want, out)
			}
		})
	}
}

// TestPodsStop tests that a scrape that is under way when the process is told to
// stop is answered in full.
func TestPodsStop(t *testing.T) {
	const space = "pods-stop"
	gate := make(chan struct{})
	server := podtest.Start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-gate:
		case <-r.Context().Done():
		}
		podtest.Body("a 1\n").ServeHTTP(w, r)
	}))
	createPods(t, space, pod{name: "p", server: server, labels: map[string]string{"app": "stop"}})
	cmd, url := proxyCommand(t, []string{"--pod-cidr=127.0.0.0/8"}, "POD_LABEL_SELECTOR=app=stop", "SCRAPE_TIMEOUT=50s")
	var log program.Output
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	readyz := func() (*http.Response, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/readyz", nil)
		if err != nil {
			return nil, err
		}
		return (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}).Do(req)
	}
	program.Poll(t, "readiness", func() error {
		resp, err := readyz()
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			if err = resp.Body.Close(); resp.StatusCode != http.StatusOK {
				err = errors.New(resp.Status)
			}
		}
		return err
	})
	answer := make(chan string, 1)
	go func() {
		answer <- bodyOf(t.Context(), url+"/metrics", http.Header{"X-Prometheus-Scrape-Timeout-Seconds": {"50"}})
	}()
	if err := server.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	program.Poll(t, "it to be not ready any more", func() error {
		resp, err := readyz()
		if err != nil {
			return nil // it does not listen any more, which is as good
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode == http.StatusOK {
			return errors.New("still ready")
		}
		return nil
	})
	close(gate)
	if got := upLines(<-answer); !slices.Equal(got, []string{"p 1"}) {
		t.Errorf("the scrape was answered with %q", got)
	}
	if err := cmd.Wait(); err != nil || strings.Contains(log.String(), "DATA RACE") {
		t.Errorf("it ended with %v\n%s", err, &log)
	}
}

// TestPodsForbidden tests that a process that may not list pods is not ready and
// says why, and becomes ready once it may.
func TestPodsForbidden(t *testing.T) {
	const space = "pods-forbidden"
	createPods(t, space, pod{name: "p", server: podtest.Start(t, podtest.Body("a 1\n"))})
	token, err := control.ServiceAccountToken(t.Context(), space, "proxy")
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := control.KubeconfigFor(token)
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, podArgs(space, "--kubeconfig", kubeconfig)...)
	program.Poll(t, "the refusal to be known", func() error {
		code, body := p.Get(t, "/readyz?verbose", nil)
		if code != http.StatusServiceUnavailable || !strings.Contains(string(body), "forbidden") {
			return fmt.Errorf("%d %s", code, body)
		}
		return nil
	})
	if code, body := p.Get(t, "/metrics", nil); code != http.StatusOK || len(upLines(string(body))) != 0 {
		t.Errorf("a scrape meanwhile: %d %q", code, upLines(string(body)))
	}
	allowPods(t, space, "proxy", space)
	p.WaitReady(t)
	haveUp(t, p, "p 1")
}

// TestPodsRoles tests that Roles in two namespaces are enough for their pods, and
// those that "kubevitals rbac pods" prints.
func TestPodsRoles(t *testing.T) {
	spaces := []string{"pods-roles-a", "pods-roles-b", "pods-roles-c"}
	for _, space := range spaces {
		createPods(t, space, pod{name: "in-" + space, server: podtest.Start(t, podtest.Body("a 1\n"))})
	}
	token, err := control.ServiceAccountToken(t.Context(), spaces[0], "proxy")
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := control.KubeconfigFor(token)
	if err != nil {
		t.Fatal(err)
	}
	namespaces := strings.Join(spaces[:2], ",")
	roles, err := exec.CommandContext(t.Context(), binary, "rbac", "pods", "--selector", "app=x", "--namespaces", namespaces,
		"--name", "proxy", "--namespace", spaces[0]).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, roles)
	}
	if strings.Contains(string(roles), "kind: ClusterRole") {
		t.Errorf("there are permissions for the whole cluster:\n%s", roles)
	}
	run(t, control, "apply", "--filename", writeFile(t, "roles.yaml", string(roles)))
	p := podProxy(t, namespaces, "--kubeconfig", kubeconfig)
	haveUp(t, p, "in-pods-roles-a 1", "in-pods-roles-b 1")
}

// allowPods lets a service account list and watch the pods of a namespace.
func allowPods(t *testing.T, space, account, of string) {
	t.Helper()
	client := clientset(t, control).RbacV1()
	_, err := client.Roles(space).Create(t.Context(), &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: account},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list", "watch"}}},
	}, metav1.CreateOptions{})
	if err == nil {
		_, err = client.RoleBindings(space).Create(t.Context(), &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: account},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: account},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: of, Name: account}},
		}, metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}
