package operator_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevitals/kubevitals/operator"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

// start runs o on a listener of its own, outside of a bubble.
func start(t *testing.T, opts operator.Options, register func(*operator.Operator)) (url string, stop context.CancelFunc, result <-chan error) {
	t.Helper()
	ln := listen(t)
	opts.Listener = ln
	o := newOperator(opts)
	register(o)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	c := make(chan error, 1)
	go func() { c <- o.Run(ctx) }()
	return "http://" + ln.Addr().String(), cancel, c
}

func await(t *testing.T, what string, c <-chan error) error {
	t.Helper()
	select {
	case err := <-c:
		return err
	case <-time.After(30 * time.Second):
		t.Fatalf("%s: still waiting after half a minute", what)
		return nil
	}
}

// TestShutdownOrder: readiness ends first; daemons drain while the server
// answers; the server ends last.
func TestShutdownOrder(t *testing.T) {
	noLeaks(t, 0)
	running, draining, release := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var drained atomic.Bool
	url, stop, result := start(t, operator.Options{}, func(o *operator.Operator) {
		o.Collect("c", func(ctx context.Context, emit func(operator.Metric)) error {
			emit(gauge("a", 1))
			return ctx.Err()
		})
		o.Daemon("d", func(ctx context.Context) error {
			close(running)
			<-ctx.Done()
			close(draining)
			<-release
			drained.Store(true)
			return nil
		})
	})
	c := client(t)
	<-running
	if code, body := fetch(t, c, url+"/readyz"); code != 200 || body != "ok" {
		t.Errorf("/readyz gives %d %q before the shutdown", code, body)
	}
	if code, body := fetch(t, c, url+"/metrics"); code != 200 || !strings.Contains(body, runningLine("d", 1)) {
		t.Errorf("/metrics gives %d before the shutdown, without the daemon:\n%s", code, body)
	}
	stop()
	<-draining

	code, body := fetch(t, c, url+"/readyz")
	if code != 503 || body != "[-]shutdown failed: shutting down\nreadyz check failed\n" {
		t.Errorf("/readyz gives %d %q while a daemon drains", code, body)
	}
	code, body = fetch(t, c, url+"/metrics")
	if code != 200 {
		t.Errorf("/metrics gives %d while a daemon drains", code)
	}
	wantSeries(t, body, "a 1")
	wantLines(t, body, up("c", 1), runningLine("d", 1))
	for _, path := range []string{"/livez", "/healthz"} {
		if code, _ := fetch(t, c, url+path); code != 200 {
			t.Errorf("%s gives %d while a daemon drains", path, code)
		}
	}
	select {
	case err := <-result:
		t.Fatalf("Run returned %v before the daemon", err)
	default:
	}

	close(release)
	if err := await(t, "Run", result); err != nil {
		t.Errorf("Run: %v", err)
	}
	if !drained.Load() {
		t.Error("Run did not wait for the daemon")
	}
	if resp, err := c.Get(url + "/livez"); err == nil {
		resp.Body.Close()
		t.Errorf("the server still answers: %d", resp.StatusCode)
	}
}

// pipes is a listener whose connections are pipes, which a bubble may wait for.
type pipes struct {
	dialled chan net.Conn
	once    sync.Once
	closed  chan struct{}
}

func newPipes() *pipes { return &pipes{dialled: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.dialled:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.dialled <- far:
		return near, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestShutdownOfSlowTasks: a daemon that needs two seconds has them, and
// everything answers meanwhile, to the second.
func TestShutdownOfSlowTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipes()
		o := newOperator(operator.Options{Listener: ln})
		var ended time.Time
		o.Daemon("slow", func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(2 * time.Second)
			ended = time.Now()
			return nil
		})
		o.Timer("waits", time.Hour, func(context.Context) error { return nil })
		o.Collect("c", func(ctx context.Context, emit func(operator.Metric)) error {
			time.Sleep(100 * time.Millisecond)
			emit(gauge("a", 1))
			return ctx.Err()
		})
		stop := background(t, o)
		tr := &http.Transport{DialContext: ln.dial}
		defer tr.CloseIdleConnections()
		c := &http.Client{Transport: tr}
		result := make(chan error, 1)
		start := time.Now()
		go func() { result <- stop() }()
		synctest.Wait()
		for time.Since(start) < 1500*time.Millisecond {
			code, body := fetch(t, c, "http://o/metrics")
			if code != 200 {
				t.Errorf("/metrics gives %d while a daemon drains", code)
			}
			wantLines(t, body, "a 1", up("c", 1), runningLine("slow", 1))
			for path, want := range map[string]int{"/livez": 200, "/healthz": 200, "/startupz": 200, "/readyz": 503} {
				if code, _ := fetch(t, c, "http://o"+path); code != want {
					t.Errorf("%s gives %d while a daemon drains, want %d", path, code, want)
				}
			}
		}
		if err := <-result; err != nil {
			t.Errorf("Run: %v", err)
		}
		if d := ended.Sub(start); d != 2*time.Second {
			t.Errorf("the daemon ended after %s, want its two seconds", d)
		}
		if d := time.Since(start); d > 3*time.Second {
			t.Errorf("Run took %s to end, want little more than the daemon", d)
		}
		if resp, err := c.Get("http://o/livez"); err == nil {
			resp.Body.Close()
			t.Errorf("it still answers: %d", resp.StatusCode)
		}
	})
}

