package kopf_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/kubevitals/kubevitals/operator/kopf"
	"github.com/kubevitals/kubevitals/operator/metric"
)

var update = flag.Bool("update", false, "write testdata/*.txt")

// options are those of bodies that need some.
var options = map[string]kopf.Options{
	"info": {
		Info:       []string{"version", "build.commit", "build.tags", "*.version", "blank", "build.n"},
		Timestamps: []string{"now", "build", "naive", "absent.x"},
	},
	"lists": {MaxItems: 3},
	"rules": {Rules: []kopf.Rule{
		{Probe: "queue", Path: "$.depth", Name: "myop_queue_depth", Type: metric.Gauge, Help: "Waiting.", Labels: map[string]string{
			"zone": "eu", "queue": "$.name", "absent": "$.nowhere[0]", "cost": "$$5", "none": "", "paused": "$.paused"}},
		{Probe: "queue", Path: "$.queues[*].depth", Name: "myop_depth", Labels: map[string]string{"queue": "$.queues[*].name", "index": "$1"}},
		{Probe: "kinds", Path: "$.*.*", Name: "myop_events_total", Type: metric.Counter, Labels: map[string]string{"kind": "$1", "event": "$2", "self": "$.*.*"}},
		{Probe: "queue", Path: "$.since", Name: "myop_since_seconds", Unit: "seconds", Type: metric.Gauge},
		{Probe: "version", Path: "$", Name: "myop_build_info", Type: metric.Info, Labels: map[string]string{"git": "$.git", "python": `$["python"]`}},
		{Probe: "queue", Path: "$.bad", Name: "myop_bad"},
		{Probe: "queue", Path: "$.object", Name: "myop_object"},
		{Probe: "queue", Path: "$.null", Name: "myop_null"},
		{Probe: "queue", Path: "$.nowhere.x", Name: "myop_nowhere"},
		{Probe: "queue", Path: "$.queues[5].depth", Name: "myop_past_the_end"},
		{Probe: "absent", Path: "$", Name: "myop_absent"},
		{Probe: "total", Path: "$", Name: "myop_total", Type: metric.Counter}, // negative: stays without a type
	}},
}

// TestRecordedBodies compares what bodies give with testdata/*.txt, which
// "go test -update" writes. Lines with "!" are the error.
func TestRecordedBodies(t *testing.T) {
	bodies, err := filepath.Glob("testdata/*.json")
	if err != nil || len(bodies) < 10 {
		t.Fatalf("%d bodies, error %v", len(bodies), err)
	}
	for _, file := range bodies {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				body, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				got := read(t, options[name], string(body))
				golden := strings.TrimSuffix(file, ".json") + ".txt"
				if *update {
					if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if got != string(want) {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
			})
		})
	}
}
