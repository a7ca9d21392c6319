package operator_test

import (
	"context"
	"fmt"
	"io"
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
	"github.com/kubevitals/kubevitals/operator/metric"
)

// When Run ends, what may be done while it runs, and what follows.

// TestGraceIsForBoth the tasks and the requests, of which the latter have a
// second at least. A request of an hour is one that does not end.
func TestGraceIsForBoth(t *testing.T) {
	const ms, s = time.Millisecond, time.Second
	f := func(name string, grace, task, request, least, most time.Duration, want ...string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			ln := newPipes()
			o := newOperator(operator.Options{Listener: ln, Grace: grace})
			o.Daemon("d", func(ctx context.Context) error {
				<-ctx.Done()
				time.Sleep(task)
				return nil
			})
			o.Handle("GET /slow", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				time.Sleep(request)
				_, _ = io.WriteString(w, "done")
			}))
			stop := background(t, o)
			tr := &http.Transport{DialContext: ln.dial, DisableKeepAlives: true}
			answered := false
			var wg sync.WaitGroup
			wg.Go(func() {
				resp, err := (&http.Client{Transport: tr}).Get("http://o/slow")
				if err != nil {
					return
				}
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				answered = err == nil && string(body) == "done"
			})
			synctest.Wait()
			start := time.Now()
			err := stop()
			if d := time.Since(start); d < least || d > most {
				t.Errorf("%s: Run took %s to end, want %s to %s", name, d, least, most)
			}
			if (err == nil) != (len(want) == 0) {
				t.Errorf("%s: Run: %v, want %q", name, err, want)
			}
			for _, w := range want {
				if !strings.Contains(fmt.Sprint(err), w) {
					t.Errorf("%s: Run: %v, want %q", name, err, w)
				}
			}
			wg.Wait()
			if answered != (request < time.Hour) {
				t.Errorf("%s: the request was answered: %v", name, answered)
			}
			time.Sleep(2 * time.Hour) // let them end
		})
	}
	const stuck, unfinished = `daemon "d" (after `, "finishing requests: context deadline exceeded"
	// A server looks for idle connections twice a second.
	f("both in time", 10*s, 4*s, 8*s, 8*s, 8500*ms)
	f("the request has the rest", 10*s, 6*s, time.Hour, 10*s, 10*s, unfinished)
	f("the request has all of it", 10*s, 0, time.Hour, 10*s, 10*s, unfinished)
	f("the request has a second", 10*s, 10*s-ms, time.Hour, 11*s-ms, 11*s-ms, unfinished)
	f("the request is in time in its second", 10*s, time.Hour, 10*s+400*ms, 10*s+400*ms, 11*s, stuck+"10s)")
	f("neither", 10*s, time.Hour, time.Hour, 11*s, 11*s, stuck+"10s)", unfinished)
	f("short", 20*ms, 0, 500*ms, 500*ms, s)
	f("short for both", 20*ms, time.Hour, time.Hour, s+20*ms, s+20*ms, stuck+"20ms)", unfinished)
	f("default", 0, time.Hour, time.Hour, 26*s, 26*s, stuck+"25s)", unfinished)
}

// TestRunAgain: an Operator is as good as new when Run has returned, and
// collectors are called in between, too.
func TestRunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		o := newOperator(operator.Options{})
		var value any
		o.Collect("c", func(ctx context.Context, emit func(operator.Metric)) error {
			value = ctx.Value(key{})
			emit(gauge("a", 1))
			return ctx.Err()
		})
		var j journal
		o.Daemon("d", j.waits("d"))
		f := func(when string, ready int, running int, want any) {
			t.Helper()
			if w := get(o, "/readyz"); w.Code != ready {
				t.Errorf("%s: /readyz gives %d, want %d", when, w.Code, ready)
			}
			body := scrape(t, o)
			wantSeries(t, body, "a 1")
			wantLines(t, body, up("c", 1), runningLine("d", running), restartsLine("d", 0))
			if value != want {
				t.Errorf("%s: the collector's context has %v, want %v", when, value, want)
			}
		}
		f("before", 200, 0, nil)
		var begun []string
		for n := range 3 {
			ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, n))
			result := make(chan error, 1)
			go func() { result <- o.Run(ctx) }()
			synctest.Wait()
			f("while it runs", 200, 1, n)
			cancel()
			if err := <-result; err != nil {
				t.Errorf("Run: %v", err)
			}
			f("afterwards", 503, 0, nil)
			begun = append(begun, "d")
			j.want(t, "afterwards", begun...)
		}
	})
}

// TestRunAgainListens on its address anew.
func TestRunAgainListens(t *testing.T) {
	noLeaks(t, 0)
	serving := make(chan net.Addr)
	o := newOperator(operator.Options{Addr: "127.0.0.1:0", Serve: func(s *http.Server, ln net.Listener) error {
		serving <- ln.Addr()
		return s.Serve(ln)
	}})
	c := client(t)
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- o.Run(ctx) }()
		select {
		case addr := <-serving:
			if code, body := fetch(t, c, "http://"+addr.String()+"/readyz"); code != 200 || body != "ok" {
				t.Errorf("/readyz gives %d %q", code, body)
			}
		case err := <-result:
			t.Fatalf("Run: %v", err)
		}
		cancel()
		if err := await(t, "Run", result); err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

