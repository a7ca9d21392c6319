package operator_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevitals/kubevitals/operator"
)

// startTasks starts tasks in a bubble, as background does with an Operator.
func startTasks(t *testing.T, tasks *operator.Tasks) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- tasks.Start(ctx) }()
	synctest.Wait()
	return func() error {
		cancel()
		return <-result
	}
}

// journal has the names of the tasks that have begun.
type journal struct {
	mu    sync.Mutex
	begun []string
}

func (j *journal) add(name string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.begun = append(j.begun, name)
	slices.Sort(j.begun)
}

// waits is a task that says that it has begun, and waits for its context.
func (j *journal) waits(name string) operator.TaskFunc {
	return func(ctx context.Context) error {
		j.add(name)
		<-ctx.Done()
		return ctx.Err()
	}
}

// want compares the names, which are sorted.
func (j *journal) want(t *testing.T, when string, names ...string) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	if !slices.Equal(j.begun, names) {
		t.Errorf("%s: %v have begun, want %v", when, j.begun, names)
	}
}

// TestElected starts a task that needs the leader beside one that does not.
func TestElected(t *testing.T) {
	const m = time.Minute
	closed := make(chan struct{})
	close(closed)
	f := func(name string, elected func() <-chan struct{}, want ...time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			o := newOperator(operator.Options{Elected: elected()})
			start := time.Now()
			var everywhere, leader, delayed []time.Duration
			note := func(at *[]time.Duration) operator.TaskFunc {
				return func(context.Context) error {
					*at = append(*at, time.Since(start))
					return nil
				}
			}
			o.Daemon("everywhere", note(&everywhere))
			o.Timer("leader", 3*m, note(&leader), operator.LeaderOnly())
			o.Daemon("delayed", note(&delayed), operator.LeaderOnly(), operator.InitialDelay(m))
			stop := background(t, o)
			time.Sleep(10*m - 1)
			ended := time.Now()
			if err := stop(); err != nil || time.Since(ended) != 0 {
				t.Errorf("%s: Run: %v, %s after it was stopped", name, err, time.Since(ended))
			}
			if !slices.Equal(everywhere, []time.Duration{0}) || !slices.Equal(leader, want) {
				t.Errorf("%s: calls at %v, those of the leader at %v, want 0 and %v", name, everywhere, leader, want)
			}
			if len(want) > 0 && !slices.Equal(delayed, []time.Duration{want[0] + m}) {
				t.Errorf("%s: the delayed call is at %v, want a minute after the election", name, delayed)
			}
		})
	}
	f("before", func() <-chan struct{} { return closed }, 0, 3*m, 6*m, 9*m)
	f("after", func() <-chan struct{} {
		c := make(chan struct{})
		time.AfterFunc(4*m, func() { close(c) })
		return c
	}, 4*m, 7*m)
	f("never", func() <-chan struct{} { return make(chan struct{}) })
}

