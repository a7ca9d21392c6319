package pods

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/model/labels"
	promrelabel "github.com/prometheus/prometheus/model/relabel"
	"github.com/prometheus/prometheus/model/textparse"
	promscrape "github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/kubevitals/kubevitals/internal/pods/relabel"
	"github.com/kubevitals/kubevitals/internal/pods/scan"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
	"github.com/kubevitals/kubevitals/test/program"
)

// podLabels are those of the target. Some are in the bodies, too.
var podLabels = metric.Labels("code", "target", "exported_method", "m", "k8s_namespace", "n", "k8s_pod_name", "p", "method", "t")

var relabelRules = []string{
	"",
	`[{source_labels: [__name__], target_label: __name__, replacement: "my_$1"}, {regex: "code|le", action: labeldrop}]`,
	`[{source_labels: [exported_code, k8s_pod_name], regex: ".*v.*;p", action: drop}, {regex: "exported_(.*)", action: labelmap}]`,
	`[{source_labels: [__name__], regex: ".*_(.*)", target_label: __name__, replacement: "h_$1"}, {source_labels: [handler], modulus: 3, target_label: shard, action: hashmod}]`,
	`[{source_labels: [handler], regex: "(.+)", target_label: "x y", replacement: "$1\n"}, {regex: "quantile|k8s.*", action: labelkeep}, {target_label: __name__, replacement: one}]`,
}

// asPrometheus is what Prometheus makes of a body: what it parses, with the
// labels of the target where honor_labels is off, and by the rules. Blanks before
// a name, which it takes for a part of the name, are removed.
func asPrometheus(t *testing.T, format exposition.Format, body []byte, configs []*promrelabel.Config) (out []string) {
	t.Helper()
	var tidy []byte
	for line := range bytes.Lines(body) {
		tidy = append(tidy, bytes.TrimLeft(line, " \t")...)
	}
	p := newParser(format, tidy)
	for {
		entry, err := p.Next()
		switch {
		case errors.Is(err, io.EOF):
			slices.Sort(out)
			return out
		case err != nil:
			t.Fatal(err)
		case entry != textparse.EntrySeries:
			continue
		}
		_, ts, v := p.Series()
		var own labels.Labels
		p.Labels(&own)
		b := labels.NewBuilder(own)
		var taken []metric.Label
		for _, l := range podLabels {
			if v := own.Get(l.Name); v != "" {
				taken = append(taken, metric.Label{Name: l.Name, Value: v})
			}
			b.Set(l.Name, l.Value)
		}
		slices.SortStableFunc(taken, func(x, y metric.Label) int { return cmp.Compare(len(x.Name), len(y.Name)) })
		for _, l := range taken {
			name := model.ExportedLabelPrefix + l.Name
			for b.Get(name) != "" {
				name = model.ExportedLabelPrefix + name
			}
			b.Set(name, l.Value)
		}
		if !promrelabel.ProcessBuilder(b, configs...) {
			continue
		}
		text := fmt.Sprintf("%s %x", bounds(b.Labels()), math.Float64bits(v))
		if ts != nil {
			text += fmt.Sprintf(" at %d", *ts)
		}
		out = append(out, text)
	}
}