// TestRunAfterAFailure: what kept Run from beginning does not keep it from it
// for good.
func TestRunAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		var j journal
		o.Daemon("d", j.waits("d"))
		o.Daemon("leader's", j.waits("leader's"), operator.LeaderOnly())
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for range 2 {
			if err := o.Run(ctx); err == nil || !strings.Contains(err.Error(), "nothing says who leads") {
				t.Errorf("Run: %v", err)
			}
		}
		o.Daemon("late", j.waits("late"))
		o.LeaderBackground()
		stop := background(t, o)
		j.want(t, "in the end", "d", "late")
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// TestRunTwiceAtOnce, under all of its names: the second is told, and the first
// does not notice.
func TestRunTwiceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipes()
		o := newOperator(operator.Options{Listener: ln})
		var j journal
		o.Daemon("d", j.waits("d"))
		stop := background(t, o)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for name, run := range map[string]func(context.Context) error{"Run": o.Run, "Start": o.Start, "Serve": o.Serve} {
			if err := run(ctx); err == nil || !strings.Contains(err.Error(), "runs already") {
				t.Errorf("%s: %v, want an error that it runs already", name, err)
			}
		}
		tr := &http.Transport{DialContext: ln.dial}
		defer tr.CloseIdleConnections()
		if code, body := fetch(t, &http.Client{Transport: tr}, "http://o/readyz"); code != 200 {
			t.Errorf("/readyz gives %d %s afterwards", code, body)
		}
		wantLines(t, scrape(t, o), runningLine("d", 1))
		j.want(t, "afterwards", "d")
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// TestRegisteredWhileItRuns: such a task would not be started, and nobody would
// look whether such a part owns the family of another. What comes afterwards is
// part of the next Run.
func TestRegisteredWhileItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		var j journal
		o.Daemon("d", j.waits("d"))
		stop := background(t, o)
		wantPanic(t, `daemon "late"`, func() { o.Daemon("late", j.waits("late")) })
		wantPanic(t, `timer "later"`, func() { o.Timer("later", time.Minute, j.waits("later")) })
		wantPanic(t, `part "p" is registered while the Operator runs`, func() { o.AddPart("p", renders("p")) })
		o.Collect("c", emits(gauge("a", 1))) // a collector is nobody's competitor
		if body := scrape(t, o); !strings.Contains(body, "\na 1\n") {
			t.Errorf("a collector is not there at once:\n%s", body)
		}
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		j.want(t, "at the end", "d")
		o.Daemon("late", j.waits("late"))
		o.Timer("later", time.Minute, j.waits("later"))
		o.AddPart("q", renders("q"))
		stop = background(t, o)
		j.want(t, "in the next Run", "d", "d", "late", "later")
		wantLines(t, scrape(t, o), "q 1")
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// asks is a part that has something done while its names are asked for.
type asks struct {
	part
	then func()
}

func (p asks) Families() []string {
	p.then()
	return nil
}

// TestPublishedWhenComplete: a scrape sees all of a part or nothing.
func TestPublishedWhenComplete(t *testing.T) {
	o := newOperator(operator.Options{})
	o.AddPart("p", asks{renders("p"), func() {
		if body := scrape(t, o); strings.Contains(body, `collector="p"`) {
			t.Errorf("it is there already:\n%s", body)
		}
	}})
	wantLines(t, scrape(t, o), "p 1", up("p", 1))
}

// TestRegistrationBesideScrapes has something to find for the race detector:
// whoever registers only looks how many scrapes there were, which keeps nothing
// in order that the Operator does not.
func TestRegistrationBesideScrapes(t *testing.T) {
	const n = 10
	o := newOperator(operator.Options{})
	var wg sync.WaitGroup
	var scrapes atomic.Int32
	done := make(chan struct{})
	for _, accept := range formats {
		wg.Go(func() {
			for !isClosed(done) {
				body := scrape(t, o, "Accept", accept)
				for line := range strings.Lines(body) {
					if strings.HasPrefix(line, "operator_collector_up{") && !strings.HasSuffix(line, " 1\n") && !strings.HasSuffix(line, " 1.0\n") {
						t.Errorf("a collector that is not complete: %s", line)
					}
				}
				scrapes.Add(1)
			}
		})
	}
	label := func(i int) operator.CollectOption { return operator.ConstLabels("i", fmt.Sprint(i)) }
	scraped := func() { // by one that has begun now, of as many at once as there are formats
		for enough := int(scrapes.Load()) + len(formats) + 1; int(scrapes.Load()) < enough; {
			runtime.Gosched()
		}
	}
	for i := range n {
		o.Collect(fmt.Sprint("collector ", i), emits(gauge("a", 1)), label(i), operator.MaxSamples(7))
		scraped()
		o.AddPart(fmt.Sprint("part ", i), renders(fmt.Sprint("part_", i)), operator.AnyFormat())
		scraped()
		src := plain()
		src.Collect("x", emits(operator.Metric{Name: "b", Type: metric.Gauge}))
		o.AddSource(fmt.Sprint("source ", i), src, label(i), operator.Partial())
		scraped()
	}
	close(done)
	wg.Wait()
	if got := len(series(scrape(t, o))); got != 3*n {
		t.Errorf("%d series, want %d", got, 3*n)
	}
}
