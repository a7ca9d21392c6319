package queries

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/kubevitals/kubevitals/test/program"
)

// job is the name of the one scrape configuration.
const job = "kubevitals"

// scrapeOptions are what differs between the Prometheus servers of the tests.
type scrapeOptions struct {
	honorLabels bool
	// protocols are the values of scrape_protocols, Prometheus' default when
	// there are none.
	protocols []string
	// parseStart is what the feature flag for start timestamps sets: a sample
	// of OpenMetrics whose name ends in _created may then be one.
	parseStart bool
}

// server is a Prometheus that has scraped kubevitals.
type server struct {
	db     *tsdb.DB
	engine *promql.Engine

	scraped  exposition           // what kubevitals answered
	registry *prometheus.Registry // of the scrape manager
	log      *program.Output      // of the scrape manager
}

// scrapeOnce scrapes the kubevitals at url as Prometheus does.
func scrapeOnce(t *testing.T, url string, opts scrapeOptions) *server {
	t.Helper()
	s := &server{registry: prometheus.NewRegistry(), log: &program.Output{}}
	s.open(t)
	// The interval is long, and when the manager stops it scrapes once more
	// without regard to it: so there is no wait for the scrape.
	manager, err := scrape.NewManager(
		&scrape.Options{DiscoveryReloadOnStartup: true, ScrapeOnShutdown: true, ParseST: opts.parseStart},
		slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		nil, nil, s.db, s.registry)
	if err != nil {
		t.Fatal(err)
	}
	through := record(t, url)
	cfg := configuration(t, through.Listener.Addr().String(), strings.TrimPrefix(url, "http://"), opts)
	if err := manager.ApplyConfig(cfg); err != nil {
		t.Fatal(err)
	}
	found, ok := cfg.ScrapeConfigs[0].ServiceDiscoveryConfigs[0].(discovery.StaticConfig)
	if !ok {
		t.Fatalf("the configuration discovers by %T", cfg.ScrapeConfigs[0].ServiceDiscoveryConfigs[0])
	}
	targets := make(chan map[string][]*targetgroup.Group, 1)
	targets <- map[string][]*targetgroup.Group{job: found}
	ended := make(chan error, 1)
	go func() { ended <- manager.Run(targets) }()
	program.Poll(t, "Prometheus to know its target", func() error {
		if len(manager.TargetsActive()[job]) != 1 {
			return errors.New("no target yet")
		}
		return nil
	})
	manager.Stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	s.scraped = through.recorded()
	return s
}

// open opens an empty database and a query engine with Prometheus' defaults.
func (s *server) open(t *testing.T) {
	t.Helper()
	var err error
	s.db, err = tsdb.Open(t.TempDir(), nil, nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s.engine = promql.NewEngine(promql.EngineOpts{
		MaxSamples:           50_000_000,
		Timeout:              time.Minute,
		LookbackDelta:        5 * time.Minute,
		EnableAtModifier:     true,
		EnableNegativeOffset: true,
	})
	t.Cleanup(func() {
		if err := errors.Join(s.engine.Close(), s.db.Close()); err != nil {
			t.Error(err)
		}
	})
}

// configuration is that of a Prometheus in the cluster: service discovery gives
// the target the namespace of the pod, which is not that of the objects.
func configuration(t *testing.T, address, instance string, opts scrapeOptions) *config.Config {
	t.Helper()
	protocols := ""
	if len(opts.protocols) > 0 {
		protocols = "scrape_protocols: [" + strings.Join(opts.protocols, ", ") + "]"
	}
	cfg, err := config.Load(fmt.Sprintf(`
scrape_configs:
- job_name: %s
  scrape_interval: 10m
  scrape_timeout: 30s
  honor_labels: %t
  %s
  static_configs:
  - targets: [%q]
    labels:
      instance: %q
      namespace: kubevitals
`, job, opts.honorLabels, protocols, address, instance), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// vector is the result of a query: values by the labels that matter, joined
// by slashes.
type vector map[string]float64

// query evaluates a query now and returns its result by some labels, which must
// tell the rows apart.
func (s *server) query(t *testing.T, promQL string, by ...string) (vector, error) {
	t.Helper()
	q, err := s.engine.NewInstantQuery(t.Context(), s.db, nil, promQL, time.Now())
	if err != nil {
		return nil, err
	}
	defer q.Close()
	result := q.Exec(t.Context())
	rows, err := result.Vector()
	if err != nil {
		return nil, err
	}
	if err := result.Warnings.AsErrors(); len(err) > 0 {
		return nil, errors.Join(err...)
	}
	out := vector{}
	for _, row := range rows {
		values := make([]string, len(by))
		for i, label := range by {
			values[i] = row.Metric.Get(label)
		}
		key := strings.Join(values, "/")
		if _, double := out[key]; double {
			return nil, fmt.Errorf("two rows have %s %q, one is %s", strings.Join(by, "/"), key, row.Metric)
		}
		out[key] = row.F
	}
	return out, nil
}

// labelValues answers label_values(metric, label) of Grafana.
func (s *server) labelValues(t *testing.T, metric, label string) []string {
	t.Helper()
	now := time.Now()
	querier, err := s.db.Querier(now.Add(-time.Hour).UnixMilli(), now.UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = querier.Close() }()
	name := labels.MustNewMatcher(labels.MatchEqual, "__name__", metric)
	values, warnings, err := querier.LabelValues(t.Context(), label, nil, name)
	if err = errors.Join(append(warnings.AsErrors(), err)...); err != nil {
		t.Fatalf("label_values(%s, %s): %v", metric, label, err)
	}
	return values
}
