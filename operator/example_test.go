package operator_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// show prints what the Operator answers.
func show(o *operator.Operator, path string) {
	w := httptest.NewRecorder()
	o.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	fmt.Println(w.Code)
	fmt.Print(w.Body)
}

func ExampleNew() {
	op := operator.New(operator.Options{Addr: "127.0.0.1:0"})
	op.Expose("/metrics", exposition.Prometheus{})
	op.Handle("GET /hello", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hello\n")
	}))
	show(op, "/hello") // on a server of one's own; Run has one itself

	// In main, the context is one of signal.NotifyContext.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	fmt.Println(op.Run(ctx))
	// Output:
	// 200
	// hello
	// <nil>
}

func ExampleOperator_Collect() {
	op := operator.New(operator.Options{})
	op.SelfMetrics("")
	op.Expose("/metrics", exposition.Prometheus{})
	op.Collect("queues", func(ctx context.Context, emit func(operator.Metric)) error {
		for name, depth := range map[string]int{"mail": 3, "build": 0} {
			emit(operator.Metric{
				Name:   "queue_depth",
				Help:   "Tasks that wait.",
				Type:   metric.Gauge,
				Labels: metric.Labels("queue", name),
				Value:  float64(depth),
			})
		}
		return ctx.Err()
	}, operator.Timeout(2*time.Second), operator.MaxSamples(1000))
	show(op, "/metrics")
	// Output:
	// 200
	// # HELP queue_depth Tasks that wait.
	// # TYPE queue_depth gauge
	// queue_depth{queue="build"} 0
	// queue_depth{queue="mail"} 3
}

// A histogram is one sample: its buckets, which count up to their bounds, with
// the sum and the number of what was observed.
func ExampleOperator_Collect_histogram() {
	op := operator.New(operator.Options{})
	op.SelfMetrics("")
	op.Expose("/metrics", exposition.Prometheus{})
	op.Collect("backups", func(_ context.Context, emit func(operator.Metric)) error {
		emit(operator.Metric{
			Name: "backup_age_seconds",
			Help: "Ages of the last backups.",
			Unit: "seconds",
			Type: metric.GaugeHistogram, // as the counts may go down
			Histogram: &metric.HistogramValue{
				Count:   4,
				Sum:     7260,
				Buckets: []metric.Bucket{{UpperBound: 60, Count: 1}, {UpperBound: 3600, Count: 4}},
			},
		})
		return nil
	})
	show(op, "/metrics")
	// Output:
	// 200
	// # HELP backup_age_seconds Ages of the last backups.
	// # TYPE backup_age_seconds histogram
	// backup_age_seconds_bucket{le="60"} 1
	// backup_age_seconds_bucket{le="3600"} 4
	// backup_age_seconds_bucket{le="+Inf"} 4
	// backup_age_seconds_sum 7260
	// backup_age_seconds_count 4
}

func ExampleFromSeq() {
	op := operator.New(operator.Options{})
	op.SelfMetrics("")
	op.Expose("/metrics", exposition.Prometheus{})
	op.Collect("disks", operator.FromSeq(func(context.Context) iter.Seq2[operator.Metric, error] {
		return func(yield func(operator.Metric, error) bool) {
			for i, free := range []float64{7e9, 2e9} {
				m := operator.Metric{Name: "disk_free_bytes", Unit: "bytes", Type: metric.Gauge, Value: free}
				m.Labels = metric.Labels("disk", fmt.Sprint(i))
				if !yield(m, nil) {
					return
				}
			}
		}
	}))
	show(op, "/metrics")
	// Output:
	// 200
	// # TYPE disk_free_bytes gauge
	// disk_free_bytes{disk="0"} 7e+09
	// disk_free_bytes{disk="1"} 2e+09
}

// requests is a counter that is counted where things happen, and a source.
type requests struct{ served atomic.Uint64 }

func (r *requests) Families(context.Context) ([]metric.Family, error) {
	return []metric.Family{{
		Desc:    metric.Desc{Name: "requests_total", Help: "Requests.", Type: metric.Counter},
		Samples: []metric.Sample{{Value: float64(r.served.Load())}},
	}}, nil
}

