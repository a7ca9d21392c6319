package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a running kubevitals.
type process struct {
	cmd    *exec.Cmd
	url    string
	output *output
}

var serving = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// start runs the binary until the test ends.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	return startBinary(t, binary, args...)
}

func startBinary(t *testing.T, binary string, args ...string) *process {
	t.Helper()
	p := &process{output: &output{}}
	p.cmd = exec.Command(binary, append(args, "--listen", "127.0.0.1:0")...)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.end(t) })
	poll(t, "kubevitals to say where it listens", func() error {
		p.url = serving.FindString(p.output.String())
		if p.url == "" {
			return fmt.Errorf("output so far:\n%s", p.output)
		}
		return nil
	})
	return p
}

// end stops the process as Kubernetes does, and fails the test unless it ended
// well.
func (p *process) end(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return
	}
	err := p.cmd.Wait()
	if err != nil || strings.Contains(p.output.String(), "DATA RACE") {
		t.Errorf("kubevitals ended with %v:\n%s", err, p.output)
	}
	if t.Failed() {
		t.Logf("output of kubevitals:\n%s", p.output)
	}
}

// state runs kubevitals state for the shared control plane until it is ready.
func state(t *testing.T, args ...string) *process {
	t.Helper()
	p := start(t, append([]string{"state", "--kubeconfig", control.Kubeconfig()}, args...)...)
	p.waitReady(t)
	return p
}

func (p *process) waitReady(t *testing.T) {
	t.Helper()
	poll(t, "readiness", func() error {
		code, body := p.get(t, "/readyz?verbose", nil)
		if code != http.StatusOK {
			return fmt.Errorf("%d %s", code, body)
		}
		return nil
	})
}

// get returns the status and the body of a response, as it was sent.
func (p *process) get(t *testing.T, path string, header http.Header) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	// Without this the transport would ask for gzip and hide it.
	transport := &http.Transport{DisableCompression: true}
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

// scrape returns the exposition, as it is sent when gzip is accepted.
func (p *process) scrape(t *testing.T) string {
	t.Helper()
	code, body := p.get(t, "/metrics", http.Header{"Accept-Encoding": {"gzip"}})
	if code != http.StatusOK {
		t.Fatalf("scrape: status %d: %s", code, body)
	}
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// lines returns the lines of an exposition that contain all of some strings.
func lines(text string, all ...string) []string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		if !slices.ContainsFunc(all, func(s string) bool { return !strings.Contains(line, s) }) {
			out = append(out, line)
		}
	}
	return out
}

// gatewayFamilies returns the part of an exposition that is about objects.
func gatewayFamilies(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		name := strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE ")
		if strings.HasPrefix(name, "gatewayapi_") || strings.HasPrefix(name, "kuadrant_") {
			out.WriteString(line)
		}
	}
	return out.String()
}

// poll tries until there is no error any more, for a minute at most.
func poll(t *testing.T, what string, try func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
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

// output is what a process writes, safe to read meanwhile.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// writeFile writes a file of the test.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	file := t.TempDir() + "/" + name
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
