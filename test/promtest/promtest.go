package promtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	_ "github.com/prometheus/prometheus/discovery/http"       // http_sd_configs
	_ "github.com/prometheus/prometheus/discovery/kubernetes" // kubernetes_sd_configs
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// The values of scrape_protocols, each of which is a format.
const (
	Text        = "PrometheusText0.0.4"
	OpenMetrics = "OpenMetricsText1.0.0"
	Protobuf    = "PrometheusProto"
)

// Server is a Prometheus.
type Server struct {
	db  *tsdb.DB
	log *logs
}

// New returns a Prometheus with an empty database until the test ends.
func New(t testing.TB) *Server {
	t.Helper()
	db, err := tsdb.Open(t.TempDir(), nil, nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{db: db, log: &logs{}}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("log of Prometheus:\n%s", s.log)
		}
	})
	return s
}

// Scrape scrapes a URL once, as the job "proxy" with one of the formats.
func (s *Server) Scrape(t testing.TB, url, protocol string) {
	t.Helper()
	host, path, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	s.Run(t, fmt.Sprintf(`
scrape_configs:
- job_name: proxy
  metrics_path: /%s
  scrape_interval: 10m
  scrape_timeout: 30s
  scrape_native_histograms: true
  always_scrape_classic_histograms: true
  scrape_protocols: [%s]
  static_configs:
  - targets: [%q]
`, path, protocol, host), 1)
}

// Run loads a configuration, waits until it has so many targets, and scrapes each
// once. Its scrape interval should be long.
func (s *Server) Run(t testing.TB, configuration string, targets int) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg, err := config.Load(configuration, log)
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	metrics, err := discovery.CreateAndRegisterSDMetrics(registry)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	found := discovery.NewManager(ctx, log, registry, metrics, discovery.Updatert(10*time.Millisecond))
	// When the manager stops it scrapes once more without regard to the interval:
	// so there is no wait for the scrape.
	manager, err := scrape.NewManager(
		&scrape.Options{DiscoveryReloadOnStartup: true, ScrapeOnShutdown: true}, log, nil, nil, s.db, registry)
	if err != nil {
		t.Fatal(err)
	}
	configs := make(map[string]discovery.Configs)
	for _, c := range cfg.ScrapeConfigs {
		configs[c.JobName] = c.ServiceDiscoveryConfigs
	}
	if err := errors.Join(manager.ApplyConfig(cfg), found.ApplyConfig(configs)); err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() { _ = found.Run() })
	running.Go(func() { _ = manager.Run(found.SyncCh()) })
	defer running.Wait()
	defer cancel()
	defer manager.Stop()
	wait(t, manager, targets)
}

// wait waits until a manager knows its targets.
func wait(t testing.TB, manager *scrape.Manager, targets int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(30 * time.Second)
	for {
		n := 0
		for _, active := range manager.TargetsActive() {
			n += len(active)
		}
		if n == targets {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("Prometheus has %d targets, want %d", n, targets)
		}
	}
}

// Series are the last values of series by their names and labels, as
// labels.Labels.String writes them but without job and instance. A native
// histogram has its count as value, and "(native)" behind its name.
type Series map[string]float64

// Series returns all series. Scrapes do not know of each other: a series that an
// earlier one has stored is not stale when the next has none of it.
func (s *Server) Series(t testing.TB) Series {
	t.Helper()
	return s.series(t, labels.MustNewMatcher(labels.MatchNotEqual, "__name__", ""))
}

// SeriesOf returns the series of a job.
func (s *Server) SeriesOf(t testing.TB, job string) Series {
	t.Helper()
	return s.series(t, labels.MustNewMatcher(labels.MatchEqual, "job", job))
}

func (s *Server) series(t testing.TB, which *labels.Matcher) Series {
	t.Helper()
	q, err := s.db.Querier(math.MinInt64, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = q.Close() }()
	out := Series{}
	set := q.Select(t.Context(), false, nil, which)
	var it chunkenc.Iterator
	for set.Next() {
		series := set.At()
		it = series.Iterator(it)
		key := Key(series.Labels())
		for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
			delete(out, key)
			delete(out, key+"(native)")
			switch kind {
			case chunkenc.ValFloat:
				if _, v := it.At(); !math.IsNaN(v) || math.Float64bits(v) != staleNaN {
					out[key] = v
				}
			case chunkenc.ValHistogram, chunkenc.ValFloatHistogram:
				_, h := it.AtFloatHistogram(nil)
				if math.Float64bits(h.Sum) != staleNaN {
					out[key+"(native)"] = h.Count
				}
			}
		}
		if err := it.Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := set.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

const staleNaN = 0x7ff0000000000002

// Key writes name and labels as [Series] has them.
func Key(l labels.Labels) string {
	b := labels.NewBuilder(l)
	b.Del("__name__", "job", "instance")
	name, rest := l.Get("__name__"), b.Labels()
	if rest.IsEmpty() {
		return name
	}
	return name + rest.String()
}

// Bounds returns the series with the bounds of buckets, and quantiles, as the
// shortest numbers: Prometheus writes 1.0 of what it scrapes, and 1 of what is
// pushed to it.
func (s Series) Bounds() Series {
	out := make(Series, len(s))
	for key, v := range s {
		out[bound.ReplaceAllStringFunc(key, shortest)] = v
	}
	return out
}

var bound = regexp.MustCompile(`\b(le|quantile)="([^"]*)"`)

func shortest(label string) string {
	m := bound.FindStringSubmatch(label)
	f, err := strconv.ParseFloat(m[2], 64)
	if err != nil {
		return label
	}
	return m[1] + `="` + strconv.FormatFloat(f, 'g', -1, 64) + `"`
}

// Log is what Prometheus has logged.
func (s *Server) Log() string { return s.log.String() }

// logs gathers what is written to it.
type logs struct {
	mu  sync.Mutex
	buf strings.Builder
}

// Write implements io.Writer.
func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String returns all that was written.
func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
