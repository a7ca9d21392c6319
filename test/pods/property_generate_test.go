package pods_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kubevitals/kubevitals/test/podtest"
)

// began is what timestamps are about: Prometheus stores no old ones.
var began = time.Now()

// body is what a pod answers. Of one that is healthy all of want must be exposed.
type body struct {
	answer podtest.Answer
	want   map[string]float64
}

var formats = []string{podtest.Text, podtest.OpenMetrics, podtest.Protobuf}

// names are families of pods. Many are in the way of another.
var names = []string{
	"requests", "requests_total", "latency", "latency_bucket", "latency_sum", "latency_count", "latency_seconds",
	"build", "build_info", "up", "scrape_samples_scraped", "exported_up", "kubevitals_pods", "temperature_celsius",
	"temperature", "x", "x_total", "x_created", "exported_scrape_samples_scraped", "scrape_error", "go.gc.time", "名",
}

var labelNames = []string{
	"code", "path", "reason", podLabel, namespaceLabel, "exported_" + podLabel, "exported_exported_" + podLabel, "job", "instance", "a.b", "é",
}

var labelValues = []string{"", "200", "a b", `quote "`, `back\slash`, "new\nline", "{}", "a=\"b\",c", "ü", "# HELP x y", "1"}

var values = []float64{0, 1, -1, 0.5, 1e300, 1e-300, math.Inf(1), math.Inf(-1), math.NaN(), 12345678, math.Copysign(0, -1)}

// reserved are families that pods may not have, or that are called as those of
// others are that may not.
var reserved = regexp.MustCompile(`^(exported_)*(up$|scrape_|kubevitals_)`)

// healthy returns a body that is valid whatever other pods send.
func healthy(random *rand.Rand, pod int) body {
	families := randomFamilies(random)
	contentType := formats[random.IntN(len(formats))]
	b := body{
		answer: podtest.Answer{ContentType: contentType, Body: encode(families, contentType)},
		want:   make(map[string]float64),
	}
	series, err := parseTextparse(b.answer.Body, contentType)
	if err != nil {
		panic(fmt.Sprintf("BUG: %v: %q", err, b.answer.Body))
	}
	for _, s := range series {
		if strings.HasSuffix(s.name, "(native)") {
			continue // not every format has them
		}
		for _, name := range []string{"up", "exported_up"} {
			if distribution(families, name) && strings.HasPrefix(s.name, name+"_") {
				s.name = "exported_" + s.name // whole families are renamed
				break
			}
		}
		if reserved.MatchString(s.name) {
			s.name = "exported_" + s.name
		}
		expose(&s, pod)
		b.want[s.key()] = s.value
	}
	if random.IntN(4) == 0 {
		b.answer.Encoding, b.answer.Body = "gzip", podtest.Gzip(b.answer.Body)
	}
	return b
}

// distribution reports whether a family is there that has series of several names.
func distribution(families []*dto.MetricFamily, name string) bool {
	return slices.ContainsFunc(families, func(f *dto.MetricFamily) bool {
		return f.GetName() == name && (f.GetType() == dto.MetricType_SUMMARY || f.GetType() == dto.MetricType_HISTOGRAM)
	})
}

// expose gives a sample the labels of its pod, by the algorithm of Prometheus.
func expose(s *sample, pod int) {
	taken := func(name string) bool {
		_, ok := s.labels[name]
		return ok || name == podLabel || name == namespaceLabel
	}
	for _, name := range []string{podLabel, namespaceLabel} {
		value, ok := s.labels[name]
		if !ok {
			continue
		}
		renamed := "exported_" + name
		for taken(renamed) {
			renamed = "exported_" + renamed
		}
		s.labels[renamed] = value
	}
	s.labels[podLabel], s.labels[namespaceLabel] = podName(pod), namespace
}

