package exposition_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/operator/exposition"
)

const acceptProto = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"

var allFormats = []exposition.Format{exposition.Text, exposition.OpenMetrics, exposition.Protobuf}

func TestNegotiateEscaping(t *testing.T) {
	f := func(accept string, wantFormat exposition.Format, wantEscaping exposition.Escaping) {
		t.Helper()
		if format, e := exposition.Negotiate(accept); format != wantFormat || e != wantEscaping {
			t.Errorf("Negotiate(%q) = %d, %s, want %d, %s", accept, format, e, wantFormat, wantEscaping)
		}
	}
	const text, om, proto = exposition.Text, exposition.OpenMetrics, exposition.Protobuf
	f(acceptPrometheus3, om, allowUTF8)
	f(acceptPrometheus3Text, text, allowUTF8)
	f(acceptPrometheus2, om, underscores)
	f(acceptPrometheus1, text, underscores)
	f(acceptBrowser, text, underscores)
	f("", text, underscores)

	f("text/plain;escaping=allow-utf-8", text, allowUTF8)
	f("text/plain;escaping=dots", text, dots)
	f("text/plain;escaping=values", text, values)
	f("text/plain;escaping=underscores", text, underscores)
	f("text/plain;escaping=unknown", text, underscores)
	f("text/plain;escaping=", text, underscores)
	f("text/plain;escaping", text, underscores)
	f(`text/plain;Escaping="allow-utf-8"`, text, allowUTF8)
	f("text/plain; version=0.0.4 ; escaping=values ;q=0.5", text, values)
	f("*/*;escaping=allow-utf-8", text, allowUTF8)
	f("text/*;escaping=dots", text, dots)
	f("text/html;escaping=dots", text, underscores) // which nobody can answer

	// The escaping is that of the range that was picked.
	f("text/plain;escaping=dots;q=0.5,application/openmetrics-text;escaping=values", om, values)
	f("text/plain;escaping=dots,application/openmetrics-text;escaping=values;q=0.5", text, dots)
	f("text/plain;escaping=dots;q=0.5,text/plain;escaping=values", text, values)
	f("text/plain;version=0.0.4;escaping=dots;q=0.5,text/plain;escaping=values", text, dots)
	f("application/openmetrics-text;escaping=values,application/openmetrics-text;version=1.0.0;q=0.5", om, underscores)
	f("text/plain;escaping=dots,text/plain;escaping=values", text, dots)
	f("text/plain;escaping=dots;q=0.5,*/*;escaping=values", text, dots)
	f("*/*;escaping=values,text/plain;q=0.5", text, underscores)

	// Protobuf must be named to the full.
	f(acceptProto, proto, underscores)
	f(acceptProto+";escaping=allow-utf-8", proto, allowUTF8)
	f(acceptProto+";q=0.5,text/plain;q=0.4", proto, underscores)
	f(acceptProto+";q=0.4,text/plain;q=0.5", text, underscores)
	f(acceptProto+";q=0,text/plain;q=0.5", text, underscores)
	f(acceptProto+","+acceptPrometheus2, proto, underscores)
	f("Application/VND.google.Protobuf;PROTO=io.prometheus.client.MetricFamily;Encoding=\"delimited\"", proto, underscores)
	f("application/vnd.google.protobuf", text, underscores)
	f("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily", text, underscores)
	f("application/vnd.google.protobuf;encoding=delimited", text, underscores)
	f("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text", text, underscores)
	f("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=compact-text", text, underscores)
	f("application/vnd.google.protobuf;proto=io.prometheus.write.v2.Request;encoding=delimited", text, underscores)
}

// TestNegotiateContentType: a Content-Type that was sent gives back what it was
// made of, whatever the formats on offer.
func TestNegotiateContentType(t *testing.T) {
	seen := make(map[string]bool)
	for _, format := range allFormats {
		for _, escaping := range escapings {
			contentType := format.ContentType(escaping)
			if seen[contentType] {
				t.Errorf("%q is there twice", contentType)
			}
			seen[contentType] = true
			for _, offered := range [][]exposition.Format{nil, {format}, allFormats} {
				if f, e := exposition.Negotiate(contentType, offered...); f != format || e != escaping {
					t.Errorf("%q of %d gives %d, %s, want %d, %s", contentType, offered, f, e, format, escaping)
				}
			}
			p := exposition.Prometheus{Formats: []exposition.Format{format}}
			if got := p.ContentType(contentType); got != contentType {
				t.Errorf("%q becomes %q", contentType, got)
			}
		}
	}
}

