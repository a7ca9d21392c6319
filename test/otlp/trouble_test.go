package otlp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/kubevitals/kubevitals/test/controlplane"
	"github.com/kubevitals/kubevitals/test/program"
)

// step is what becomes of one request that a front gets for a receiver.
type step func(w http.ResponseWriter, r *http.Request, receiver http.Handler)

// front stands in front of the Collector's receiver, which itself neither limits
// clients nor takes a part: the first requests take one step each, the others
// pass.
type front struct {
	mu    sync.Mutex
	steps []step
	came  []time.Time // requests
}

// answers is a step that does not ask the receiver.
func answers(code int, header ...string) step {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		_, _ = io.Copy(io.Discard, r.Body)
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

// recorded is a step that asks the receiver, and says something else than it does.
func recorded(say step) step {
	return func(w http.ResponseWriter, r *http.Request, receiver http.Handler) {
		receiver.ServeHTTP(httptest.NewRecorder(), r)
		say(w, r, receiver)
	}
}

// rejects is a step that does not take some points.
func rejects(n int64) step {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		resp := pmetricotlp.NewExportResponse()
		resp.PartialSuccess().SetRejectedDataPoints(n)
		resp.PartialSuccess().SetErrorMessage("not those")
		body, err := resp.MarshalProto()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = w.Write(body)
	}
}

// serve starts the front of a receiver, and returns where it listens.
func (f *front) serve(t *testing.T, receiver string) string {
	t.Helper()
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: receiver})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.came = append(f.came, time.Now())
		var next step
		if len(f.steps) > 0 {
			next, f.steps = f.steps[0], f.steps[1:]
		}
		f.mu.Unlock()
		if next == nil {
			proxy.ServeHTTP(w, r)
			return
		}
		next(w, r, proxy)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// pause returns how long it took until the second request came.
func (f *front) pause() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.came) < 2 {
		return 0
	}
	return f.came[1].Sub(f.came[0])
}

// selfMetric returns the value of a metric kubevitals_otlp_* of a process.
func selfMetric(t *testing.T, p *program.Process, name string) (float64, error) {
	t.Helper()
	_, body := p.Get(t, "/metrics", nil)
	_, rest, found := strings.Cut(string(body), "\nkubevitals_otlp_"+name+" ")
	if !found {
		return 0, fmt.Errorf("there is no kubevitals_otlp_%s", name)
	}
	text, _, _ := strings.Cut(rest, "\n")
	return strconv.ParseFloat(text, 64)
}

