package operator_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// borrower is a part whose lines lie in memory that is of no use after the
// cleanup: it is overwritten there, for tests and the race detector to see.
type borrower struct {
	lines   int
	hold    func(ctx context.Context, call int) error // before Gather returns
	calls   atomic.Int32
	cleaned atomic.Int32
	twice   atomic.Bool
}

func (b *borrower) Families() []string { return nil }

func (b *borrower) Gather(ctx context.Context, _ exposition.Format) ([]exposition.Rendered, error) {
	call := int(b.calls.Add(1))
	memory := bytes.Repeat([]byte("p 1\n"), max(b.lines, 1))
	done := false
	operator.Cleanup(ctx, func() {
		if done {
			b.twice.Store(true)
		}
		done = true
		for i := range memory {
			memory[i] = 'X'
		}
		b.cleaned.Add(1)
	})
	var err error
	if b.hold != nil {
		err = b.hold(ctx, call)
	}
	return []exposition.Rendered{{Desc: metric.Desc{Name: "p", Type: metric.Gauge}, Lines: func(buf []byte, full func([]byte) []byte) []byte {
		for i := 0; i < len(memory); i += 4 {
			if buf = append(buf, memory[i:i+4]...); len(buf) >= 64<<10 {
				buf = full(buf)
			}
		}
		return buf
	}}}, err
}

// want compares how many calls were cleaned up, of how many.
func (b *borrower) want(t testing.TB, cleaned, calls int) {
	t.Helper()
	if c, n := b.cleaned.Load(), b.calls.Load(); int(c) != cleaned || int(n) != calls || b.twice.Load() {
		t.Errorf("%d of %d calls are cleaned up, want %d of %d; one twice: %v", c, n, cleaned, calls, b.twice.Load())
	}
}

// borrowing returns an Operator with the part, as text, as data and strictly.
func borrowing(b *borrower, opts ...operator.CollectOption) *operator.Operator {
	o := newOperator(operator.Options{MaxScrapes: 100})
	o.SelfMetrics("")
	o.Expose("/metrics.json", exposition.JSON{})
	o.Expose("/strict", exposition.Prometheus{}, operator.Strict())
	o.AddPart("p", b, opts...)
	return o
}

func TestCleanupAfterEveryWayToAsk(t *testing.T) {
	b := new(borrower)
	o := borrowing(b)
	n := 0
	f := func(method, path, accept string) {
		t.Helper()
		w := do(t.Context(), o, method, path, "Accept", accept, "Accept-Encoding", "gzip")
		n++
		b.want(t, n, n)
		if w.Code != http.StatusOK || strings.Contains(w.Body.String(), "X") && accept == "text/plain" {
			t.Errorf("%s %s: %d %q", method, path, w.Code, w.Body)
		}
	}
	for _, accept := range formats {
		f("GET", "/metrics", accept)
		f("HEAD", "/metrics", accept)
		f("GET", "/metrics?name[]=other", accept)
		f("GET", "/strict", accept)
	}
	f("GET", "/metrics.json", "")
	families, err := o.Families(t.Context())
	if err != nil || len(families) != 1 || families[0].Samples[0].Value != 1 {
		t.Errorf("Families gives %v, %v", families, err)
	}
	b.want(t, n+1, n+1)
}

func TestCleanupOfFailures(t *testing.T) {
	for name, hold := range map[string]func(context.Context, int) error{
		"error":  func(context.Context, int) error { return errors.New("no luck") },
		"panic":  func(context.Context, int) error { panic("no luck") },
		"goexit": func(context.Context, int) error { runtime.Goexit(); return nil },
	} {
		b := &borrower{hold: hold}
		o := borrowing(b)
		if body, want := scrape(t, o), name == "error"; strings.Contains(body, "p 1\n") != want {
			t.Errorf("%s: body %q", name, body)
		}
		eventually(t, name+" is cleaned up", func() bool { return b.cleaned.Load() == 1 })
		if w := get(o, "/strict"); w.Code != http.StatusInternalServerError {
			t.Errorf("%s: strict gives %d", name, w.Code)
		}
		eventually(t, name+" is cleaned up", func() bool { return b.cleaned.Load() == 2 })
		b.want(t, 2, 2)
	}
}

// TestCleanupOfAPanicInLines: the response breaks off, and nothing else.
func TestCleanupOfAPanicInLines(t *testing.T) {
	cleaned := 0
	o := plain()
	o.AddPart("p", part{gather: func(ctx context.Context, _ exposition.Format) ([]exposition.Rendered, error) {
		operator.Cleanup(ctx, func() { cleaned++ })
		return []exposition.Rendered{{Desc: metric.Desc{Name: "p"}, Lines: func([]byte, func([]byte) []byte) []byte { panic("no luck") }}}, nil
	}})
	func() {
		defer func() {
			if p := recover(); p != any(http.ErrAbortHandler) {
				t.Errorf("panic %v, want %v", p, http.ErrAbortHandler)
			}
		}()
		scrape(t, o)
	}()
	if cleaned != 1 {
		t.Errorf("cleaned up %d times", cleaned)
	}
	if families, err := o.Families(t.Context()); err != nil || len(families) != 0 || cleaned != 2 {
		t.Errorf("Families gives %v, %v; cleaned up %d times", families, err, cleaned)
	}
}

