package pods

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/prometheus/model/value"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kubevitals/kubevitals/internal/pods/scan"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// message is a delimited MetricFamily of some metrics, given with their tags.
func message(f scan.Family, metrics []byte) []byte {
	types := map[metric.Type]dto.MetricType{
		metric.Counter: dto.MetricType_COUNTER, metric.Gauge: dto.MetricType_GAUGE, metric.Summary: dto.MetricType_SUMMARY,
		metric.Unknown: dto.MetricType_UNTYPED, metric.Histogram: dto.MetricType_HISTOGRAM, metric.GaugeHistogram: dto.MetricType_GAUGE_HISTOGRAM,
	}
	var out []byte
	out = protowire.AppendTag(out, 1, protowire.BytesType)
	out = protowire.AppendBytes(out, f.Name)
	out = protowire.AppendTag(out, 3, protowire.VarintType)
	out = protowire.AppendVarint(out, uint64(types[f.Type]))
	out = append(out, metrics...)
	return append(binary.AppendUvarint(nil, uint64(len(out))), out...)
}

// staleIn says whether a metric, or a part of it, is known to be stale.
func staleIn(f *dto.Metric) bool {
	is := func(v float64) bool { return math.Float64bits(v) == value.StaleNaN }
	for _, q := range f.GetSummary().GetQuantile() {
		if is(q.GetValue()) {
			return true
		}
	}
	return is(f.GetCounter().GetValue()) || is(f.GetGauge().GetValue()) || is(f.GetUntyped().GetValue()) ||
		is(f.GetSummary().GetSampleSum()) || is(f.GetHistogram().GetSampleSum())
}

// protobufForPrometheus takes out what is left out of a body that we accept:
// stale metrics, help that is not UTF-8, and metrics that are there twice.
func protobufForPrometheus(t *testing.T, body []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	seen := map[string]bool{}
	for r := bytes.NewReader(body); ; {
		f := &dto.MetricFamily{}
		if err := unmarshal(r, f); err != nil {
			if r.Len() == 0 {
				return out.Bytes()
			}
			t.Skip("nothing to compare with: client_model does not read the body")
		}
		kept := f.Metric[:0]
		for _, m := range f.Metric {
			key := f.GetName()
			for _, l := range m.Label {
				key += "\xff" + l.GetName() + "\xff" + l.GetValue()
			}
			if !staleIn(m) && !seen[key] {
				seen[key] = true
				kept = append(kept, m)
			}
		}
		if f.Metric = kept; !utf8.ValidString(f.GetHelp()) {
			f.Help = nil
		}
		if _, err := protodelim.MarshalTo(&out, f); err != nil {
			t.Skip("nothing to compare with: client_model does not write the body")
		}
	}
}

var errEnd = errors.New("no further message")

func unmarshal(r *bytes.Reader, f *dto.MetricFamily) error {
	n, err := binary.ReadUvarint(r)
	if err != nil || n > uint64(r.Len()) {
		return errEnd
	}
	b := make([]byte, n)
	if _, err := r.Read(b); err != nil && n > 0 {
		return err
	}
	return proto.Unmarshal(b, f)
}

// messages makes protobuf bodies.
type messages struct{ *generator }

func (g messages) label() []*dto.LabelPair {
	var out []*dto.LabelPair
	for _, name := range g.labelNames() {
		if name != "le" && name != "quantile" {
			out = append(out, &dto.LabelPair{Name: proto.String(name), Value: proto.String(g.value())})
		}
	}
	return out
}

func (g messages) float() *float64 {
	switch g.IntN(12) {
	case 0:
		return proto.Float64(math.Float64frombits(value.StaleNaN))
	case 1:
		return proto.Float64(math.NaN())
	default:
		return proto.Float64(float64(g.IntN(1000)))
	}
}

func (g messages) exemplar() *dto.Exemplar {
	if g.IntN(3) > 0 {
		return nil
	}
	return &dto.Exemplar{Label: g.label(), Value: proto.Float64(1), Timestamp: timestamppb.Now()}
}

