package exposition_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

func TestJSON(t *testing.T) {
	f := func(want string, families ...metric.Family) {
		t.Helper()
		var out bytes.Buffer
		if err := (exposition.JSON{}).Encode(&out, "", families); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
		if !json.Valid(out.Bytes()) {
			t.Errorf("not JSON: %s", out.Bytes())
		}
	}
	sample := func(s metric.Sample) metric.Family {
		return metric.Family{Desc: metric.Desc{Name: "a"}, Samples: []metric.Sample{s}}
	}
	number := func(v float64) metric.Family { return sample(metric.Sample{Value: v}) }
	f("[]\n")
	f(`[{"name":"a","type":"unknown","samples":[]}]`+"\n", metric.Family{Desc: metric.Desc{Name: "a"}})
	f(`[{"name":"up","type":"gauge","samples":[{"labels":{"job":"a"},"value":1}]}]`+"\n",
		metric.Family{Desc: metric.Desc{Name: "up", Type: metric.Gauge}, Samples: []metric.Sample{{Labels: metric.Labels("job", "a"), Value: 1}}})
	f(`[{"name":"a.b_seconds","type":"counter","help":"A \"b\"\n.","unit":"seconds","samples":[{"labels":{},"value":0},{"labels":{"x":"1","y":""},"value":2.5}]},
{"name":"c","type":"info","samples":[]},
{"name":"d","type":"stateset","samples":[]}]
`,
		metric.Family{
			Desc:    metric.Desc{Name: "a.b_seconds", Help: "A \"b\"\n.", Unit: "seconds", Type: metric.Counter},
			Samples: []metric.Sample{{}, {Labels: metric.Labels("x", "1", "y", ""), Value: 2.5}},
		},
		metric.Family{Desc: metric.Desc{Name: "c", Type: metric.Info}},
		metric.Family{Desc: metric.Desc{Name: "d", Type: metric.StateSet}})

	// Numbers.
	f(`[{"name":"a","type":"unknown","samples":[{"labels":{},"value":"NaN"}]}]`+"\n", number(math.NaN()))
	f(`[{"name":"a","type":"unknown","samples":[{"labels":{},"value":"+Inf"}]}]`+"\n", number(math.Inf(1)))
	f(`[{"name":"a","type":"unknown","samples":[{"labels":{},"value":"-Inf"}]}]`+"\n", number(math.Inf(-1)))
	f(`[{"name":"a","type":"unknown","samples":[{"labels":{},"value":1000000}]}]`+"\n", number(1e6))
	f(`[{"name":"a","type":"unknown","samples":[{"labels":{},"value":1.7976931348623157e+308}]}]`+"\n", number(math.MaxFloat64))
	f(`[{"name":"a","type":"unknown","samples":[{"labels":{},"value":5e-324}]}]`+"\n", number(math.SmallestNonzeroFloat64))

	// Strings: labels keep their order, also where they should not.
	f(`[{"name":"a","type":"unknown","samples":[{"labels":{"z":"1","\"\\\n":"\u003c日本\ufffd\u0000\u003e"},"value":0}]}]`+"\n",
		sample(metric.Sample{Labels: []metric.Label{{Name: "z", Value: "1"}, {Name: "\"\\\n", Value: "<日本\xff\x00>"}}}))

	// Times, in UTC.
	zone := time.FixedZone("", 3600)
	f(`[{"name":"a","type":"unknown","samples":[{"labels":{},"value":1,"exemplar":{"labels":{"t":"1"},"value":"NaN","time":"1969-12-31T23:59:59.5Z"},"created":"2023-11-14T22:13:20Z","time":"2023-11-14T22:13:20.123Z"}]}]`+"\n",
		sample(metric.Sample{
			Value: 1, Time: time.UnixMilli(1700000000123).In(zone), Created: time.Unix(1700000000, 0).In(zone),
			Exemplar: &metric.Exemplar{Labels: metric.Labels("t", "1"), Value: math.NaN(), Time: time.UnixMilli(-500)},
		}))
	f(`[{"name":"a","type":"unknown","samples":[{"labels":{},"value":1,"exemplar":{"labels":{},"value":0}}]}]`+"\n",
		sample(metric.Sample{Value: 1, Exemplar: &metric.Exemplar{}}))
}

func TestJSONOfDistributions(t *testing.T) {
	f := func(s metric.Sample, want string) {
		t.Helper()
		var out bytes.Buffer
		families := []metric.Family{{Desc: metric.Desc{Name: "a", Type: metric.Summary}, Samples: []metric.Sample{s}}}
		if err := (exposition.JSON{}).Encode(&out, "", families); err != nil {
			t.Fatal(err)
		}
		if want = `[{"name":"a","type":"summary","samples":[` + want + "]}]\n"; out.String() != want {
			t.Errorf("got\n%swant\n%s", out.String(), want)
		}
	}
	f(metric.Sample{Summary: &metric.SummaryValue{}}, `{"labels":{},"count":0,"sum":0}`)
	f(metric.Sample{Summary: &metric.SummaryValue{Count: 2, Sum: math.Inf(-1), Quantiles: quantiles(0.5, math.NaN(), 1, 2)}, Created: time.Unix(1, 0)},
		`{"labels":{},"count":2,"sum":"-Inf","quantiles":[{"quantile":0.5,"value":"NaN"},{"quantile":1,"value":2}],"created":"1970-01-01T00:00:01Z"}`)
	f(metric.Sample{Value: 7, Histogram: &metric.HistogramValue{Native: &metric.NativeHistogram{ZeroCount: 1}}}, `{"labels":{},"count":0,"sum":0}`)
	f(metric.Sample{Histogram: &metric.HistogramValue{Count: 2.5, Sum: math.NaN(), Buckets: []metric.Bucket{
		{UpperBound: 0.5, Count: 1, Exemplar: &metric.Exemplar{Labels: metric.Labels("t", "1"), Value: 0.25}},
		{UpperBound: math.Inf(1), Count: 2.5},
	}}}, `{"labels":{},"count":2.5,"sum":"NaN","buckets":[{"upperBound":0.5,"count":1,"exemplar":{"labels":{"t":"1"},"value":0.25}},{"upperBound":"+Inf","count":2.5}]}`)
}

func TestJSONContentType(t *testing.T) {
	for _, accept := range []string{"", "*/*", acceptPrometheus3, "text/html"} {
		if got := (exposition.JSON{}).ContentType(accept); got != "application/json" {
			t.Errorf("ContentType(%q) = %q", accept, got)
		}
	}
}

// TestJSONErrors: the writer's error comes back, wherever it happens.
func TestJSONErrors(t *testing.T) {
	families := []metric.Family{{Desc: metric.Desc{Name: "a"}}, {Desc: metric.Desc{Name: "b"}}}
	var all chunkyWriter
	if err := (exposition.JSON{}).Encode(&all, "", families); err != nil {
		t.Fatal(err)
	}
	for left := range all.total {
		out := &limitedWriter{left: left}
		if err := (exposition.JSON{}).Encode(out, "", families); !errors.Is(err, errFull) || out.late > 0 {
			t.Errorf("room for %d bytes: %v and %d writes after the error, want %v", left, err, out.late, errFull)
		}
	}
}
