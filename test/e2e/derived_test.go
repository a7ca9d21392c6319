package e2e

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/model/labels"
	promscrape "github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevitals/kubevitals/test/program"
)

var job = kind{group: "derived.e2e.kubevitals.io", name: "Job"}

const derivedRules = `apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
metadata: {name: derived}
spec:
  resources:
  - groupVersionKind: {group: derived.e2e.kubevitals.io, kind: Job}
    labels: {name: object.metadata.name, team: object.spec.team}
    metrics:
    - {name: e2e_changes_total, help: Changes of phase., type: counter, onTransition: {of: object.status.phase, by: [team, from, to]}}
    - name: e2e_phase_seconds
      help: How long phases last.
      type: histogram
      onTransition: {of: object.status.phase, by: [from], buckets: [0.001, 3600]}
    - {name: e2e_jobs, help: Jobs by team., aggregate: {op: count, by: [team]}}
    - {name: e2e_size, help: Size by team., value: object.spec.size, aggregate: {op: sum, by: [team]}}
    - {name: e2e_sizes, help: Sizes., type: histogram, value: object.spec.size, aggregate: {op: histogram, by: [team], buckets: [2, 5]}}
    - {name: e2e_age_seconds, help: Age., age: object.metadata.creationTimestamp}
`

func aJob(name, team, phase string, size int64) *unstructured.Unstructured {
	o := job.object("derived", name, map[string]any{"team": team, "size": size})
	o.Object["status"] = map[string]any{"phase": phase}
	return o
}

// TestDerived follows what is said of many objects, of their changes and of
// their age.
func TestDerived(t *testing.T) {
	install(t, control, job)
	apply(t, control, []*unstructured.Unstructured{aJob("one", "red", "Pending", 1), aJob("two", "red", "Pending", 4)})
	rules := writeFile(t, "rules.yaml", derivedRules)
	p := state(t, "--rules", rules)
	listed := state(t, "--rules", rules, "--collect=scrape")
	check := func(what string, want ...string) {
		t.Helper()
		for mode, p := range map[string]*program.Process{"watch": p, "scrape": listed} {
			program.Poll(t, mode+": "+what, func() error {
				text := scrape(t, p)
				var errs []error
				for _, line := range want {
					errs = append(errs, has(text, line))
				}
				return errors.Join(errs...)
			})
		}
	}
	check("aggregates", `e2e_jobs{team="red"} 2`, `e2e_size{team="red"} 5`,
		`e2e_sizes_bucket{team="red",le="2"} 1`, `e2e_sizes_bucket{team="red",le="5"} 2`, `e2e_sizes_bucket{team="red",le="+Inf"} 2`,
		`e2e_sizes_sum{team="red"} 5`, `e2e_sizes_count{team="red"} 2`)

	apply(t, control, []*unstructured.Unstructured{aJob("one", "red", "Running", 1), aJob("three", "blue", "Running", 9)})
	check("a change and a new object", `e2e_jobs{team="red"} 2`, `e2e_jobs{team="blue"} 1`, `e2e_size{team="blue"} 9`,
		`e2e_changes_total{from="Pending",team="red",to="Running"} 1`) // since when it was pending is not known
	apply(t, control, []*unstructured.Unstructured{aJob("one", "red", "Pending", 1)})
	check("back again", `e2e_changes_total{from="Running",team="red",to="Pending"} 1`)
	apply(t, control, []*unstructured.Unstructured{aJob("one", "red", "Running", 1), aJob("two", "red", "Running", 4)})
	check("more of the same changes", `e2e_changes_total{from="Pending",team="red",to="Running"} 3`,
		`e2e_phase_seconds_count{from="Pending"} 1`, `e2e_phase_seconds_bucket{from="Pending",le="3600"} 1`, `e2e_phase_seconds_count{from="Running"} 1`)

	run(t, control, "delete", job.crdName(), "two", "--namespace=derived")
	check("an object less", `e2e_jobs{team="red"} 1`, `e2e_size{team="red"} 1`, `e2e_sizes_count{team="red"} 1`,
		`e2e_changes_total{from="Pending",team="red",to="Running"} 3`)
	run(t, control, "delete", job.crdName(), "three", "--namespace=derived")
	program.Poll(t, "the last of a group to be gone", func() error { return without(scrape(t, p), `team="blue"`) })

	before := ageOf(t, p)
	program.Poll(t, "the age to grow", func() error {
		if after := ageOf(t, p); after <= before {
			return fmt.Errorf("%v after %v", after, before)
		}
		return nil
	})
	if before < 0 || before > 600 {
		t.Errorf("the age is %v", before)
	}

	for _, mode := range []*program.Process{p, listed} {
		inPrometheus(t, mode)
	}
}