// counts waits until all of some metrics are at least 1.
func counts(t *testing.T, p *program.Process, names ...string) {
	t.Helper()
	program.Poll(t, "the counters to tell it", func() error {
		var errs []error
		for _, name := range names {
			n, err := selfMetric(t, p, name)
			if err == nil && n < 1 {
				err = fmt.Errorf("%s is %v", name, n)
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
}

// backoff is the first pause after a failure, if the receiver does not say how long:
// up to a quarter more.
const backoff = 5 * time.Second

// TestFront: what a receiver may answer by the protocol, and the Collector's alone
// does not, leads to nothing wrong in it.
func TestFront(t *testing.T) {
	retried := `requests_total{result="retry"}`
	for _, tt := range []struct {
		name  string
		steps []step
		least time.Duration // until the second request
		want  []string
	}{
		{"429 with Retry-After", []step{answers(http.StatusTooManyRequests, "Retry-After", "8")}, 8 * time.Second,
			[]string{retried, `pushes_total{result="superseded"}`}},
		{"503", []step{answers(http.StatusServiceUnavailable)}, backoff, []string{retried}},
		{"recorded, and then 503", []step{recorded(answers(http.StatusServiceUnavailable))}, backoff, []string{retried}},
		{"partial success", []step{recorded(rejects(3))}, 0, []string{`pushes_total{result="partial"}`, `points_total{result="rejected"}`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, f := new(sink), &front{steps: tt.steps}
			p, file := backup(t, "--otlp-endpoint", f.serve(t, receive(t, s, "http", nil)))
			counts(t, p, append(tt.want, `requests_total{result="accepted"}`)...)
			arrives(t, s, 12, false)
			if pause := f.pause(); pause < tt.least {
				t.Errorf("the receiver was left alone for %s, want %s at least", pause, tt.least)
			}
			write(t, file, objects[:strings.Index(objects, "---")])
			arrives(t, s, 0, true)
			s.check(t)
			settled(t, p)
		})
	}
}

// settled waits until nothing is left to be said of what is gone.
func settled(t *testing.T, p *program.Process) {
	t.Helper()
	program.Poll(t, "the tombstones to be acknowledged", func() error {
		n, err := selfMetric(t, p, "queue_tombstones")
		if err == nil && n != 0 {
			err = fmt.Errorf("there are still %v", n)
		}
		return err
	})
}

// TestRetryInfo: by gRPC, a receiver that has no room says when it will have some.
func TestRetryInfo(t *testing.T) {
	t.Parallel()
	const after = 8 * time.Second // more than the first pause otherwise is
	var came []time.Time          // guarded by the sink
	s := &sink{fail: func(n int) error {
		came = append(came, time.Now())
		if n > 1 {
			return nil
		}
		st, err := status.New(codes.ResourceExhausted, "no room").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(after)})
		if err != nil {
			return err
		}
		return st.Err()
	}}
	p, _ := backup(t, "--otlp-endpoint", "http://"+receive(t, s, "grpc", nil), "--otlp-protocol=grpc")
	arrives(t, s, 12, false)
	counts(t, p, `requests_total{result="retry"}`)
	s.check(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if pause := came[1].Sub(came[0]); pause < after {
		t.Errorf("the receiver was left alone for %s, want %s", pause, after)
	}
}

// cut passes connections on, but ends the first ones after so many bytes. It
// returns where it listens.
func cut(t *testing.T, to string, cuts int, after int64) string {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	pass := func(conn net.Conn, cutting bool) {
		defer func() { _ = conn.Close() }()
		up, err := new(net.Dialer).DialContext(context.WithoutCancel(t.Context()), "tcp", to)
		if err != nil {
			return
		}
		defer func() { _ = up.Close() }()
		running.Go(func() { _, _ = io.Copy(conn, up); _ = conn.Close() })
		if cutting {
			_, _ = io.CopyN(up, conn, after)
			return
		}
		_, _ = io.Copy(up, conn)
	}
	running.Go(func() {
		for n := 0; ; n++ {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() { pass(conn, n < cuts) })
		}
	})
	t.Cleanup(func() { _ = ln.Close() })
	return ln.Addr().String()
}

// many are objects, each with its number and a version.
func many(n, version int) string {
	var out strings.Builder
	out.WriteString(strings.TrimSpace(strings.Replace(objects, "done: 12", "done: "+strconv.Itoa(version), 1)))
	for i := range n {
		fmt.Fprintf(&out, "\n---\n{apiVersion: example.com/v1, kind: Backup, metadata: {name: b%d, namespace: db}, status: {phase: Done, done: %d}}", i, version)
	}
	return out.String() + "\n"
}

// replace gives a file another content at once.
func replace(t *testing.T, file, text string) {
	t.Helper()
	write(t, file+".new", text)
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// TestCut: the connection ends in the middle of a request. What of it had arrived is
// of no request, and the next has it all.
func TestCut(t *testing.T) {
	for _, protocol := range []string{"grpc", "http"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			s := new(sink)
			flag := map[string]string{"grpc": "grpc", "http": "http/protobuf"}[protocol]
			address := cut(t, receive(t, s, protocol, nil), 1, 1000)
			p, file := backup(t, "--otlp-endpoint", "http://"+address, "--otlp-protocol", flag, "--otlp-plain")
			counts(t, p, `requests_total{result="retry"}`, `requests_total{result="accepted"}`)
			arrives(t, s, 12, false)
			replace(t, file, objects[:strings.Index(objects, "---")])
			arrives(t, s, 0, true)
			s.check(t)
			settled(t, p)
		})
	}
}

// TestNothingQueues: while nobody listens there are many changes. Whoever listens at
// last gets the newest of them, and of what was before at most what was on its way.
func TestNothingQueues(t *testing.T) {
	t.Parallel()
	const count, last = 300, 15
	port, err := controlplane.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	p, file := backup(t, "--otlp-endpoint", "http://"+address)
	for version := 1; version <= last; version++ {
		replace(t, file, many(count, version))
		served(t, p, version)
	}
	counts(t, p, `requests_total{result="retry"}`)
	for _, name := range []string{"tracked_series", "queue_tombstones"} {
		if n, err := selfMetric(t, p, name); err != nil || n != 0 {
			t.Errorf("%s is %v (%v) though nobody has ever listened", name, n, err)
		}
	}
	s := new(sink)
	came := time.Now()
	if _, err := receiveAt(t, s, "http", address, nil); err != nil {
		t.Fatal(err)
	}
	arrives(t, s, last, false)
	s.check(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	before := make(map[time.Time]bool)
	for _, points := range s.points {
		for _, p := range points {
			if p.at.Before(came) {
				before[p.at] = true
			}
		}
	}
	if len(before) > 1 {
		t.Errorf("%d snapshots arrived of the time in which nobody listened", len(before))
	}
	for i := range count {
		key := fmt.Sprintf("backup_size_bytes{exported_job=mine,name=b%d,namespace=db}", i)
		if all := s.points[key]; len(all) == 0 || all[len(all)-1].value != last {
			t.Fatalf("%s: %+v", key, all)
		}
	}
}

// served waits until a process serves a version.
func served(t *testing.T, p *program.Process, version int) {
	t.Helper()
	program.Poll(t, "the version to be served", func() error {
		_, body := p.Get(t, "/metrics", nil)
		if n := strings.Count(string(body), fmt.Sprintf("} %d\n", version)); n < 300 {
			return fmt.Errorf("%d series have it", n)
		}
		return nil
	})
}
