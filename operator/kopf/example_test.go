package kopf_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/kopf"
	"github.com/kubevitals/kubevitals/operator/metric"
)

func ExampleNew() {
	operator := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{
			"queue": {"depth": 7, "oldest": NaN},
			"main.<locals>.sync": {"$metrics": [{"name": "myop_syncs_total", "type": "counter", "labels": {"kind": "pod"}, "value": 12}]}
		}`)
	}))
	defer operator.Close()

	source, err := kopf.New(kopf.Options{
		URL: operator.URL + "/healthz",
		Rules: []kopf.Rule{
			{Probe: "queue", Path: "$.depth", Name: "myop_queue_depth", Type: metric.Gauge, Labels: map[string]string{"zone": "eu"}},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	families, err := source.Families(context.Background())
	for _, f := range families {
		if f.Name == "kopf_probe_duration_seconds" {
			continue
		}
		for _, s := range f.Samples {
			fmt.Printf("%s", exposition.AppendSample(nil, f.Name, s.Labels, s.Value))
		}
	}
	fmt.Println(err)
	// Output:
	// kopf_probe_http_status 200
	// kopf_probe_results 2
	// kopf_probe_up 1
	// kopf_probe_value{path="oldest",probe="queue"} NaN
	// myop_queue_depth{zone="eu"} 7
	// myop_syncs_total{kind="pod"} 12
	// <nil>
}