// TestNobodyLeads: tasks for the leader would never start, or on every replica,
// unless somebody says who leads.
func TestNobodyLeads(t *testing.T) {
	register := map[string]func(*operator.Operator, operator.TaskFunc){
		`daemon "x"`: func(o *operator.Operator, fn operator.TaskFunc) { o.Daemon("x", fn, operator.LeaderOnly()) },
		`timer "x"`: func(o *operator.Operator, fn operator.TaskFunc) {
			o.Timer("x", time.Minute, fn, operator.Critical(), operator.LeaderOnly())
		},
	}
	type runs func(context.Context, *operator.Operator) error
	f := func(name string, elections, fails bool, run runs) {
		t.Helper()
		for kind, register := range register {
			synctest.Test(t, func(t *testing.T) {
				opts := operator.Options{Listener: newPipes()}
				if elections {
					opts.Elected = make(chan struct{})
				}
				o := newOperator(opts)
				var j journal
				o.Daemon("other", j.waits("other"))
				register(o, j.waits("leader's"))
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				err := run(ctx, o)
				want := kind + " is for the leader only, and nothing says who leads: "
				switch {
				case !fails && err != nil:
					t.Errorf("%s, %s: %v", name, kind, err)
				case fails && (err == nil || !strings.HasPrefix(err.Error(), want)):
					t.Errorf("%s, %s: %v, want %q", name, kind, err, want)
				case fails && isClosed(o.Ready()):
					t.Errorf("%s, %s: it is ready", name, kind)
				case fails:
					j.want(t, name)
				}
			})
		}
	}
	run := func(ctx context.Context, o *operator.Operator) error { return o.Run(ctx) }
	server := func(_ context.Context, o *operator.Operator) error {
		_, _, err := o.Server()
		return err
	}
	start := func(ctx context.Context, o *operator.Operator) error { return o.Background().Start(ctx) }
	apart := func(run runs) runs {
		return func(ctx context.Context, o *operator.Operator) error {
			o.LeaderBackground()
			return run(ctx, o)
		}
	}
	f("Server", false, false, server) // starts nothing
	for name, x := range map[string]runs{"Run": run, "Background": start} {
		f(name, false, true, x)
		f(name+", elections", true, false, x)
		f(name+", LeaderBackground", false, false, apart(x))
	}
}

func TestNotElectedShows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{Elected: make(chan struct{})})
		var j journal
		o.Daemon("d", j.waits("d"), operator.LeaderOnly())
		o.Daemon("critical", j.waits("critical"), operator.LeaderOnly(), operator.Critical())
		stop := background(t, o)
		wantLines(t, scrape(t, o), runningLine("d", 0), restartsLine("d", 0), runningLine("critical", 0))
		if w := get(o, "/readyz"); w.Code != http.StatusOK {
			t.Errorf("/readyz gives %d: a replica that waits is ready", w.Code)
		}
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		j.want(t, "at the end")
	})
}

// TestApart: what was taken out is left alone by Run, and started by whoever
// took it.
func TestApart(t *testing.T) {
	f := func(name string, everywhere, leader bool, byRun ...string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			elected := make(chan struct{})
			close(elected)
			o := newOperator(operator.Options{Elected: elected}) // the process is always the leader
			var j journal
			o.Daemon("a", j.waits("a"))
			o.Daemon("b", j.waits("b"), operator.LeaderOnly())
			var tasks []*operator.Tasks
			if everywhere {
				tasks = append(tasks, o.Background())
			}
			if leader {
				tasks = append(tasks, o.LeaderBackground())
			}
			stops := []func() error{background(t, o)}
			j.want(t, name+", by Run", byRun...)
			for _, x := range tasks {
				stops = append(stops, startTasks(t, x))
			}
			j.want(t, name+", by all", "a", "b")
			slices.Reverse(stops)
			for _, stop := range stops {
				if err := stop(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	f("nothing", false, false, "a", "b")
	f("those of the leader", false, true, "a")
	f("all at once", true, false) // Background has those of the leader too
	f("all", true, true)
}

func TestNeedLeaderElection(t *testing.T) {
	o := newOperator(operator.Options{})
	if o.NeedLeaderElection() || o.Background().NeedLeaderElection() || !o.LeaderBackground().NeedLeaderElection() {
		t.Error("only the tasks of the leader need it")
	}
}

// TestLeaderBackgroundAgain: a leader may lose the lease, and win it back.
func TestLeaderBackgroundAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		var j journal
		calls := 0
		o.Daemon("d", j.waits("d"), operator.LeaderOnly())
		o.Timer("t", time.Minute, func(context.Context) error {
			calls++
			return nil
		}, operator.LeaderOnly())
		o.Daemon("ends", func(context.Context) error {
			j.add("ends")
			return operator.ErrStop
		}, operator.LeaderOnly())
		leader := o.LeaderBackground()
		var begun []string
		for term := 1; term <= 3; term++ {
			stop := startTasks(t, leader)
			time.Sleep(90 * time.Second)
			wantLines(t, scrape(t, o), runningLine("d", 1))
			if err := stop(); err != nil {
				t.Errorf("term %d: %v", term, err)
			}
			begun = slices.Sorted(slices.Values(append(begun, "d", "ends")))
			j.want(t, fmt.Sprint("term ", term), begun...)
			if calls != 2*term {
				t.Errorf("term %d: the timer was called %d times, want %d", term, calls, 2*term)
			}
			wantLines(t, scrape(t, o), runningLine("d", 0), restartsLine("d", 0))
			if w := get(o, "/readyz"); w.Code != http.StatusOK {
				t.Errorf("/readyz gives %d after term %d: the process goes on", w.Code, term)
			}
			time.Sleep(time.Hour)
		}
	})
}