// TestCleanupOfAnOverdueCall: its result is thrown away when it comes.
func TestCleanupOfAnOverdueCall(t *testing.T) {
	for name, opts := range map[string][]operator.CollectOption{
		"alone": nil, "kept": {operator.MinInterval(time.Hour), operator.ServeStale(time.Hour)},
	} {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			b := &borrower{hold: func(context.Context, int) error { <-release; return nil }}
			o := borrowing(b, opts...)
			for range 2 { // overdue, then busy
				wantSeries(t, scrape(t, o, timeoutHeader, "1"))
			}
			b.want(t, 0, 1)
			close(release)
			synctest.Wait()
			if b.cleaned.Load() != 1 {
				t.Errorf("%s: not cleaned up", name)
			}
			scrape(t, o) // what is kept may be the failure
			if name == "alone" {
				b.want(t, 2, 2)
			} else {
				b.want(t, 1, 1)
			}
		})
	}
}

// TestCleanupOfAHungUpScrape: the call goes on without it.
func TestCleanupOfAHungUpScrape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := &borrower{hold: func(context.Context, int) error { <-release; return nil }}
		o := borrowing(b)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { do(ctx, o, "GET", "/metrics") })
		synctest.Wait()
		cancel()
		wg.Wait()
		b.want(t, 0, 1)
		close(release)
		synctest.Wait()
		b.want(t, 1, 1)
	})
}

// pipeListener is a listener of connections that hold no byte that is not read.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipeListener) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

// TestCleanupWaitsForTheSlow: of two scrapes that share a call one does not
// read. It reads in the end, hangs up, or is given up.
func TestCleanupWaitsForTheSlow(t *testing.T) {
	for name, encoding := range map[string]string{"reads": "identity", "reads gzip": "gzip", "hangs up": "gzip", "is given up": "identity"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				b := &borrower{lines: 500_000, hold: func(_ context.Context, call int) error {
					if call == 1 {
						<-release
					}
					return nil
				}}
				o := borrowing(b)
				listener := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
				server := &http.Server{Handler: o.Handler(), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
				var wg sync.WaitGroup
				wg.Go(func() { _ = server.Serve(listener) })
				theirs, ours := net.Pipe()
				listener.conns <- theirs
				fmt.Fprintf(ours, "GET /metrics HTTP/1.0\r\nAccept-Encoding: %s\r\n\r\n", encoding)
				var quick string
				wg.Go(func() { quick = scrape(t, o) })
				synctest.Wait()
				close(release)
				synctest.Wait()
				if n := strings.Count(quick, "\np 1"); n != 500_000 {
					t.Errorf("the other scrape has %d lines", n)
				}
				b.want(t, 0, 1) // though one scrape has all
				scrape(t, o)    // another call does not wait
				b.want(t, 1, 2)
				switch {
				case strings.HasPrefix(name, "reads"):
					all, err := io.ReadAll(ours)
					if err != nil || bytes.Contains(all, []byte("XXXX")) || len(all) < 1000 {
						t.Errorf("%d bytes, %v", len(all), err)
					}
				case name == "hangs up":
					ours.Close()
				default:
					time.Sleep(time.Minute)
				}
				synctest.Wait()
				b.want(t, 2, 2)
				ours.Close()
				server.Close()
				wg.Wait()
			})
		})
	}
}

func TestCleanupOfWhatIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(borrower)
		o := borrowing(b, operator.MinInterval(10*time.Second))
		for range 3 {
			wantSeries(t, scrape(t, o), "p 1")
		}
		b.want(t, 0, 1)
		time.Sleep(10*time.Second - 1)
		wantSeries(t, scrape(t, o), "p 1")
		b.want(t, 0, 1)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		b.want(t, 1, 1) // nobody can get it any more
		wantSeries(t, scrape(t, o), "p 1")
		b.want(t, 1, 2)
		time.Sleep(time.Hour)
		synctest.Wait()
		b.want(t, 2, 2)
	})
}

// TestCleanupOfWhatIsReplaced: good results stand in for failures until there
// is a better one, or they are too old.
func TestCleanupOfWhatIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &borrower{hold: func(_ context.Context, call int) error {
			if call >= 3 {
				panic("no luck")
			}
			return nil
		}}
		o := borrowing(b, operator.ServeStale(time.Minute))
		f := func(cleaned, calls int, series ...string) {
			t.Helper()
			wantSeries(t, scrape(t, o), series...)
			synctest.Wait()
			b.want(t, cleaned, calls)
		}
		f(0, 1, "p 1")
		time.Sleep(30 * time.Second)
		f(1, 2, "p 1")
		time.Sleep(time.Minute - 1)
		f(2, 3, "p 1") // of the second call
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		b.want(t, 3, 3)
		f(4, 4)
	})
}

