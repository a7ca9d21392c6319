package relabel_test

import (
	"fmt"
	"testing"

	"github.com/kubevitals/kubevitals/internal/pods/relabel"
	"github.com/kubevitals/kubevitals/internal/pods/scan"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// BenchmarkApply has 10,000 samples: go test -run xxx -bench Apply.
func BenchmarkApply(b *testing.B) {
	var body []byte
	for i := range 10_000 {
		if i%50 == 0 {
			body = fmt.Appendf(body, "# HELP requests_%d_total Requests.\n# TYPE requests_%d_total counter\n", i/50, i/50)
		}
		body = fmt.Appendf(body, "requests_%d_total{code=\"200\",handler=\"/api/v1/query_%d\",method=\"GET\"} %d\n", i/50, i, i)
	}
	for name, rules := range map[string]string{
		"none":  "",
		"rules": `[{regex: method, action: labeldrop}, {source_labels: [__name__, code], regex: "requests_1.*;2..", action: drop}]`,
	} {
		b.Run(name, func(b *testing.B) {
			configs, err := relabel.ParseConfigs([]byte(rules))
			if err != nil {
				b.Fatal(err)
			}
			var x scan.Exposition
			if err := x.Scan(body, scan.Options{}); err != nil {
				b.Fatal(err)
			}
			r := relabel.Relabeler{Configs: configs}
			target := metric.Labels("k8s_pod_name", "web-6d4cf56db6-x2x8v", "k8s_namespace", "shop")
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := r.Apply(&x, target, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
