package operator_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
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