// TestCleanupOfBothKeepers: what two keep is given up by both.
func TestCleanupOfBothKeepers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(borrower)
		o := borrowing(b, operator.ServeStale(time.Minute), operator.MinInterval(10*time.Second))
		scrape(t, o)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		b.want(t, 0, 1)
		scrape(t, o) // replaces it
		synctest.Wait()
		b.want(t, 1, 2)
		time.Sleep(time.Minute)
		synctest.Wait()
		b.want(t, 2, 2)
	})
}

// TestCleanupWhenRunEnds: the next Run begins anew.
func TestCleanupWhenRunEnds(t *testing.T) {
	b := new(borrower)
	o := borrowing(b, operator.MinInterval(time.Hour))
	ctx, cancel := context.WithCancel(t.Context())
	o.Daemon("d", func(context.Context) error {
		scrape(t, o)
		b.want(t, 0, 1)
		cancel()
		return nil
	})
	if err := o.Run(ctx); err != nil {
		t.Fatal(err)
	}
	b.want(t, 1, 1)
}

// TestCleanupOrder is that of defer. A panic is logged, and the Operator may be
// used, wherever a call is given up.
func TestCleanupOrder(t *testing.T) {
	for name, opts := range map[string][]operator.CollectOption{
		"written": nil, "replaced": {operator.MinInterval(1)}, "not good any more": {operator.ServeStale(1)},
	} {
		var log bytes.Buffer
		o := newOperator(operator.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		var order []string
		var mu sync.Mutex
		first := true
		o.AddPart("p", part{gather: func(ctx context.Context, _ exposition.Format) ([]exposition.Rendered, error) {
			if !first {
				return nil, nil
			}
			first = false
			type key struct{}
			ctx = context.WithValue(ctx, key{}, "any context that is made from it will do")
			operator.Cleanup(ctx, func() { mu.Lock(); defer mu.Unlock(); order = append(order, "first") })
			operator.Cleanup(ctx, func() { panic("no luck") })
			operator.Cleanup(ctx, func() {
				o.SelfMetrics("x")
				scrape(t, o)
				mu.Lock()
				defer mu.Unlock()
				order = append(order, "last")
			})
			return []exposition.Rendered{rendered("p", "p 1\n")}, nil
		}}, opts...)
		eventually(t, name, func() bool {
			scrape(t, o)
			mu.Lock()
			defer mu.Unlock()
			return fmt.Sprint(order) == "[last first]"
		})
		if !strings.Contains(log.String(), "Cleanup of a part panicked") || !strings.Contains(log.String(), "no luck") {
			t.Errorf("%s: log %q", name, log.String())
		}
	}
}

func TestCleanupOutside(t *testing.T) {
	f := func() { t.Error("called") }
	wantPanic(t, "WithCleanup", func() { operator.Cleanup(t.Context(), f) })
	o := newOperator(operator.Options{})
	o.Collect("c", func(ctx context.Context, _ func(operator.Metric)) error {
		operator.Cleanup(ctx, f)
		return nil
	})
	wantLines(t, scrape(t, o), failures("c", "panic", 1))
}

func TestWithCleanup(t *testing.T) {
	ctx, done := operator.WithCleanup(t.Context())
	var order []int
	for i := range 3 {
		operator.Cleanup(ctx, func() {
			order = append(order, i)
			if i == 1 {
				panic("no luck")
			}
		})
	}
	if len(order) > 0 {
		t.Error("it runs too early")
	}
	done()
	done()
	operator.Cleanup(ctx, func() { order = append(order, 9) }) // too late to wait for anybody
	if got := fmt.Sprint(order); got != "[2 1 0 9]" {
		t.Errorf("order %s", got)
	}
}

// TestCleanupUnderLoad has something to find for the race detector: memory that
// is overwritten while it is read.
func TestCleanupUnderLoad(t *testing.T) {
	noLeaks(t, 0)
	for _, opts := range [][]operator.CollectOption{
		nil,
		{operator.MinInterval(time.Millisecond)},
		{operator.ServeStale(2 * time.Millisecond), operator.AnyFormat()},
		{operator.ServeStale(time.Millisecond), operator.MinInterval(time.Millisecond), operator.Timeout(3 * time.Millisecond)},
	} {
		b := &borrower{lines: 5000, hold: func(_ context.Context, call int) error {
			if call%5 == 0 {
				panic("no luck")
			}
			if call%4 == 0 {
				time.Sleep(4 * time.Millisecond) // too late, sometimes
			}
			return nil
		}}
		o := borrowing(b, opts...)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(i), 1))
				for range 50 {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(r.IntN(20))*time.Millisecond)
					path := []string{"/metrics", "/metrics.json", "/strict"}[r.IntN(3)]
					body := do(ctx, o, []string{"GET", "HEAD"}[r.IntN(2)], path, "Accept", "text/plain").Body.String()
					if strings.Contains(body, "X") {
						t.Error("a scrape has memory that was given up")
					}
					cancel()
				}
			})
		}
		wg.Wait()
		eventually(t, "everything is cleaned up", func() bool { return b.cleaned.Load() == b.calls.Load() })
		if b.twice.Load() {
			t.Error("a cleanup ran twice")
		}
	}
}
