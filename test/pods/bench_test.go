package pods_test

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/proto"

	"github.com/kubevitals/kubevitals/test/podtest"
	"github.com/kubevitals/kubevitals/test/program"
)

const (
	benchPods = 100
	mega      = 1e6
)

// BenchmarkPods measures a scrape of 100 pods with 10,000 series each. The
// simulated pods and the scraper use the same machine as the proxy, so CPU time,
// which is that of the proxy alone, says more than wall time does. With the
// environment variable PEER, another proxy that knows the same variables is
// measured in the same run:
//
//	go test ./pods -run - -bench Pods
//	PEER=/path/to/metrics-proxy go test ./pods -run - -bench Pods
func BenchmarkPods(b *testing.B) {
	binary := filepath.Join(b.TempDir(), "metrics-proxy")
	if err := program.Build(context.Background(), binary); err != nil {
		b.Fatal(err)
	}
	var ours usage
	b.Run("scrape", func(b *testing.B) { ours = benchScrape(b, binary, podtest.Text, nil, loopback...) })
	b.Run("expfmt", func(b *testing.B) {
		cpu := benchExpfmt(b)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(cpu.Seconds()*1e3, "cpu-ms/scrape")
		b.ReportMetric(float64(cpu)/float64(ours.cpu), "times-our-cpu")
	})
	b.Run("peer", func(b *testing.B) {
		peer := os.Getenv("PEER")
		if peer == "" {
			b.Skip("PEER names no other proxy")
		}
		theirs := benchScrape(b, peer, podtest.Text, nil, peerArgs()...)
		b.ReportMetric(float64(theirs.cpu)/float64(ours.cpu), "times-our-cpu")
		b.ReportMetric(float64(theirs.wall)/float64(ours.wall), "times-our-wall")
		b.ReportMetric(theirs.peak/ours.peak, "times-our-memory")
	})
	gzip := http.Header{"Accept-Encoding": {"gzip"}}
	b.Run("scrape-gzip", func(b *testing.B) { benchScrape(b, binary, podtest.Text, gzip, loopback...) })
	b.Run("scrape-openmetrics", func(b *testing.B) {
		benchScrape(b, binary, podtest.OpenMetrics, http.Header{"Accept": {accepts[podtest.OpenMetrics]}}, loopback...)
	})
	b.Run("scrape-protobuf", func(b *testing.B) {
		benchScrape(b, binary, podtest.Protobuf, http.Header{"Accept": {accepts[podtest.Protobuf]}}, loopback...)
	})
	b.Run("pods-gzip", func(b *testing.B) { benchCompressed(b, binary) })
	b.Run("merge", benchMerge)
	b.Run("hostile", func(b *testing.B) { benchHostile(b, binary) })
}

// loopback lets the proxy ask the pods of the benchmark.
var loopback = []string{"--pod-cidr", "127.0.0.0/8"}

// peerArgs are for a peer that is kubevitals of another version.
func peerArgs() []string {
	if os.Getenv("PEER_IS_KUBEVITALS") != "" {
		return loopback
	}
	return nil
}

func benchScrape(b *testing.B, binary, contentType string, header http.Header, args ...string) usage {
	b.Helper()
	return benchAnswer(b, binary, podtest.Answer{ContentType: contentType, Body: podtest.Standard(contentType)}, header, args...)
}

// benchCompressed has the pods compress, whether they are asked to or not.
func benchCompressed(b *testing.B, binary string) {
	b.Helper()
	benchAnswer(b, binary, podtest.Gzipped(string(podtest.Standard(podtest.Text))), nil, loopback...)
}

func benchAnswer(b *testing.B, binary string, answer podtest.Answer, header http.Header, args ...string) usage {
	b.Helper()
	pods := make([]*podtest.Pod, benchPods)
	for i := range pods {
		pods[i] = podtest.Start(b, answer)
	}
	c := startChild(b, binary, startAPI(b, pods), benchPods, args...)
	u := c.measure(b, header)
	input := float64(benchPods*len(podtest.Standard(answer.ContentType))) / mega
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(u.cpu.Seconds()*1e3, "cpu-ms/scrape")
	b.ReportMetric(u.wall.Seconds()*1e3, "wall-ms/scrape")
	b.ReportMetric(input/u.cpu.Seconds(), "MB/cpu-s")
	b.ReportMetric(input/u.wall.Seconds(), "MB/wall-s")
	b.ReportMetric(u.peak/mega, "peak-RSS-MB")
	b.ReportMetric(u.peak/mega/input, "peak-RSS/input")
	return u
}

// benchExpfmt does what mergers of expositions do that use the parser of
// Prometheus' own library: parse, add labels, put together, encode.
func benchExpfmt(b *testing.B) time.Duration {
	b.Helper()
	text := podtest.Standard(podtest.Text)
	before := ownCPU(b)
	merged := make(map[string]*dto.MetricFamily)
	for i := range benchPods {
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
		if err != nil {
			b.Fatal(err)
		}
		for name, f := range families {
			for _, m := range f.Metric {
				m.Label = append([]*dto.LabelPair{
					{Name: proto.String(podLabel), Value: proto.String(podName(i))},
					{Name: proto.String(namespaceLabel), Value: proto.String(namespace)},
				}, m.Label...)
			}
			if merged[name] == nil {
				merged[name] = f
			} else {
				merged[name].Metric = append(merged[name].Metric, f.Metric...)
			}
		}
	}
	encoder := expfmt.NewEncoder(discard{}, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, f := range merged {
		if err := encoder.Encode(f); err != nil {
			b.Fatal(err)
		}
	}
	return ownCPU(b) - before
}

// discard is io.Discard as a buffered writer, as encoders would otherwise buffer.
type discard struct{}

func (discard) Write(p []byte) (int, error)       { return len(p), nil }
func (discard) WriteString(s string) (int, error) { return len(s), nil }
func (discard) WriteByte(byte) error              { return nil }
func (discard) WriteRune(r rune) (int, error)     { return 1, nil }
