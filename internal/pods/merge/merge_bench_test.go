package merge

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/kubevitals/kubevitals/internal/pods/scan"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// podBody returns a body as a Go program sends it: 10,000 samples of 216 families,
// about 1 MB.
func podBody(pod int) []byte {
	var b bytes.Buffer
	for i := range 196 {
		name, kind := fmt.Sprintf("app_requests_%03d_total", i), "counter"
		if i%2 == 0 {
			name, kind = fmt.Sprintf("app_queue_length_%03d", i), "gauge"
		}
		fmt.Fprintf(&b, "# HELP %s What is counted here.\n# TYPE %s %s\n", name, name, kind)
		for j := range 40 {
			fmt.Fprintf(&b, "%s{code=\"%d\",handler=\"/api/v1/resource/%02d\",method=\"GET\",zone=\"eu-central-1\"} %d\n", name, 200+j%5, j, 1000*i+j+pod)
		}
	}
	for i := range 20 {
		name := fmt.Sprintf("app_latency_%02d_seconds", i)
		fmt.Fprintf(&b, "# HELP %s How long it took.\n# TYPE %s histogram\n", name, name)
		for j := range 8 {
			labels := fmt.Sprintf("handler=\"/api/v1/resource/%02d\",method=\"POST\"", j)
			for _, le := range []string{"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"} {
				fmt.Fprintf(&b, "%s_bucket{%s,le=\"%s\"} %d\n", name, labels, le, 100*i+j+pod)
			}
			fmt.Fprintf(&b, "%s_sum{%s} %g\n%s_count{%s} %d\n", name, labels, 12.5*float64(j+1), name, labels, 100*i+j)
		}
	}
	return b.Bytes()
}

// BenchmarkPods scans and merges the bodies of many pods, as often as a scrape
// does, and reports the cost for each byte that they sent.
//
//	go test -run - -bench Pods -benchmem ./internal/pods/merge
func BenchmarkPods(b *testing.B) {
	for _, pods := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(pods), func(b *testing.B) { benchPods(b, pods) })
	}
}

func benchPods(b *testing.B, pods int) {
	bodies := make([][]byte, pods)
	in := make([]Source, pods)
	memory := make([]scan.Memory, pods)
	size, samples := 0, 0
	for i := range bodies {
		bodies[i] = podBody(i)
		in[i] = Source{Body: new(scan.Exposition), Labels: metric.Labels("k8s_pod_name", fmt.Sprintf("shop-%d", i), "k8s_namespace", "default")}
		size += len(bodies[i])
	}
	var m Merger
	buf, written := make([]byte, 0, 2*blockSize), 0
	full := func(p []byte) []byte { written += len(p); return p[:0] }
	scrape := func() {
		samples = 0
		for i := range in {
			err := in[i].Body.Scan(bodies[i], scan.Options{Reserved: []string{"k8s_pod_name", "k8s_namespace"}, Memory: &memory[i]})
			if err != nil {
				b.Fatal(err)
			}
			samples += in[i].Body.Samples
		}
		families, _ := m.Families(in, Options{Format: exposition.Text})
		for _, f := range families {
			buf = full(exposition.AppendHeader(buf, exposition.Text, f.Desc))
			buf = full(f.Lines(buf, full))
		}
	}
	scrape() // the first one makes what others use again
	b.ReportAllocs()
	b.SetBytes(int64(size))
	for b.Loop() {
		scrape()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size), "ns/B")
	b.ReportMetric(float64(samples), "samples")
	if written == 0 {
		b.Fatal("nothing was written")
	}
}
