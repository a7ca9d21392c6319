package otlp_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/kubevitals/kubevitals/internal/otlp"
	"github.com/kubevitals/kubevitals/internal/otlp/client"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

// store is what a receiver has recorded.
type store struct {
	pmetricotlp.UnimplementedGRPCServer
	t testing.TB

	mu     sync.Mutex
	fault  fault
	faults int // how many requests have had it
	state  map[string]string
}

// fault is what the first requests get.
type fault struct {
	http   func(http.ResponseWriter)
	grpc   func() (pmetricotlp.ExportResponse, error)
	record bool // all the same
}

// take records metrics, or says that this request has the fault.
func (s *store) take(md pmetric.Metrics) (faulty bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	faulty = (s.fault.http != nil || s.fault.grpc != nil) && s.faults < 2
	if faulty {
		s.faults++
	}
	if faulty && !s.fault.record {
		return true
	}
	eachPoint(md, func(series, value string) {
		if value == "ended" {
			delete(s.state, series)
		} else {
			s.state[series] = value
		}
	})
	return faulty
}

func (s *store) Export(_ context.Context, req pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	if s.take(req.Metrics()) {
		return s.fault.grpc()
	}
	return pmetricotlp.NewExportResponse(), nil
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(http.MaxBytesReader(w, r.Body, 20<<20))
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			return // the connection died
		}
		body = z
	}
	p, err := io.ReadAll(io.LimitReader(body, 4<<20+1))
	if err != nil {
		return
	}
	if len(p) > 4<<20 {
		http.Error(w, "http: request body too large", http.StatusBadRequest)
		return
	}
	md, err := new(pmetric.ProtoUnmarshaler).UnmarshalMetrics(p)
	if err != nil {
		s.t.Errorf("a request that cannot be read: %v", err)
	}
	if s.take(md) {
		s.fault.http(w)
	}
}

// get returns what is recorded.
func (s *store) get() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.state)
}

// cut passes connections on, and ends the first ones in the middle.
func cut(t testing.TB, to string, cuts int) string {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; n++ {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer func() { _ = conn.Close() }()
				up, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", to)
				if err != nil {
					return
				}
				defer func() { _ = up.Close() }()
				wg.Go(func() { _, _ = io.Copy(conn, up); _ = conn.Close() })
				if n < cuts {
					_, _ = io.CopyN(up, conn, 20_000)
				} else {
					_, _ = io.Copy(up, conn)
				}
			})
		}
	})
	t.Cleanup(func() { _ = ln.Close(); wg.Wait() })
	return ln.Addr().String()
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never came true: %s", what)
		}
	}
}

// TestReceivers: whatever becomes of the first requests, in the end a receiver has
// what there is, and nothing that there is not.
func TestReceivers(t *testing.T) {
	retryInfo := func() (pmetricotlp.ExportResponse, error) {
		st, _ := status.New(codes.ResourceExhausted, "slow down").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(20 * time.Millisecond)})
		return pmetricotlp.NewExportResponse(), st.Err()
	}
	rejects := pmetricotlp.NewExportResponse()
	rejects.PartialSuccess().SetRejectedDataPoints(1)
	rejectBytes, _ := rejects.MarshalProto()
	for name, c := range map[string]struct {
		fault fault
		cuts  int
		limit int
		want  string // a self-metric
	}{
		"all is well": {want: "requests_total accepted"},
		"429, ResourceExhausted": {fault: fault{
			http: func(w http.ResponseWriter) {
				w.Header().Set("Retry-After", "0")
				w.WriteHeader(http.StatusTooManyRequests)
			},
			grpc: retryInfo,
		}, want: "requests_total retry"},
		"503, Unavailable": {fault: fault{
			http: func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) },
			grpc: func() (pmetricotlp.ExportResponse, error) {
				return pmetricotlp.NewExportResponse(), status.Error(codes.Unavailable, "no")
			},
		}, want: "requests_total retry"},
		"recorded, and then 503": {fault: fault{
			record: true,
			http:   func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) },
			grpc: func() (pmetricotlp.ExportResponse, error) {
				return pmetricotlp.NewExportResponse(), status.Error(codes.DataLoss, "no")
			},
		}, want: "requests_total retry"},
		"partial success": {fault: fault{
			record: true,
			http: func(w http.ResponseWriter) {
				w.Header().Set("Content-Type", "application/x-protobuf")
				_, _ = w.Write(rejectBytes)
			},
			grpc: func() (pmetricotlp.ExportResponse, error) { return rejects, nil },
		}, want: "points_total rejected"},
		"4 MiB":              {limit: 16 << 20, want: "requests_total too_large"},
		"dies in the middle": {cuts: 2, want: "requests_total retry"},
	} {
		for _, protocol := range []client.Protocol{client.GRPC, client.HTTP} {
			t.Run(name+"/"+string(protocol), func(t *testing.T) {
				t.Parallel()
				s := &store{t: t, fault: c.fault, state: make(map[string]string)}
				addr := s.serve(t, protocol)
				if c.cuts > 0 {
					addr = cut(t, addr, c.cuts)
				}
				s.check(t, client.Config{Endpoint: "http://" + addr, Protocol: protocol, AllSignals: true, Plain: c.cuts > 0}, c.limit, c.want)
			})
		}
	}
}

// serve starts a real server.
func (s *store) serve(t *testing.T, protocol client.Protocol) string {
	if protocol == client.HTTP {
		web := httptest.NewServer(s)
		t.Cleanup(web.Close)
		return strings.TrimPrefix(web.URL, "http://")
	}
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	pmetricotlp.RegisterGRPCServer(server, s)
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(ln) }()
	t.Cleanup(func() { server.Stop(); <-done })
	return ln.Addr().String()
}

// check pushes, changes what there is, and looks at the store.
func (s *store) check(t *testing.T, config client.Config, limit int, want string) {
	c, err := client.New(config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	w := &world{values: many(5000, 1000)}
	if limit == 0 {
		w.values = many(200, 1000)
		limit = 50_000
	}
	op := operator.New(operator.Options{Logger: slog.New(slog.DiscardHandler)})
	op.SelfMetrics("")
	op.Collect("world", w.collect)
	opts := otlp.Options{
		Client: c, Logger: slog.New(slog.DiscardHandler), MinInterval: 10 * time.Millisecond, Backoff: 20 * time.Millisecond,
		Source: func(ctx context.Context, f exposition.Format) (*operator.Snapshot, error) { return op.Snapshot(ctx, f) },
	}
	opts.Points.Limit = limit
	p, err := otlp.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = p.Run(ctx) })
	defer wg.Wait()
	defer cancel()

	expected := func() map[string]string {
		out := make(map[string]string)
		for x, v := range w.values {
			out["a/"+x] = fmt.Sprint(v)
		}
		return out
	}
	eventually(t, "all is there", func() bool { return cmp.Equal(expected(), s.get()) })
	first := w.values
	w.set(many(7, 3))
	for x := range first { // and some stay, with other values
		if len(w.values) < 50 {
			w.mu.Lock()
			w.values[x] = -1
			w.mu.Unlock()
		}
	}
	eventually(t, "what is gone has ended", func() bool { p.Notify(); return cmp.Equal(expected(), s.get()) })
	eventually(t, want, func() bool {
		return strings.Contains(strings.Join(numbers(t, p, "requests_total", "points_total"), "\n"), want)
	})
	eventually(t, "nothing is queued", func() bool {
		return cmp.Equal(numbers(t, p, "tracked_series", "queue_tombstones"), []string{fmt.Sprint("tracked_series ", len(w.values))})
	})
}