func (g messages) native() *dto.Histogram {
	h := &dto.Histogram{SampleSum: g.float(), Schema: proto.Int32(int32(g.IntN(13) - 4)), ZeroThreshold: proto.Float64(0.1), ZeroCount: proto.Uint64(uint64(g.IntN(3)))}
	total, last := h.GetZeroCount(), int64(0)
	for range g.IntN(3) {
		span := &dto.BucketSpan{Offset: proto.Int32(int32(g.IntN(4))), Length: proto.Uint32(uint32(g.IntN(4)))}
		h.PositiveSpan = append(h.PositiveSpan, span)
		for range span.GetLength() {
			c := int64(g.IntN(5))
			h.PositiveDelta = append(h.PositiveDelta, c-last)
			last = c
			total += uint64(c)
		}
	}
	h.SampleCount = proto.Uint64(total)
	return h
}

func (g messages) classic() *dto.Histogram {
	h := &dto.Histogram{SampleSum: g.float(), SampleCount: proto.Uint64(9)}
	for i := range g.IntN(4) {
		h.Bucket = append(h.Bucket, &dto.Bucket{UpperBound: proto.Float64(float64(i)), CumulativeCount: proto.Uint64(uint64(i)), Exemplar: g.exemplar()})
	}
	if g.IntN(2) == 0 {
		h.Bucket = append(h.Bucket, &dto.Bucket{UpperBound: proto.Float64(math.Inf(1)), CumulativeCount: proto.Uint64(9)})
	}
	return h
}

func (g messages) metric(kind dto.MetricType) *dto.Metric {
	m := &dto.Metric{Label: g.label()}
	if g.IntN(4) == 0 {
		m.TimestampMs = proto.Int64(g.Int64() >> 10)
	}
	switch kind {
	case dto.MetricType_COUNTER:
		m.Counter = &dto.Counter{Value: g.float(), Exemplar: g.exemplar(), CreatedTimestamp: timestamppb.Now()}
	case dto.MetricType_GAUGE:
		m.Gauge = &dto.Gauge{Value: g.float()}
	case dto.MetricType_UNTYPED:
		m.Untyped = &dto.Untyped{Value: g.float()}
	case dto.MetricType_SUMMARY:
		m.Summary = &dto.Summary{SampleCount: proto.Uint64(3), SampleSum: g.float()}
		for i := range g.IntN(3) {
			m.Summary.Quantile = append(m.Summary.Quantile, &dto.Quantile{Quantile: proto.Float64(float64(i) / 4), Value: g.float()})
		}
	default:
		if m.Histogram = g.classic(); g.IntN(2) == 0 {
			m.Histogram = g.native()
		}
	}
	return m
}

func (g messages) body(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	for i := range 1 + g.IntN(4) {
		kind := dto.MetricType(g.IntN(6))
		name := strings.Repeat("m", i+1) + g.pick("", "_total", ".x")
		f := &dto.MetricFamily{Name: &name, Type: &kind, Help: proto.String(g.pick("", "Help."))}
		for range g.IntN(5) {
			f.Metric = append(f.Metric, g.metric(kind))
		}
		if _, err := protodelim.MarshalTo(&out, f); err != nil {
			t.Fatal(err)
		}
	}
	g.out = out.Bytes()
	if g.corrupt && len(g.out) > 0 {
		at := g.IntN(len(g.out))
		switch g.IntN(3) {
		case 0:
			g.out = g.out[:at]
		case 1:
			g.out[at] ^= 1 << g.IntN(8)
		default:
			g.out[at] = byte(g.IntN(256))
		}
	}
	return g.out
}

func newMessages(seed uint64) messages {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 3))}
	g.corrupt = g.IntN(2) == 0
	return messages{g}
}

func TestGeneratedProtobuf(t *testing.T) {
	accepted, refused := 0, 0
	for n := range uint64(3000) {
		g := newMessages(n)
		t.Run("", func(t *testing.T) {
			if err := check(t, exposition.Protobuf, g.body(t)); err == nil {
				accepted++
			} else if refused++; !g.corrupt {
				t.Fatalf("%q: %v", g.out, err)
			}
		})
	}
	if accepted < 1000 || refused < 500 {
		t.Errorf("%d accepted, %d refused: not much was compared", accepted, refused)
	}
}
