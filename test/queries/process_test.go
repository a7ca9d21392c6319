package queries

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// startDemo serves the sample cluster, unchanging, until the test ends and
// returns the URL of the process.
func startDemo(t *testing.T) string {
	t.Helper()
	out := &output{}
	cmd := exec.Command(binary, "demo", "--every", "0", "--listen", "127.0.0.1:0")
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(t, cmd, out) })

	var url string
	poll(t, "kubevitals to say where it listens", func() error {
		line, _, found := strings.Cut(out.String(), "\n")
		if !found || !strings.HasPrefix(line, "http://") {
			return fmt.Errorf("output so far:\n%s", out)
		}
		url = line
		return nil
	})
	poll(t, "readiness", func() error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/readyz", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("status %d", resp.StatusCode)
		}
		return nil
	})
	return url
}

// end stops the process as Kubernetes does, and fails the test unless it ended
// well.
func end(t *testing.T, cmd *exec.Cmd, out *output) {
	t.Helper()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("kubevitals has ended before the test: %v", err)
	}
	if err := cmd.Wait(); err != nil || strings.Contains(out.String(), "DATA RACE") {
		t.Errorf("kubevitals ended with %v", err)
	}
	if t.Failed() {
		t.Logf("output of kubevitals:\n%s", out)
	}
}

// poll tries until there is no error any more, for a minute at most.
func poll(t *testing.T, what string, try func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
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

// output is what a process or a logger writes, safe to read meanwhile.
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
