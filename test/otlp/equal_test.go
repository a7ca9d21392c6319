package otlp_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/test/program"
	"github.com/kubevitals/kubevitals/test/promtest"
)

var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		folder, err := os.MkdirTemp("", "kubevitals-otlp-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(folder) }()
		binary = filepath.Join(folder, "kubevitals")
		if err := program.Build(context.Background(), binary, "-race"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// prometheus is a Prometheus with its OTLP receiver.
func prometheus(t *testing.T) (s *promtest.Server, url string) {
	t.Helper()
	s = promtest.New(t)
	mux := http.NewServeMux()
	mux.Handle(promtest.OTLPPath, s.OTLP())
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return s, server.URL + promtest.OTLPPath
}

// stable returns the series that do not change from moment to moment, with
// the bounds of buckets in one form. Those of the scrape itself and of the
// resource are only of one side.
func stable(s promtest.Series) promtest.Series {
	out := s.Bounds()
	maps.DeleteFunc(out, func(key string, _ float64) bool {
		return volatile.MatchString(key)
	})
	for key, v := range out {
		if math.IsNaN(v) {
			out[key] = math.Inf(-1) // so that it is equal to itself
		}
	}
	return out
}

var volatile = regexp.MustCompile(`^(up|scrape_.*|target_info.*|go_.*|process_.*|kubevitals_.*)$`)

const objects = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, generation: 2, creationTimestamp: "2026-01-01T00:00:00Z"}
spec: {replicas: 3}
status:
  observedGeneration: 2
  replicas: 3
  conditions:
  - {type: Available, status: "True", reason: MinimumReplicasAvailable, lastTransitionTime: "2026-01-01T00:00:00Z"}
  - {type: Progressing, status: Unknown, reason: "quote \" backslash \\ tab", lastTransitionTime: "2026-01-01T00:00:00Z"}
---
apiVersion: example.com/v1
kind: Backup
metadata: {name: nightly, namespace: db, generation: 3}
status: {phase: Failed, done: 12, sizes: [1, 5, 7.5]}
`

// rules have every type, and names that OpenTelemetry and Prometheus write
// differently.
const rules = `
apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
spec:
  resources:
  - groupVersionKind: {group: example.com, kind: Backup}
    labels: {namespace: object.metadata.namespace, name: object.metadata.name, job: "'mine'"}
    metrics:
    - {name: backup_done_total, type: counter, help: How many., value: object.status.done}
    - {name: backup_size_bytes, help: How large., unit: bytes, value: object.status.done}
    - {name: backup_ratio, value: "0.5"}
    - {name: backup_count, type: counter, value: object.status.done}
    - {name: backup_info, type: info, labels: {phase: object.status.phase}}
    - {name: backup_phase, type: stateSet, stateLabel: state, states: [Done, Failed], value: object.status.phase}
    - {name: backup_not_a_number, value: "'NaN'"}
    - name: backup_part_bytes
      type: histogram
      forEach: [{as: size, in: object.status.sizes}]
      value: size
      aggregate: {op: histogram, by: [namespace], buckets: [2, 6]}
`

// everyType are series of each type, and of metrics with names of their own in
// OpenTelemetry.
var everyType = []string{
	`backup_done_total{exported_job="mine", name="nightly", namespace="db"}`,
	`backup_count{exported_job="mine", name="nightly", namespace="db"}`,
	`backup_ratio{exported_job="mine", name="nightly", namespace="db"}`,
	`backup_size_bytes{exported_job="mine", name="nightly", namespace="db"}`,
	`backup_info{exported_job="mine", name="nightly", namespace="db", phase="Failed"}`,
	`backup_phase{exported_job="mine", name="nightly", namespace="db", state="Done"}`,
	`backup_part_bytes_bucket{exported_job="mine", le="6", namespace="db"}`,
	`backup_part_bytes_sum{exported_job="mine", namespace="db"}`,
	`backup_part_bytes_count{exported_job="mine", namespace="db"}`,
	`kyma_module_status_state{kyma="default", name="telemetry", namespace="kyma-system", resource_name="default", state="Ready"}`,
}

// TestEqual scrapes a process and has it push into the same Prometheus: the series
// are the same but for job and instance.
func TestEqual(t *testing.T) {
	s, endpoint := prometheus(t)
	folder := t.TempDir()
	file, ruleFile := filepath.Join(folder, "objects.yaml"), filepath.Join(folder, "rules.yaml")
	write(t, file, objects)
	write(t, ruleFile, rules)
	kymaFile := filepath.Join(folder, "kyma.yaml")
	write(t, kymaFile, kyma)
	demo := filepath.Join("..", "..", "internal", "cli", "demo", "cluster.yaml")
	p := program.Start(t, binary, "state", "--from", file, "--from", demo, "--from", kymaFile, "--rules", ruleFile,
		"--catalog", "gateway-api", "--catalog", "kuadrant", "--catalog", "conditions", "--catalog", "kyma",
		"--enable", "reasons,transitions,generations,resources",
		"--otlp-endpoint", endpoint, "--otlp-interval", "1s", "--otlp-min-interval", "1s")
	p.WaitReady(t)
	s.Scrape(t, p.URL+"/metrics", promtest.OpenMetrics)
	want := stable(s.SeriesOf(t, "proxy"))
	if len(want) < 300 {
		t.Fatalf("only %d series were scraped", len(want))
	}
	for _, key := range everyType {
		if _, ok := want[key]; !ok {
			t.Errorf("%s was not scraped", key)
		}
	}
	program.Poll(t, "the push to be as the scrape", func() error {
		if diff := cmp.Diff(want, stable(s.SeriesOf(t, "kubevitals"))); diff != "" {
			return fmt.Errorf("series (-scraped +pushed):\n%s", diff)
		}
		return nil
	})

	// What is deleted is gone in both.
	write(t, file, objects[:strings.Index(objects, "---")])
	other := promtest.New(t)
	program.Poll(t, "the object to be gone from a scrape", func() error {
		_, body := p.Get(t, "/metrics", nil)
		if strings.Contains(string(body), `name="nightly"`) {
			return fmt.Errorf("it is still there")
		}
		return nil
	})
	other.Scrape(t, p.URL+"/metrics", promtest.OpenMetrics)
	want = stable(other.SeriesOf(t, "proxy"))
	program.Poll(t, "the push to have ended its series", func() error {
		if diff := cmp.Diff(want, stable(s.SeriesOf(t, "kubevitals"))); diff != "" {
			return fmt.Errorf("series (-scraped +pushed):\n%s", diff)
		}
		return nil
	})
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
