package line_test

import (
	"testing"

	"github.com/kubevitals/kubevitals/internal/pods/line"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

// BenchmarkLine reads and writes a line: go test -run xxx -bench Line.
func BenchmarkLine(b *testing.B) {
	text := []byte(`http_request_duration_seconds_bucket{code="200",handler="/api/v1/query",method="GET",le="0.25"} 12345`)
	target := labels("k8s_pod_name", "web-6d4cf56db6-x2x8v", "k8s_namespace", "shop")
	var l line.Line
	var buf []byte
	b.SetBytes(int64(len(text) + 1))
	b.ReportAllocs()
	for b.Loop() {
		if err := l.Parse(text, exposition.Text); err != nil {
			b.Fatal(err)
		}
		l.Join(target)
		buf = l.Append(buf[:0])
	}
}