// TestBackgroundEndsReadiness: without Run there is nothing else that says that
// the process goes away.
func TestBackgroundEndsReadiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		release := make(chan struct{})
		o.Daemon("drains", func(ctx context.Context) error {
			<-ctx.Done()
			<-release
			return nil
		})
		stop := startTasks(t, o.Background())
		if w := get(o, "/readyz"); w.Code != http.StatusOK {
			t.Errorf("/readyz gives %d before", w.Code)
		}
		result := make(chan error, 1)
		go func() { result <- stop() }()
		synctest.Wait()
		if w := get(o, "/readyz"); w.Code != http.StatusServiceUnavailable {
			t.Errorf("/readyz gives %d while tasks drain, want 503", w.Code)
		}
		if w := get(o, "/livez"); w.Code != http.StatusOK {
			t.Errorf("/livez gives %d while tasks drain", w.Code)
		}
		close(release)
		if err := <-result; err != nil {
			t.Errorf("Start: %v", err)
		}
	})
}

// TestBackgroundElected: Background awaits the election for the leader's tasks,
// unless LeaderBackground has them, whose start says that this process leads.
func TestBackgroundElected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		elected := make(chan struct{})
		o := newOperator(operator.Options{Elected: elected})
		var j journal
		o.Daemon("d", j.waits("d"))
		o.Daemon("leader's", j.waits("leader's"), operator.LeaderOnly())
		stop := startTasks(t, o.Background())
		j.want(t, "before the election", "d")
		close(elected)
		synctest.Wait()
		j.want(t, "after the election", "d", "leader's")
		if err := stop(); err != nil {
			t.Errorf("Start: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{Elected: make(chan struct{})})
		var j journal
		o.Daemon("d", j.waits("d"))
		o.Daemon("leader's", j.waits("leader's"), operator.LeaderOnly())
		everywhere, leader := o.Background(), o.LeaderBackground()
		stop := startTasks(t, everywhere)
		j.want(t, "apart", "d")
		stopLeader := startTasks(t, leader)
		j.want(t, "apart, leading", "d", "leader's")
		if err := errors.Join(stopLeader(), stop()); err != nil {
			t.Errorf("Start: %v", err)
		}
	})
}

// TestBackgroundAgain: whoever starts the tasks again goes on.
func TestBackgroundAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		var j journal
		o.Daemon("d", j.waits("d"))
		o.Daemon("leader's", j.waits("leader's"), operator.LeaderOnly())
		tasks, leader := o.Background(), o.LeaderBackground()
		ready := func(when string, want int) {
			t.Helper()
			if w := get(o, "/readyz"); w.Code != want {
				t.Errorf("%s: /readyz gives %d, want %d", when, w.Code, want)
			}
		}
		for range 3 {
			stop := startTasks(t, tasks)
			ready("started", http.StatusOK)
			wantLines(t, scrape(t, o), runningLine("d", 1))
			if err := stop(); err != nil {
				t.Errorf("Start: %v", err)
			}
			ready("stopped", http.StatusServiceUnavailable)
			stop = startTasks(t, leader)
			ready("only those of the leader are started", http.StatusServiceUnavailable)
			if err := stop(); err != nil {
				t.Errorf("Start: %v", err)
			}
		}
		j.want(t, "at the end", "d", "d", "d", "leader's", "leader's", "leader's")
	})
}

