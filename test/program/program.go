package program

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Build builds the program from the tree that this module is part of. It must
// be called from a package one folder below the module's root.
func Build(ctx context.Context, to string, flags ...string) error {
	args := append([]string{"build", "-o", to}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/kubevitals")...)
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building kubevitals: %w\n%s", err, out)
	}
	return nil
}

// Process is a running kubevitals.
type Process struct {
	// URL is where it serves, without a slash at the end.
	URL string
	// PID is the number of the process.
	PID int
	// Output is what it has written to stdout and stderr.
	Output *Output

	cmd   *exec.Cmd
	ended bool
}

var serving = regexp.MustCompile(`https?://127\.0\.0\.1:\d+`)

// Start runs the binary with a command that serves, on a free port, and returns
// once it says where. When the test ends, the process is stopped as Kubernetes
// does; the test fails unless it ends well and without a data race.
func Start(t *testing.T, binary string, args ...string) *Process {
	t.Helper()
	p := &Process{Output: &Output{}}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), binary, append(args, "--listen", "127.0.0.1:0")...)
	p.cmd.Stdout, p.cmd.Stderr = p.Output, p.Output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.PID = p.cmd.Process.Pid
	t.Cleanup(func() { p.end(t) })
	Poll(t, "kubevitals to say where it listens", func() error {
		p.URL = serving.FindString(p.Output.String())
		if p.URL == "" {
			return fmt.Errorf("output so far:\n%s", p.Output)
		}
		return nil
	})
	return p
}

// StartAt is as Start for any command, which serves at a URL that is known, such
// as "http://127.0.0.1:8080". It returns once there is an answer of any status.
func StartAt(t *testing.T, url string, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{URL: url, Output: &Output{}, cmd: cmd}
	p.cmd.Stdout, p.cmd.Stderr = p.Output, p.Output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.PID = p.cmd.Process.Pid
	t.Cleanup(func() { p.end(t) })
	Poll(t, "an answer of "+url, func() error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/livez", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Errorf("%w; output so far:\n%s", err, p.Output)
		}
		return resp.Body.Close()
	})
	return p
}

// Kill ends the process at once, as the loss of its node does.
func (p *Process) Kill(t *testing.T) {
	t.Helper()
	p.ended = true
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait() // it was killed
}

// Stop ends the process before the test ends.
func (p *Process) Stop(t *testing.T) {
	t.Helper()
	p.end(t)
	p.ended = true
}

func (p *Process) end(t *testing.T) {
	t.Helper()
	if p.ended {
		return
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("kubevitals has ended before the test: %v", err)
	}
	if err := p.cmd.Wait(); err != nil || strings.Contains(p.Output.String(), "DATA RACE") {
		t.Errorf("kubevitals ended with %v", err)
	}
	if t.Failed() {
		t.Logf("output of kubevitals:\n%s", p.Output)
	}
}

// WaitReady waits until /readyz is good.
func (p *Process) WaitReady(t *testing.T) {
	t.Helper()
	Poll(t, "readiness", func() error {
		code, body := p.Get(t, "/readyz?verbose", nil)
		if code != http.StatusOK {
			return fmt.Errorf("%d %s", code, body)
		}
		return nil
	})
}

// Get returns the status and the body of a response, as it was sent: a
// compressed one stays compressed. It verifies no certificate, as the probes of
// the kubelet do not.
func (p *Process) Get(t *testing.T, path string, header http.Header) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	transport := &http.Transport{DisableCompression: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport, Timeout: time.Minute}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}

// Poll tries until there is no error any more, for a minute at most.
func Poll(t *testing.T, what string, try func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("gave up waiting for %s: %v", what, err)
		case <-tick.C:
		}
	}
}

// Output gathers what is written to it; it may be read meanwhile. The zero
// value is ready.
type Output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write appends p. It never fails.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

// String returns all that was written so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