var ageLine = regexp.MustCompile(`(?m)^e2e_age_seconds\{name="one",team="red"\} (.*)$`)

func ageOf(t *testing.T, p *program.Process) float64 {
	t.Helper()
	m := ageLine.FindStringSubmatch(scrape(t, p))
	if m == nil {
		t.Fatal("no age")
	}
	age, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return age
}

// inPrometheus lets Prometheus itself scrape a process in each of its formats,
// and compares what is in its database afterwards.
func inPrometheus(t *testing.T, p *program.Process) {
	t.Helper()
	found := map[string]map[string]float64{}
	for _, protocol := range []string{"PrometheusText0.0.4", "OpenMetricsText1.0.0", "PrometheusProto"} {
		found[protocol] = scraped(t, p.URL, protocol)
	}
	text := found["PrometheusText0.0.4"]
	for _, series := range []string{
		`{__name__="e2e_sizes_bucket", le="5.0", team="red"}`, `{__name__="e2e_sizes_count", team="red"}`, `{__name__="e2e_sizes_sum", team="red"}`,
		`{__name__="e2e_phase_seconds_bucket", from="Pending", le="+Inf"}`, `{__name__="e2e_phase_seconds_count", from="Pending"}`,
		`{__name__="e2e_changes_total", from="Pending", team="red", to="Running"}`, `{__name__="e2e_jobs", team="red"}`,
	} {
		if _, ok := text[series]; !ok {
			t.Errorf("Prometheus has no %s but\n%s", series, strings.Join(slices.Sorted(maps.Keys(text)), "\n"))
		}
	}
	for protocol, got := range found {
		if diff := cmp.Diff(text, got); diff != "" {
			t.Errorf("-PrometheusText0.0.4 +%s:\n%s", protocol, diff)
		}
	}
}

// scraped lets Prometheus scrape once by a protocol, and returns the values of
// the series of the test that do not change with the time.
func scraped(t *testing.T, url, protocol string) map[string]float64 {
	t.Helper()
	db, err := tsdb.Open(t.TempDir(), nil, nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	log := &program.Output{}
	// When the manager stops it scrapes once more, without regard to the interval.
	manager, err := promscrape.NewManager(&promscrape.Options{DiscoveryReloadOnStartup: true, ScrapeOnShutdown: true},
		slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})), nil, nil, db, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(fmt.Sprintf(`
scrape_configs:
- job_name: e2e
  scrape_interval: 10m
  scrape_timeout: 30s
  scrape_protocols: [%s]
  honor_labels: true
`, protocol), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := manager.ApplyConfig(cfg); err != nil {
		t.Fatal(err)
	}
	targets := make(chan map[string][]*targetgroup.Group, 1)
	target := model.LabelSet{model.AddressLabel: model.LabelValue(strings.TrimPrefix(url, "http://"))}
	group := &targetgroup.Group{Source: "e2e", Targets: []model.LabelSet{target}}
	targets <- map[string][]*targetgroup.Group{"e2e": {group}}
	ended := make(chan error, 1)
	go func() { ended <- manager.Run(targets) }()
	program.Poll(t, "Prometheus to know its target", func() error {
		if len(manager.TargetsActive()["e2e"]) != 1 {
			return errors.New("no target yet")
		}
		return nil
	})
	manager.Stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	querier, err := db.Querier(time.Now().Add(-time.Hour).UnixMilli(), time.Now().UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = querier.Close() }()
	set := querier.Select(t.Context(), true, nil, labels.MustNewMatcher(labels.MatchRegexp, "__name__", "e2e_.*"))
	for set.Next() {
		series := set.At()
		name := series.Labels().Get("__name__")
		it := series.Iterator(nil)
		for it.Next() == chunkenc.ValFloat {
			_, value := it.At()
			if name == "e2e_age_seconds" {
				value = math.Inf(1)
			}
			out[labels.NewBuilder(series.Labels()).Del("job", "instance").Labels().String()] = value
		}
	}
	if err := set.Err(); err != nil {
		t.Fatal(err)
	}
	if len(out) == 0 {
		t.Errorf("%s: Prometheus has nothing:\n%s", protocol, log)
	}
	return out
}