// TestShutdownFinishesRequests: what is in flight is answered, nothing new is
// accepted.
func TestShutdownFinishesRequests(t *testing.T) {
	noLeaks(t, 0)
	entered, release := make(chan struct{}), make(chan struct{})
	url, stop, result := start(t, operator.Options{}, func(o *operator.Operator) {
		o.Handle("GET /slow", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(entered)
			<-release
			_, _ = io.WriteString(w, "done")
		}))
	})
	type answer struct {
		code int
		body string
	}
	answered := make(chan answer, 1)
	c := client(t)
	go func() {
		code, body := fetch(t, c, url+"/slow")
		answered <- answer{code, body}
	}()
	<-entered
	stop()
	eventually(t, "the server accepts no more", func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	select {
	case err := <-result:
		t.Fatalf("Run returned %v before the request", err)
	default:
	}
	close(release)
	if got := <-answered; got != (answer{200, "done"}) {
		t.Errorf("the request in flight got %v", got)
	}
	if err := await(t, "Run", result); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestShutdownGivesUpOnRequests(t *testing.T) {
	noLeaks(t, 0)
	entered := make(chan struct{})
	release := make(chan struct{})
	defer close(release)
	url, stop, result := start(t, operator.Options{Grace: 20 * time.Millisecond}, func(o *operator.Operator) {
		o.Handle("GET /slow", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			close(entered)
			<-release
		}))
	})
	c := client(t)
	go func() {
		resp, err := c.Get(url + "/slow")
		if err == nil {
			resp.Body.Close()
		}
	}()
	<-entered
	stop()
	err := await(t, "Run", result)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "finishing requests") {
		t.Errorf("Run: %v, want an error about the request", err)
	}
}

func TestStuckDaemonsAreNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{Grace: 7 * time.Second})
		release := make(chan struct{})
		defer close(release)
		deaf := func(context.Context) error {
			<-release
			return nil
		}
		o.Daemon("zebra", deaf)
		o.Daemon("fine", func(ctx context.Context) error {
			<-ctx.Done()
			return nil
		})
		o.Daemon("slow", func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(6 * time.Second)
			return nil
		})
		o.Daemon("ant", deaf)
		stop := background(t, o)
		began := time.Now()
		err := stop()
		if want := `did not return after being cancelled: daemon "ant" (after 7s), daemon "zebra" (after 7s)`; err == nil || err.Error() != want {
			t.Errorf("Run: %v, want %q", err, want)
		}
		if d := time.Since(began); d != 7*time.Second {
			t.Errorf("Run waited %s, want the grace of 7s once for all", d)
		}
	})
}

func TestStuckDaemonBesideAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		release := make(chan struct{})
		defer close(release)
		started := make(chan struct{})
		o.Daemon("stuck", func(context.Context) error {
			close(started)
			<-release
			return nil
		})
		errBad := fmt.Errorf("bad luck: %w", operator.ErrStop)
		o.Daemon("critical", func(context.Context) error {
			<-started
			return errBad
		}, operator.Critical())
		began := time.Now()
		err := o.Run(t.Context())
		if !errors.Is(err, errBad) || !strings.Contains(err.Error(), `daemon "stuck" (after 25s)`) {
			t.Errorf("Run: %v, want both the failure and the stuck daemon", err)
		}
		if d := time.Since(began); d != 25*time.Second {
			t.Errorf("Run waited %s, want the default grace of 25s", d)
		}
	})
}