// TestNegotiateRefused: a range with a weight of 0 wishes for nothing.
func TestNegotiateRefused(t *testing.T) {
	for _, accept := range []string{
		"text/plain;escaping=dots;q=0", "*/*;escaping=values;q=0", "application/openmetrics-text;escaping=allow-utf-8;q=0",
	} {
		if f, e := exposition.Negotiate(accept); f != exposition.Text || e != exposition.Underscores {
			t.Errorf("Negotiate(%q) = %d, %s, want text with underscores", accept, f, e)
		}
	}
}

func TestNegotiateOffered(t *testing.T) {
	const text, om, proto = exposition.Text, exposition.OpenMetrics, exposition.Protobuf
	f := func(accept string, want exposition.Format, offered ...exposition.Format) {
		t.Helper()
		if got, _ := exposition.Negotiate(accept, offered...); got != want {
			t.Errorf("Negotiate(%q, %d) = %d, want %d", accept, offered, got, want)
		}
		if got, _ := (exposition.Prometheus{Formats: offered}).Negotiate(accept); got != want {
			t.Errorf("%d negotiate %d for %q, want %d", offered, got, accept, want)
		}
	}
	every := acceptProto + ",application/openmetrics-text;q=0.8,text/plain;q=0.6"
	f(every, proto)
	f(every, proto, text, om, proto)
	f(every, proto, proto, text)
	f(every, om, om, text)
	f(every, om, text, om)
	f(every, text, text)
	f(every, om, om)
	f(every, proto, proto)
	f(acceptPrometheus3, text, text, proto)
	f(acceptPrometheus3Proto, om, text, om)

	// If nothing that is offered is acceptable it is text, or the first.
	for _, accept := range []string{"", ",;", "text/html", "application/openmetrics-text;version=2.0.0", "text/plain;q=0,application/openmetrics-text;q=0," + acceptProto + ";q=0"} {
		f(accept, text)
		f(accept, text, text)
		f(accept, text, om, text)
		f(accept, text, proto, om, text)
		f(accept, om, om)
		f(accept, om, om, proto)
		f(accept, proto, proto)
		f(accept, proto, proto, om)
	}
	f("application/openmetrics-text", text, text)
	f("application/openmetrics-text", text, proto, text)
	f("application/openmetrics-text", proto, proto)
	f("application/openmetrics-text;q=0", om, om)
	f("*/*", proto, proto, om) // these must be asked for by name

	// Text that is not offered takes nothing from what is.
	f("text/plain,application/openmetrics-text;q=0.1", om, om)
	f("text/plain,application/openmetrics-text;q=0.1", om, proto, om)
	f("*/*,application/openmetrics-text;q=0.1", om, proto, om)
	f(acceptPrometheus3Text, om, proto, om)
	f("text/plain,"+acceptProto+";q=0.1,application/openmetrics-text;q=0.2", om, proto, om)
	f("text/plain", om, om, proto)
	f("text/plain", proto, proto, om)
}

// FuzzNegotiateOffered: what is picked is on offer; to offer a format that was
// not picked, or not, makes no difference; and no other format than text is
// picked without its name, unless it is the first and there is no text.
func FuzzNegotiateOffered(f *testing.F) {
	f.Add(acceptPrometheus3Proto)
	f.Add(acceptProto + ";q=0.1,*/*;q=0.5;escaping=dots")
	f.Add("text/plain;q=0.5,application/openmetrics-text;q=0.5,text/plain;escaping=values")
	f.Fuzz(func(t *testing.T, accept string) {
		best, escaping := exposition.Negotiate(accept)
		for mask := range 1 << len(allFormats) {
			var offered []exposition.Format
			for i, format := range allFormats {
				if mask&(1<<i) != 0 {
					offered = append(offered, format)
				}
			}
			got, e := exposition.Negotiate(accept, offered...)
			if !slices.Contains(offered, got) && len(offered) > 0 {
				t.Errorf("Negotiate(%q, %d) = %d", accept, offered, got)
			}
			if slices.Contains(offered, best) && (got != best || e != escaping) {
				t.Errorf("Negotiate(%q, %d) = %d, %s, though all give %d, %s", accept, offered, got, e, best, escaping)
			}
			contentType := got.ContentType(e)
			if again, e2 := exposition.Negotiate(contentType, offered...); slices.Contains(offered, got) && (again != got || e2 != e) {
				t.Errorf("%q gives %d, %s", contentType, again, e2)
			}
			name, _, _ := strings.Cut(contentType, ";")
			last := len(offered) > 0 && got == offered[0] && !slices.Contains(offered, exposition.Text)
			if got != exposition.Text && !last && !strings.Contains(strings.ToLower(accept), name) {
				t.Errorf("Negotiate(%q, %d) = %d, which it does not name", accept, offered, got)
			}
		}
	})
}