func ExampleOperator_AddSource() {
	var r requests
	op := operator.New(operator.Options{})
	op.SelfMetrics("")
	op.Expose("/metrics", exposition.Prometheus{})
	op.AddSource("requests", &r)
	r.served.Add(2)
	show(op, "/metrics")
	// Output:
	// 200
	// # HELP requests_total Requests.
	// # TYPE requests_total counter
	// requests_total 2
}

// The same metrics for programs that do not know Prometheus.
func ExampleOperator_Expose_json() {
	var r requests
	op := operator.New(operator.Options{})
	op.SelfMetrics("")
	op.AddSource("requests", &r)
	op.Expose("/metrics.json", exposition.JSON{})
	show(op, "/metrics.json")
	// Output:
	// 200
	// [{"name":"requests_total","type":"counter","help":"Requests.","samples":[{"labels":{},"value":0}]}]
}

// readyLines is a part whose lines were made before the scrape.
type readyLines []byte

func (readyLines) Families() []string { return []string{"object_info"} }

func (p readyLines) Gather(context.Context, exposition.Format) ([]exposition.Rendered, error) {
	return []exposition.Rendered{{
		Desc:   metric.Desc{Name: "object_info", Help: "Objects.", Type: metric.Info},
		Chunks: []exposition.Chunk{{Raw: p}},
	}}, nil
}

func ExampleOperator_AddPart() {
	var lines []byte
	for _, name := range []string{"a", "b"} {
		lines = exposition.AppendSample(lines, "object_info", metric.Labels("name", name), 1)
	}
	op := operator.New(operator.Options{})
	op.SelfMetrics("")
	op.Expose("/metrics", exposition.Prometheus{})
	op.AddPart("objects", readyLines(lines))
	show(op, "/metrics")
	// Output:
	// 200
	// # HELP object_info Objects.
	// # TYPE object_info gauge
	// object_info{name="a"} 1
	// object_info{name="b"} 1
}

// download is a part whose lines lie in memory of a pool.
type download struct{ buffers *sync.Pool }

func (download) Families() []string { return nil }

func (p download) Gather(ctx context.Context, _ exposition.Format) ([]exposition.Rendered, error) {
	body := p.buffers.Get().(*bytes.Buffer)
	operator.Cleanup(ctx, func() {
		fmt.Println("given back")
		body.Reset()
		p.buffers.Put(body)
	})
	body.WriteString("a 1\na 2\n") // what somebody has sent, say
	return []exposition.Rendered{{
		Desc: metric.Desc{Name: "a", Type: metric.Gauge},
		Lines: func(buf []byte, full func([]byte) []byte) []byte {
			number := 0
			for line := range bytes.Lines(body.Bytes()) {
				number++
				buf = fmt.Appendf(buf, "a{line=\"%d\"}%s", number, bytes.TrimPrefix(line, []byte("a")))
				if len(buf) >= 64<<10 {
					if buf = full(buf); buf == nil {
						return nil
					}
				}
			}
			return buf
		},
	}}, nil
}

func ExampleCleanup() {
	op := operator.New(operator.Options{})
	op.SelfMetrics("")
	op.Expose("/metrics", exposition.Prometheus{})
	op.AddPart("download", download{&sync.Pool{New: func() any { return new(bytes.Buffer) }}})
	show(op, "/metrics")
	// Output:
	// given back
	// 200
	// # TYPE a gauge
	// a{line="1"} 1
	// a{line="2"} 2
}