// TestListenerIsClosed: Run closes it, whatever keeps it from serving.
func TestListenerIsClosed(t *testing.T) {
	ln := listen(t)
	o := newOperator(operator.Options{Listener: ln})
	p := renders("a")
	p.families = []string{"a"}
	o.AddPart("one", p)
	o.AddPart("two", p)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.Daemon("d", func(context.Context) error {
		cancel()
		return nil
	})
	if err := o.Run(ctx); err == nil {
		t.Error("two owners of a family are no error")
	}
	if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closing it once more: %v, want %v", err, net.ErrClosed)
	}
}

func TestPortTaken(t *testing.T) {
	noLeaks(t, 0)
	ln := listen(t)
	o := newOperator(operator.Options{Addr: ln.Addr().String()})
	var started atomic.Bool
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.Daemon("d", func(context.Context) error {
		started.Store(true)
		cancel()
		return nil
	})
	err := o.Run(ctx)
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), ln.Addr().String()) {
		t.Errorf("Run: %v, want one that names the address in use", err)
	}
	if started.Load() {
		t.Error("a daemon was started")
	}
}

// TestServesAddr takes a port that was free a moment ago.
func TestServesAddr(t *testing.T) {
	noLeaks(t, 0)
	ln := listen(t)
	addr := ln.Addr().String()
	_ = ln.Close()
	o := newOperator(operator.Options{Addr: addr})
	listening := make(chan error, 1)
	o.Daemon("d", func(ctx context.Context) error {
		conn, err := net.Dial("tcp", addr) // daemons start once it listens
		if err == nil {
			conn.Close()
		}
		listening <- err
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- o.Run(ctx) }()
	if err := await(t, "the daemon", listening); err != nil {
		t.Errorf("a daemon cannot reach the server: %v", err)
	}
	if code, body := fetch(t, client(t), "http://"+addr+"/healthz"); code != 200 || body != "OK" {
		t.Errorf("/healthz gives %d %q", code, body)
	}
	cancel()
	if err := await(t, "Run", result); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestServerFails(t *testing.T) {
	noLeaks(t, 0)
	ln := listen(t)
	o := newOperator(operator.Options{Listener: ln})
	var ended atomic.Bool
	o.Daemon("d", func(ctx context.Context) error {
		_ = ln.Close()
		<-ctx.Done()
		ended.Store(true)
		return nil
	})
	err := o.Run(t.Context())
	if !errors.Is(err, net.ErrClosed) || !strings.Contains(err.Error(), "serving on "+ln.Addr().String()) {
		t.Errorf("Run: %v, want one about the listener", err)
	}
	if !ended.Load() {
		t.Error("the daemon was not awaited")
	}
}

// TestStoppedBeforeItBegan: there is nothing wrong with that, whatever the
// address.
func TestStoppedBeforeItBegan(t *testing.T) {
	noLeaks(t, 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, addr := range []string{"", "127.0.0.1:0", "localhost:0"} {
		if err := newOperator(operator.Options{Addr: addr}).Run(ctx); err != nil {
			t.Errorf("%q: Run: %v", addr, err)
		}
	}
	if err := newOperator(operator.Options{Listener: listen(t)}).Run(ctx); err != nil {
		t.Errorf("listener: Run: %v", err)
	}
}

// TestRunWithoutAServer: a mounted Operator has daemons all the same.
func TestRunWithoutAServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		o.Daemon("d", func(ctx context.Context) error {
			<-ctx.Done()
			return nil
		})
		stop := background(t, o)
		wantLines(t, scrape(t, o), runningLine("d", 1))
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// TestContextValues: values of Run's context reach daemons and collectors;
// its end does not reach collectors before the daemons have returned.
func TestContextValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		o := newOperator(operator.Options{})
		var inDaemon, inCollector any
		var ended error
		o.Collect("c", func(ctx context.Context, _ func(operator.Metric)) error {
			inCollector, ended = ctx.Value(key{}), ctx.Err()
			return nil
		})
		o.Daemon("d", func(ctx context.Context) error {
			inDaemon = ctx.Value(key{})
			<-ctx.Done()
			scrape(t, o)
			return nil
		})
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "given"))
		time.AfterFunc(time.Minute, cancel)
		if err := o.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
		if inDaemon != "given" || inCollector != "given" || ended != nil {
			t.Errorf("daemon got %v, collector got %v, %v", inDaemon, inCollector, ended)
		}
	})
}