// randomFamilies returns families none of which has a series of another.
func randomFamilies(random *rand.Rand) []*dto.MetricFamily {
	var out []*dto.MetricFamily
	taken := make(map[string]bool)
	for range 1 + random.IntN(6) {
		f := randomFamily(random)
		series := []string{f.GetName(), f.GetName() + "_bucket", f.GetName() + "_sum", f.GetName() + "_count", f.GetName() + "_total", f.GetName() + "_created"}
		if slices.ContainsFunc(series, func(s string) bool { return taken[s] || taken[strings.TrimSuffix(s, "_total")] }) {
			continue
		}
		for _, s := range series {
			taken[s] = true
		}
		for _, suffix := range []string{"_bucket", "_sum", "_count", "_total", "_created"} {
			taken[strings.TrimSuffix(f.GetName(), suffix)] = true
		}
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	return out
}

func randomFamily(random *rand.Rand) *dto.MetricFamily {
	f := &dto.MetricFamily{Name: proto.String(names[random.IntN(len(names))])}
	types := []dto.MetricType{
		dto.MetricType_COUNTER, dto.MetricType_GAUGE, dto.MetricType_UNTYPED, dto.MetricType_SUMMARY, dto.MetricType_HISTOGRAM,
	}
	f.Type = types[random.IntN(len(types))].Enum()
	if random.IntN(3) > 0 {
		f.Help = proto.String(labelValues[random.IntN(len(labelValues))])
	}
	for i := range 1 + random.IntN(3) {
		m := &dto.Metric{Label: randomLabels(random, i)}
		fill(random, m, f.GetType())
		if random.IntN(6) == 0 {
			m.TimestampMs = proto.Int64(began.UnixMilli() - random.Int64N(60_000))
		}
		f.Metric = append(f.Metric, m)
	}
	return f
}

// fill gives a metric a value of a type.
func fill(random *rand.Rand, m *dto.Metric, kind dto.MetricType) {
	v := values[random.IntN(len(values))]
	n := random.Uint64N(1000)
	switch kind {
	case dto.MetricType_COUNTER:
		m.Counter = &dto.Counter{Value: proto.Float64(float64(n))}
		if random.IntN(3) == 0 {
			m.Counter.Exemplar = &dto.Exemplar{
				Label: []*dto.LabelPair{{Name: proto.String("trace_id"), Value: proto.String("abc")}},
				Value: proto.Float64(1), Timestamp: timestamppb.New(began),
			}
		}
	case dto.MetricType_GAUGE:
		m.Gauge = &dto.Gauge{Value: &v}
	case dto.MetricType_SUMMARY:
		m.Summary = &dto.Summary{SampleCount: &n, SampleSum: &v}
		for _, q := range []float64{0.5, 0.99}[:random.IntN(3)] {
			m.Summary.Quantile = append(m.Summary.Quantile, &dto.Quantile{Quantile: proto.Float64(q), Value: proto.Float64(q)})
		}
	case dto.MetricType_HISTOGRAM:
		m.Histogram = &dto.Histogram{SampleCount: proto.Uint64(n + 2), SampleSum: proto.Float64(1.5)}
		for i, le := range []float64{0.1, 1, math.Inf(1)} {
			m.Histogram.Bucket = append(m.Histogram.Bucket, &dto.Bucket{UpperBound: proto.Float64(le), CumulativeCount: proto.Uint64(n + uint64(i))})
		}
	default:
		m.Untyped = &dto.Untyped{Value: &v}
	}
}

// randomLabels returns labels that tell metric i of a family from the others.
func randomLabels(random *rand.Rand, i int) []*dto.LabelPair {
	out := []*dto.LabelPair{{Name: proto.String("n"), Value: proto.String(fmt.Sprint(i))}}
	for _, at := range random.Perm(len(labelNames))[:random.IntN(4)] {
		out = append(out, &dto.LabelPair{Name: &labelNames[at], Value: proto.String(labelValues[random.IntN(len(labelValues))])})
	}
	return out
}

func encode(families []*dto.MetricFamily, contentType string) []byte {
	format := map[string]expfmt.FormatType{
		podtest.Text: expfmt.TypeTextPlain, podtest.OpenMetrics: expfmt.TypeOpenMetrics, podtest.Protobuf: expfmt.TypeProtoDelim,
	}[contentType]
	var out bytes.Buffer
	// Only with this parameter names outside of the legacy ones stay as they are.
	encoder := expfmt.NewEncoder(&out, expfmt.NewFormat(format)+"; escaping=allow-utf-8")
	for _, f := range families {
		if err := encoder.Encode(f); err != nil {
			panic("BUG: " + err.Error())
		}
	}
	if closer, ok := encoder.(expfmt.Closer); ok {
		_ = closer.Close()
	}
	return out.Bytes()
}