func ExampleOperator_Daemon() {
	op := operator.New(operator.Options{Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	runs := 0
	op.Daemon("pump", func(ctx context.Context) error {
		runs++
		fmt.Println("run", runs)
		if runs < 3 {
			return errors.New("the pump is stuck") // it is started again
		}
		cancel() // as a signal would
		<-ctx.Done()
		return nil
	}, operator.Restart(time.Millisecond, time.Second, time.Minute))
	fmt.Println(op.Run(ctx))
	// Output:
	// run 1
	// run 2
	// run 3
	// <nil>
}

func ExampleOperator_Timer() {
	op := operator.New(operator.Options{Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	calls := 0
	op.Timer("resync", time.Millisecond, func(context.Context) error {
		calls++
		fmt.Println("call", calls)
		switch calls {
		case 2:
			return errors.New("the API server is away") // it is called again after the pause of Restart
		case 4:
			cancel()
		}
		return nil
	}, operator.Restart(time.Millisecond, time.Second, 0), operator.Jitter(0.1))
	fmt.Println(op.Run(ctx))
	// Output:
	// call 1
	// call 2
	// call 3
	// call 4
	// <nil>
}

func ExampleOperator_Probe() {
	op := operator.New(operator.Options{})
	op.Probe("queue", func(context.Context) (any, error) {
		return map[string]int{"depth": 3, "workers": 2}, nil
	})
	op.Probe("upstream", func(context.Context) (any, error) {
		return nil, errors.New("connection refused") // costs the others nothing
	})
	show(op, "/probes")
	// Output:
	// 200
	// {"queue":{"depth":3,"workers":2},"upstream":{"error":"connection refused"}}
}

func ExampleOperator_Check() {
	op := operator.New(operator.Options{})
	op.Check(operator.Ready, "cache", func(context.Context) error {
		return errors.New("not synced yet")
	})
	op.Check(operator.Ready, "disk", func(context.Context) error { return nil })
	show(op, "/readyz?verbose")
	// Output:
	// 503
	// [-]cache failed: not synced yet
	// [+]disk ok
	// [+]shutdown ok
	// readyz check failed
}

// Package kubeauth has a middleware that asks the API server. This one knows
// one token.
func ExampleOperator_Protect() {
	op := operator.New(operator.Options{})
	op.Expose("/metrics", exposition.Prometheus{})
	op.Handle("GET /version", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "v1.2.3\n")
	}), operator.Public())
	op.Protect(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer secret" {
				w.Header().Set("WWW-Authenticate", "Bearer")
				http.Error(w, "who are you?", http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	show(op, "/version")
	show(op, "/metrics")
	// Run would demand TLS now: tokens must not be sent in the clear.

	// Output:
	// 200
	// v1.2.3
	// 401
	// who are you?
}

// An operator as users of kopf have asked for it: metrics that are made while a
// scrape waits, others that are counted as things happen, something that runs
// all the time, something now and then, and routes of one's own, on one port
// and with one lifecycle.
func Example() {
	var created requests // what handlers count; package prom takes a registry of client_golang
	op := operator.New(operator.Options{Addr: "127.0.0.1:0"})
	op.SelfMetrics("") // for a short output
	op.AddSource("created", &created)
	op.Collect("measurement", func(_ context.Context, emit func(operator.Metric)) error {
		emit(operator.Metric{
			Name: "my_measurement", Help: "Some description.", Type: metric.Gauge,
			Labels: metric.Labels("label", "mylabel"), Value: 52,
		})
		return nil
	}, operator.Timeout(2*time.Second))
	running := make(chan struct{})
	op.Daemon("queue", func(ctx context.Context) error {
		created.served.Add(1)
		close(running)
		<-ctx.Done() // it is cancelled, and awaited
		return nil
	}, operator.Restart(time.Second, time.Minute, 5*time.Minute))
	op.Timer("resync", 30*time.Second, func(context.Context) error { return nil })
	op.Probe("now", func(context.Context) (any, error) { return "2019-11-07T18:03:52Z", nil })
	op.Check(operator.Ready, "cache", func(context.Context) error { return nil })
	op.Handle("GET /debug/state", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "fine\n")
	}))
	op.Expose("/metrics", exposition.Prometheus{})

	// In main, the context is one of signal.NotifyContext.
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- op.Run(ctx) }()
	<-op.Ready()
	<-running
	for _, path := range []string{"/metrics", "/probes", "/debug/state", "/readyz?verbose"} {
		show(op, path)
	}
	stop()
	fmt.Println(<-ended)
	// Output:
	// 200
	// # HELP my_measurement Some description.
	// # TYPE my_measurement gauge
	// my_measurement{label="mylabel"} 52
	// # HELP requests_total Requests.
	// # TYPE requests_total counter
	// requests_total 1
	// 200
	// {"now":"2019-11-07T18:03:52Z"}
	// 200
	// fine
	// 200
	// [+]cache ok
	// [+]shutdown ok
	// readyz check passed
	// <nil>
}
