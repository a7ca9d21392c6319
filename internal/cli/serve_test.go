package cli_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/internal/cli"
)

// TestMain lets the test binary be the program, so that a served command has a
// process of its own to be stopped.
func TestMain(m *testing.M) {
	if os.Getenv("KUBEVITALS_TEST_MAIN") != "" {
		os.Exit(cli.MainAs(os.Args[0], os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
	}
	os.Exit(m.Run())
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

// server is a command that serves, in a process of its own.
type server struct {
	cmd    *exec.Cmd
	url    string
	output *lockedBuffer
}

var listening = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// serve starts a command and waits until it says where it listens.
func serve(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{output: &lockedBuffer{}}
	s.cmd = exec.Command(os.Args[0], append(args, "--listen", "127.0.0.1:0")...)
	s.cmd.Env = append(os.Environ(), "KUBEVITALS_TEST_MAIN=1")
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	})
	poll(t, "the address", func() bool {
		s.url = listening.FindString(s.output.String())
		return s.url != ""
	})
	return s
}

// stop ends the process as Kubernetes does and returns its exit code.
func (s *server) stop(t *testing.T) int {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = s.cmd.Wait()
	return s.cmd.ProcessState.ExitCode()
}

func (s *server) get(t *testing.T, path string) (int, string) {
	t.Helper()
	resp, err := http.Get(s.url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// poll waits until a condition holds.
func poll(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("gave up waiting for %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestDemo(t *testing.T) {
	s := serve(t, "demo", "--every", "50ms")
	if first, _, _ := strings.Cut(s.output.String(), "\n"); first != s.url {
		t.Errorf("the first line is %q, not the address", first)
	}
	resolved := func() bool {
		_, body := s.get(t, "/metrics")
		return regexp.MustCompile(`parents_conditions\{.*name="checkout".*type="ResolvedRefs"\} 1`).MatchString(body)
	}
	poll(t, "an object to change", resolved)
	poll(t, "it to change back", func() bool { return !resolved() })
	if code := s.stop(t); code != 0 {
		t.Errorf("exit code %d after SIGTERM, want 0\n%s", code, s.output)
	}
}

func TestStateFromFilesFollowsThem(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.yaml", gateway)
	s := serve(t, "state", "--from", dir)
	has := func(name string) bool {
		_, body := s.get(t, "/metrics")
		return strings.Contains(body, `name="`+name+`"`)
	}
	if !has("web") {
		t.Error("the Gateway is not served")
	}
	write(t, dir, "b.yaml", strings.Replace(gateway, "web", "second", 1))
	poll(t, "a new file to be read", func() bool { return has("second") })
	if err := os.Remove(dir + "/a.yaml"); err != nil {
		t.Fatal(err)
	}
	poll(t, "a removed file to be gone", func() bool { return !has("web") && has("second") })
}

func TestRoutes(t *testing.T) {
	s := serve(t, "demo", "--every", "0", "--pprof")
	f := func(path string, wantCode int, want string) {
		t.Helper()
		code, body := s.get(t, path)
		if code != wantCode || !strings.Contains(body, want) {
			t.Errorf("GET %s: %d\n%s\nwant %d with %q", path, code, body, wantCode, want)
		}
	}
	f("/healthz", 200, "OK")
	f("/livez", 200, "ok")
	f("/readyz?verbose", 200, "[+]state ok\n")
	f("/", 200, "HTTPRoute")
	f("/debug/pprof/cmdline", 200, "demo")
	f("/nothing", 404, "not found")
	f("/metrics", 200, "gateway_metrics_up 1\n")
	f("/metrics", 200, `kubevitals_state_kind_objects{group="gateway.networking.k8s.io",kind="HTTPRoute",version="v1"} 5`+"\n")
}

// lockedBuffer is a buffer that a process writes while a test reads.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