// TestRelabelGenerated compares what relabelling makes of many bodies with what
// Prometheus would store of them.
func TestRelabelGenerated(t *testing.T) {
	for i, text := range relabelRules {
		configs, err := relabel.ParseConfigs([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		r := relabel.Relabeler{Configs: configs}
		compared := 0
		for _, format := range []exposition.Format{exposition.Text, exposition.OpenMetrics} {
			for n := range uint64(1000) {
				x := scan.Exposition{Format: format}
				if x.Scan(newGenerator(n, format).body(), scan.Options{}) != nil {
					continue
				}
				result, err := r.Apply(&x, podLabels, nil)
				if err != nil || result.Invalid > 0 {
					t.Fatalf("%q: %v, %v", x.Body, err, result.Reason)
				}
				want := asPrometheus(t, format, forPrometheus(format, extents(&x)), configs)
				samples, err := parsed(format, result.Body)
				if err != nil {
					t.Fatalf("rules %d: %q becomes %q: %v", i, x.Body, result.Body, err)
				}
				got := make([]string, 0, len(samples))
				for _, s := range samples {
					got = append(got, s.stored)
				}
				slices.Sort(got)
				if diff := gocmp.Diff(want, got); diff != "" && len(want)+len(got) > 0 {
					t.Fatalf("rules %d: %q becomes %q (-Prometheus +ours):\n%s", i, x.Body, result.Body, diff)
				}
				compared += len(got)
			}
		}
		if t.Logf("rules %d: %d samples", i, compared); compared < 1000 {
			t.Errorf("rules %d: %d samples are not many", i, compared)
		}
	}
}

// TestRelabelAsScraped lets Prometheus scrape a pod and relabel itself, and
// compares with what it scrapes of a body that we have relabelled.
func TestRelabelAsScraped(t *testing.T) {
	body := `# TYPE a_total counter
a_total{code="200",k8s_pod_name="own",exported_code="x"} 1
a_total{code="",method="GET",exported_method="y",exported_exported_method="z"} 2
# TYPE h histogram
h_bucket{le="1.0",handler="/v"} 1
h_bucket{le="+Inf",handler="/v"} 2
h_sum{handler="/v"} 2
h_count{handler="/v"} 2
{"u.v","w x"="y",code="1v"} 3
`
	for i, rules := range relabelRules {
		configs, err := relabel.ParseConfigs([]byte(rules))
		if err != nil {
			t.Fatal(err)
		}
		var x scan.Exposition
		if err := x.Scan([]byte(body), scan.Options{}); err != nil {
			t.Fatal(err)
		}
		r := relabel.Relabeler{Configs: configs}
		result, err := r.Apply(&x, podLabels, nil)
		if err != nil {
			t.Fatal(err)
		}
		target := model.LabelSet{}
		for _, l := range podLabels {
			target[model.LabelName(l.Name)] = model.LabelValue(l.Value)
		}
		want := stored(t, body, target, cmp.Or(rules, "[]"))
		got := stored(t, string(result.Body), nil, "[]")
		if diff := gocmp.Diff(want, got); diff != "" || len(got) == 0 {
			t.Errorf("rules %d (-Prometheus +ours):\n%s", i, diff)
		}
	}
}

// stored is what is in Prometheus' database after it has scraped a body.
func stored(t *testing.T, body string, target model.LabelSet, rules string) map[string]float64 {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; escaping=allow-utf-8")
		_, _ = io.WriteString(w, body)
	}))
	defer server.Close()
	db, err := tsdb.Open(t.TempDir(), nil, nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	// When the manager stops it scrapes once more, without regard to the interval.
	manager, err := promscrape.NewManager(&promscrape.Options{DiscoveryReloadOnStartup: true, ScrapeOnShutdown: true},
		slog.New(slog.DiscardHandler), nil, nil, db, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load("scrape_configs:\n- {job_name: pods, scrape_interval: 10m, scrape_timeout: 30s, metric_relabel_configs: "+rules+"}\n", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := manager.ApplyConfig(cfg); err != nil {
		t.Fatal(err)
	}
	address := model.LabelSet{model.AddressLabel: model.LabelValue(strings.TrimPrefix(server.URL, "http://"))}
	targets := make(chan map[string][]*targetgroup.Group, 1)
	targets <- map[string][]*targetgroup.Group{"pods": {{Source: "pods", Targets: []model.LabelSet{address}, Labels: target}}}
	ended := make(chan error, 1)
	go func() { ended <- manager.Run(targets) }()
	program.Poll(t, "Prometheus to know its target", func() error {
		if len(manager.TargetsActive()["pods"]) != 1 {
			return errors.New("no target yet")
		}
		return nil
	})
	manager.Stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	querier, err := db.Querier(time.Now().Add(-time.Hour).UnixMilli(), time.Now().UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = querier.Close() }()
	out := map[string]float64{}
	set := querier.Select(t.Context(), true, nil, labels.MustNewMatcher(labels.MatchNotRegexp, "__name__", "up|scrape_.*"))
	for set.Next() {
		it := set.At().Iterator(nil)
		for it.Next() == chunkenc.ValFloat {
			_, v := it.At()
			out[labels.NewBuilder(set.At().Labels()).Del("job", "instance").Labels().String()] = v
		}
	}
	if err := set.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
