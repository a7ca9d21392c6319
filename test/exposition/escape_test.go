package exposition

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

var schemes = map[exposition.Escaping]model.EscapingScheme{
	exposition.Underscores: model.UnderscoreEscaping,
	exposition.AllowUTF8:   model.NoEscaping,
	exposition.Dots:        model.DotsEscaping,
	exposition.Values:      model.ValueEncodingEscaping,
}

func TestEscapingNames(t *testing.T) {
	for e, scheme := range schemes {
		if e.String() != scheme.String() {
			t.Errorf("%s is %s with Prometheus", e, scheme)
		}
	}
}

// checkName holds the name of a metric and of a label against those that expfmt
// writes. A label name with a colon is the one difference: they keep the colon,
// which no label name may have.
func checkName(t *testing.T, name string) {
	t.Helper()
	f := metric.Family{Desc: metric.Desc{Name: name}, Samples: []metric.Sample{{Labels: metric.Labels(name, "1")}}}
	for e, scheme := range schemes {
		got := e.Escape(f)
		message := model.EscapeMetricFamily(toDTO(f), scheme)
		if want := message.GetName(); got.Name != want {
			t.Errorf("%s of the metric %q is %q, want %q", e, name, got.Name, want)
		}
		label := got.Samples[0].Labels[0].Name
		if want := message.Metric[0].Label[0].GetName(); label != want && !strings.Contains(name, ":") {
			t.Errorf("%s of the label %q is %q, want %q", e, name, label, want)
		}
		if e != exposition.AllowUTF8 && !model.LegacyValidation.IsValidLabelName(label) {
			t.Errorf("%s of the label %q is %q, which is not a legacy name", e, name, label)
		}
		if e == exposition.Values && name[0] != 'U' {
			if back := model.UnescapeName(got.Name, scheme); back != name {
				t.Errorf("%q comes back as %q", name, back)
			}
		}
	}
}

func TestEscapeName(t *testing.T) {
	for _, name := range []string{
		"a", "a_b", "a.b", "a..b", "_", "__", "_a", "0", "0a", "a0", ":", "a:b", ":a.b", "日本", "a日本", "\U0001f600", "a\ufffd", "\x00", "a b",
		"a-b", "_.a", "U__a", "U__a_2e_b", "\n", `"`, `\`, "http.server.duration_seconds", "k8s.io/app",
	} {
		checkName(t, name)
	}
	r := rand.New(rand.NewPCG(1, 2))
	alphabet := []rune("abzAZ019_.:-/ é日\U0001f600\n\"\\\u00ff\u0100\ufffd")
	for range 20_000 {
		var name []rune
		for range 1 + r.IntN(8) {
			name = append(name, alphabet[r.IntN(len(alphabet))])
		}
		checkName(t, string(name))
	}
}

// TestEscapeFamily: the text of a family is that of expfmt with the same
// escaping, names that begin with two underscores and all. Differences: we sort
// labels again, and a unit is gone.
func TestEscapeFamily(t *testing.T) {
	f := func(name string, samples ...metric.Sample) {
		t.Helper()
		for e, scheme := range schemes {
			f := metric.Family{Desc: metric.Desc{Name: name, Help: "http.server", Type: metric.Counter}, Samples: samples}
			var want bytes.Buffer
			format := expfmt.NewFormat(expfmt.TypeTextPlain).WithEscapingScheme(scheme)
			if err := expfmt.NewEncoder(&want, format).Encode(expfmtMessage(f)); err != nil {
				t.Fatal(err)
			}
			if got := encode(t, exposition.Text, e.Escape(f)); string(got) != want.String() {
				t.Errorf("%s: got\n%swant\n%s", e, got, want.String())
			}
			checkScrape(t, exposition.Text, e.Escape(f))
			checkScrape(t, exposition.OpenMetrics, e.Escape(f))
			checkScrape(t, exposition.Protobuf, e.Escape(f))
		}
	}
	samples := []metric.Sample{
		{Labels: metric.Labels("a.b", "1.2", "a.c", "3"), Value: 4},
		{Labels: metric.Labels("aé", "1"), Value: 5},
		{Labels: metric.Labels("ab", "1"), Value: 6},
		{Labels: metric.Labels("a_b", "1"), Value: 7},
		{Labels: metric.Labels("日a", "1"), Value: 8},
	}
	f("http.server/Zürich_total", samples...)
	f("http_server_total", samples...)
	f("http_server_total", metric.Sample{Labels: metric.Labels("a_b", "1"), Value: 2})
	f("日a_total", metric.Sample{Labels: metric.Labels("/", "1"), Value: 2})
}

// TestNegotiate: for the headers of real scrapers, and each Content-Type of
// ours as a header, expfmt picks what we pick.
func TestNegotiate(t *testing.T) {
	types := map[exposition.Format]expfmt.FormatType{
		exposition.Text: expfmt.TypeTextPlain, exposition.OpenMetrics: expfmt.TypeOpenMetrics, exposition.Protobuf: expfmt.TypeProtoDelim,
	}
	f := func(accept string) {
		t.Helper()
		format, e := exposition.Negotiate(accept)
		header := http.Header{"Accept": {accept}}
		want := expfmt.NegotiateAccept(header, expfmt.DefaultOpenMetricsAcceptedFormats()...)
		if types[format] != want.FormatType() {
			t.Errorf("%q gives %s, want %s", accept, format.ContentType(e), want)
		}
		if schemes[e] != want.ToEscapingScheme() {
			t.Errorf("%q gives the escaping %s, want %s", accept, e, want.ToEscapingScheme())
		}
		if got := expfmt.Format(format.ContentType(e)); got.FormatType() != types[format] {
			t.Errorf("expfmt takes %q for %v", got, got.FormatType())
		}
	}
	const (
		protobuf    = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
		openMetrics = "application/openmetrics-text;version=1.0.0"
	)
	f("")
	f("*/*")
	f("text/plain")
	f("text/plain;version=0.0.4;q=1,*/*;q=0.1")
	f(openMetrics + ",application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1")
	for _, escaping := range []string{"", ";escaping=allow-utf-8", ";escaping=underscores", ";escaping=dots", ";escaping=values", ";escaping=other"} {
		f(protobuf + escaping + ";q=0.6," + openMetrics + escaping + ";q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0" + escaping + ";q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1")
		f(openMetrics + escaping + ";q=0.5,text/plain;version=1.0.0" + escaping + ";q=0.3,*/*;q=0.1")
		f("text/plain;version=1.0.0" + escaping + ";q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.3")
	}
	for format := range types {
		for e := range schemes {
			f(format.ContentType(e))
		}
	}
}