func TestTasksFail(t *testing.T) {
	errBad := fmt.Errorf("bad luck: %w", operator.ErrStop)
	for name, opts := range map[string][]operator.TaskOption{
		"every replica": nil,
		"leader":        {operator.LeaderOnly()},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOperator(operator.Options{Grace: 7 * time.Second})
				release := make(chan struct{})
				defer close(release)
				awaited := false
				o.Daemon("awaited", func(ctx context.Context) error {
					<-ctx.Done()
					time.Sleep(time.Second)
					awaited = true
					return nil
				}, opts...)
				o.Timer("stuck", time.Hour, func(context.Context) error {
					<-release
					return nil
				}, opts...)
				o.Daemon("critical", func(context.Context) error {
					time.Sleep(time.Minute)
					return errBad
				}, append(opts, operator.Critical())...)
				tasks := o.Background()
				if opts != nil {
					tasks = o.LeaderBackground()
				}
				start := time.Now()
				err := tasks.Start(t.Context())
				want := "daemon \"critical\" has ended: bad luck: stop\ndid not return after being cancelled: timer \"stuck\" (after 7s)"
				if !errors.Is(err, errBad) || err.Error() != want {
					t.Errorf("Start: %v, want %q", err, want)
				}
				if d := time.Since(start); d != time.Minute+7*time.Second || !awaited {
					t.Errorf("Start took %s, and has awaited the other: %v; want a minute and the grace", d, awaited)
				}
			})
		})
	}
}

// TestGrace: each task may have less than all of them.
func TestGrace(t *testing.T) {
	const s = time.Second
	type task struct {
		name  string
		takes time.Duration
		opts  []operator.TaskOption
	}
	f := func(name string, tasks []task, lasts time.Duration, stuck ...string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			o := newOperator(operator.Options{Grace: 10 * s})
			for i, x := range tasks {
				fn := func(ctx context.Context) error {
					<-ctx.Done()
					time.Sleep(x.takes)
					return nil
				}
				if i%2 == 0 {
					o.Daemon(x.name, fn, x.opts...)
				} else {
					o.Timer(x.name, time.Hour, fn, x.opts...)
				}
			}
			stop := background(t, o)
			start := time.Now()
			err := stop()
			if d := time.Since(start); d != lasts {
				t.Errorf("%s: Run took %s to end, want %s", name, d, lasts)
			}
			want := "did not return after being cancelled: " + strings.Join(stuck, ", ")
			if len(stuck) == 0 && err != nil || len(stuck) > 0 && (err == nil || err.Error() != want) {
				t.Errorf("%s: Run: %v, want %q", name, err, stuck)
			}
			time.Sleep(time.Hour) // let them end
		})
	}
	grace := func(d time.Duration) []operator.TaskOption { return []operator.TaskOption{operator.Grace(d)} }
	f("in time", []task{{"a", s, grace(2 * s)}, {"b", 9 * s, nil}}, 9*s)
	f("not in time", []task{{"a", 3 * s, grace(2 * s)}}, 2*s, `daemon "a" (after 2s)`)
	f("a timer", []task{{"a", 0, nil}, {"b", 3 * s, grace(2 * s)}}, 2*s, `timer "b" (after 2s)`)
	f("each its own", []task{{"c", 60 * s, grace(5 * s)}, {"b", 60 * s, nil}, {"a", 60 * s, grace(2 * s)}}, 10*s,
		`daemon "a" (after 2s)`, `daemon "c" (after 5s)`, `timer "b" (after 10s)`)
	f("more than all have", []task{{"a", 60 * s, grace(60 * s)}}, 10*s, `daemon "a" (after 10s)`)
	f("none of its own", []task{{"a", 9 * s, grace(0)}, {"b", 9 * s, grace(-s)}}, 9*s)
}
