package pods_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/internal/pods"
	"github.com/kubevitals/kubevitals/internal/pods/fetch"
	"github.com/kubevitals/kubevitals/internal/pods/target"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// answers serves bodies of the text format as pods p0, p1 and so on.
func answers(t testing.TB, bodies ...func() string) []target.Target {
	t.Helper()
	var out []target.Target
	for i, body := range bodies {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			_, _ = io.WriteString(w, body())
		}))
		t.Cleanup(server.Close)
		at := netip.MustParseAddrPort(server.Listener.Addr().String())
		name := fmt.Sprint("p", i)
		out = append(out, target.Target{
			ID: name, Namespace: "n", Pod: name, IP: at.Addr(), Port: at.Port(), Path: "/metrics", Labels: metric.Labels("pod", name),
		})
	}
	return out
}

// answersRecords serves a family in protobuf as one of the targets, whatever it is
// asked for.
func answersRecords(t testing.TB, x *target.Target, f metric.Family) {
	t.Helper()
	var body bytes.Buffer
	out := exposition.NewWriter(&body, exposition.Protobuf, false)
	out.WriteFamily(f)
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", exposition.Protobuf.ContentType(exposition.AllowUTF8))
		_, _ = w.Write(body.Bytes())
	}))
	t.Cleanup(server.Close)
	x.Port = netip.MustParseAddrPort(server.Listener.Addr().String()).Port()
}

func always(body string) func() string { return func() string { return body } }

// part is a part that scrapes the targets; change may be nil.
func part(t testing.TB, targets []target.Target, change func(*pods.Options)) (*pods.Pods, *fetch.Client) {
	t.Helper()
	client, err := fetch.New(fetch.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	opts := pods.Options{
		Targets: func() []target.Target { return targets }, Client: client, Timeout: 10 * time.Second,
		Log: slog.New(slog.DiscardHandler), Reports: true,
	}
	if change != nil {
		change(&opts)
	}
	return pods.New(opts), client
}

// scrape returns the exposition of one scrape.
func scrape(t testing.TB, p *pods.Pods, f exposition.Format) string {
	t.Helper()
	ctx, done := operator.WithCleanup(t.Context())
	defer done()
	families, err := p.Gather(ctx, f)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	w := exposition.NewWriter(&out, f, false)
	for _, family := range families {
		w.WriteRendered(family)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// wants checks that an exposition has lines.
func wants(t *testing.T, out string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(out, line+"\n") {
			t.Errorf("without %s:\n%.2000s", line, out)
		}
	}
}

func TestPanicCostsOneTarget(t *testing.T) {
	targets := answers(t, always("a 1\n"), always("a 2\n"))
	var log bytes.Buffer
	p, client := part(t, targets, func(o *pods.Options) {
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		o.Auth = func(x *target.Target) *fetch.Auth {
			if x.Pod == "p0" {
				panic("for a test")
			}
			return nil
		}
	})
	for range 2 {
		wants(t, scrape(t, p, exposition.Text), `a{pod="p1"} 2`, `up{pod="p0"} 0`, `up{pod="p1"} 1`, `scrape_error{pod="p0",reason="panic"} 1`)
	}
	if held := client.Stats().Held; held != 0 {
		t.Errorf("%d bytes are held", held)
	}
	if got := strings.Count(log.String(), "stack="); got != 1 {
		t.Errorf("%d stacks in the log:\n%s", got, &log)
	}
}

func TestFamilyLimit(t *testing.T) {
	p, client := part(t, answers(t, always("a 1\n"), always("a 1\n# TYPE b gauge\n# HELP c d\n")), func(o *pods.Options) { o.Limits.Families = 2 })
	wants(t, scrape(t, p, exposition.Text), `a{pod="p0"} 1`, `up{pod="p0"} 1`, `up{pod="p1"} 0`, `scrape_error{pod="p1",reason="family_limit"} 1`)
	if held := client.Stats().Held; held != 0 {
		t.Errorf("%d bytes are held", held)
	}
}

// A pod that gives nothing does not keep the memory of its answer until the
// scrape is written.
func TestFailureHoldsNothing(t *testing.T) {
	p, client := part(t, answers(t, always(strings.Repeat("a 1\n", 1<<16)+"<html>")), nil)
	ctx, done := operator.WithCleanup(t.Context())
	defer done()
	if _, err := p.Gather(ctx, exposition.Text); err != nil {
		t.Fatal(err)
	}
	if held := client.Stats().Held; held != 0 {
		t.Errorf("%d bytes are held", held)
	}
}

// Pods decide how often something changes, and must not fill the log by it.
func TestLogIsNotFlooded(t *testing.T) {
	var n atomic.Int64
	restless := func() string {
		i := n.Add(1)
		if i%2 == 0 {
			return "{"
		}
		return fmt.Sprintf("# TYPE a%d histogram\na%d 1\n# TYPE b%d histogram\nb%d 1\n", i, i, i, i)
	}
	var lines lineCounter
	p, _ := part(t, answers(t, restless), func(o *pods.Options) {
		o.Log = slog.New(slog.NewTextHandler(&lines, nil))
	})
	for range 20 {
		scrape(t, p, exposition.Text)
	}
	if lines > 2 {
		t.Errorf("%d lines in the log", lines)
	}
}

// lineCounter counts writes, of which a handler does one for each line.
type lineCounter int

func (c *lineCounter) Write(p []byte) (int, error) {
	*c++
	return len(p), nil
}

// A scraper that hangs up leaves nothing behind.
func TestCancelledScrapeHoldsNothing(t *testing.T) {
	p, client := part(t, answers(t, always("a 1\n"), always("a 2\n")), nil)
	ctx, done := operator.WithCleanup(t.Context())
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := p.Gather(ctx, exposition.Text); err != nil {
		t.Fatal(err)
	}
	done()
	if held := client.Stats().Held; held != 0 {
		t.Errorf("%d bytes are held", held)
	}
}
