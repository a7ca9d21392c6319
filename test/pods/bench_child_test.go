package pods_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/test/controlplane"
	"github.com/kubevitals/kubevitals/test/program"
)

// child is a proxy as a process, whose use of the machine is measured.
type child struct {
	url string
	pid int
}

// untilReady is instead of a number of pods, for ours alone.
const untilReady = -1

// startChild starts a proxy with nothing but the environment that metrics-k8s-proxy
// knows, and further arguments, and waits until it has so many pods.
func startChild(b *testing.B, binary, kubeconfig string, pods int, args ...string) *child {
	b.Helper()
	if runtime.GOOS != "linux" {
		b.Skip("needs Linux, whose /proc says what a process uses")
	}
	port, err := controlplane.FreePort()
	if err != nil {
		b.Fatal(err)
	}
	var log program.Output
	cmd := exec.CommandContext(context.WithoutCancel(b.Context()), binary, args...)
	cmd.Env = append(os.Environ(), "POD_LABEL_SELECTOR=app=bench", "SCRAPE_TIMEOUT=60s", "KUBECONFIG="+kubeconfig, fmt.Sprintf("PORT=%d", port))
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	c := &child{url: fmt.Sprintf("http://127.0.0.1:%d/metrics", port), pid: cmd.Process.Pid}
	late := time.Now().Add(time.Minute)
	for err = errors.New("not asked"); err != nil; {
		err = c.knows(b.Context(), pods)
		if time.Now().After(late) {
			b.Fatalf("%s is not ready: %v\n%s", binary, err, &log)
		}
	}
	return c
}

// knows reports whether there are so many pods in an answer.
func (c *child) knows(ctx context.Context, pods int) error {
	if pods == untilReady {
		ready := child{url: strings.TrimSuffix(c.url, "/metrics") + "/readyz"}
		return ready.scrape(ctx, io.Discard, nil)
	}
	var text strings.Builder
	if err := c.scrape(ctx, &text, nil); err != nil {
		return err
	}
	up := 0
	for line := range strings.Lines(text.String()) {
		if strings.HasPrefix(line, "up{") && strings.HasSuffix(strings.TrimSpace(line), " 1") {
			up++
		}
	}
	if up != pods {
		return fmt.Errorf("%d pods are up, want %d", up, pods)
	}
	return nil
}

// client keeps its connections, and what it reads is not inflated.
var client = &http.Client{Transport: &http.Transport{DisableCompression: true}}

func (c *child) scrape(ctx context.Context, to io.Writer, header http.Header) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	_, err = io.Copy(to, resp.Body)
	return err
}

// usage is what scrapes have cost, each.
type usage struct {
	cpu, wall time.Duration // wall is the shortest
	peak      float64       // resident memory in bytes, of the whole life of the process
}

// measure scrapes several times, after two times that do not count.
func (c *child) measure(b *testing.B, header http.Header) usage {
	b.Helper()
	const rounds = 10
	var u usage
	var before time.Duration
	for i := range 2 + rounds {
		if i == 2 {
			before = c.cpu(b)
		}
		began := time.Now()
		if err := c.scrape(b.Context(), io.Discard, header); err != nil {
			b.Fatal(err)
		}
		if took := time.Since(began); i >= 2 && (u.wall == 0 || took < u.wall) {
			u.wall = took
		}
	}
	u.cpu = (c.cpu(b) - before) / rounds
	u.peak = c.memory(b, "VmHWM")
	return u
}

// cpu returns what the process has computed so far, user and system.
func (c *child) cpu(b *testing.B) time.Duration {
	b.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(c.pid), "stat"))
	if err != nil {
		b.Fatal(err)
	}
	// What comes before is the name of the program, in parentheses.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	const perSecond = 100 // USER_HZ of every Linux
	return time.Duration(ticks) * time.Second / perSecond
}

// memory returns a field of the process's status in bytes.
func (c *child) memory(b *testing.B, field string) float64 {
	b.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(c.pid), "status"))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kib * 1024
		}
	}
	b.Fatalf("no %s in %s", field, text)
	return 0
}

// ownCPU returns what this process has computed so far.
func ownCPU(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
