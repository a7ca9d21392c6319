package exposition_test

import (
	"testing"

	"github.com/kubevitals/kubevitals/operator/exposition"
)

func TestContentType(t *testing.T) {
	f := func(format exposition.Format, want string) {
		t.Helper()
		if got := format.ContentType(underscores); got != want {
			t.Errorf("ContentType of %d = %q, want %q", format, got, want)
		}
		for e, suffix := range map[exposition.Escaping]string{allowUTF8: "; escaping=allow-utf-8", dots: "; escaping=dots", values: "; escaping=values"} {
			if got := format.ContentType(e); got != want+suffix {
				t.Errorf("ContentType of %d and %s = %q, want %q", format, e, got, want+suffix)
			}
		}
	}
	f(exposition.Text, "text/plain; version=0.0.4; charset=utf-8")
	f(exposition.OpenMetrics, "application/openmetrics-text; version=1.0.0; charset=utf-8")
	f(exposition.Protobuf, "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited")
	var zero exposition.Format
	f(zero, "text/plain; version=0.0.4; charset=utf-8")
}

// The Accept headers of real scrapers.
const (
	acceptPrometheus3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6," +
		"application/openmetrics-text;version=0.0.1;q=0.5," +
		"text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
	acceptPrometheus3Proto = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6," + acceptPrometheus3
	acceptPrometheus3Text  = "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5," +
		"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.4,application/openmetrics-text;version=0.0.1;q=0.3,*/*;q=0.2"
	acceptPrometheus2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
	acceptPrometheus1 = "text/plain;version=0.0.4;q=1,*/*;q=0.1"
	acceptVictoria    = "text/plain;version=0.0.4;q=1,*/*;q=0.1"
	acceptBrowser     = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
)

func TestNegotiate(t *testing.T) {
	f := func(accept string, want exposition.Format) {
		t.Helper()
		if got, _ := exposition.Negotiate(accept); got != want {
			t.Errorf("Negotiate(%q) = %d, want %d", accept, got, want)
		}
	}
	const text, om = exposition.Text, exposition.OpenMetrics
	f(acceptPrometheus3, om)
	f(acceptPrometheus3Proto, exposition.Protobuf)
	f(acceptPrometheus3Text, text)
	f(acceptPrometheus2, om)
	f(acceptPrometheus1, text)
	f(acceptVictoria, text)
	f(acceptBrowser, text)

	f("", text)
	f("*/*", text)
	f("text/*", text)
	f("text/plain", text)
	f("application/json", text)
	f("application/*", text) // OpenMetrics must be asked for by name
	f("application/openmetrics-text", om)
	f("Application/OpenMetrics-Text", om)
	f(" application/openmetrics-text ; version=1.0.0 ; charset=utf-8 ", om)
	f(`application/openmetrics-text;version="1.0.0"`, om)
	f("application/openmetrics-text;version=0.0.1", om)
	f("application/openmetrics-text;version=2.0.0", text)
	f("text/plain;version=1.0.0", text)

	// Weights.
	f("application/openmetrics-text;q=0.5,text/plain;q=0.6", text)
	f("application/openmetrics-text;q=0.6,text/plain;q=0.5", om)
	f("text/plain;q=0.5,application/openmetrics-text;q=0.6", om)
	f("text/plain;q=0.5,application/openmetrics-text;Q=0.6", om)
	f("application/openmetrics-text,text/plain;q=0.999", om)
	f("application/openmetrics-text,text/plain", om) // the first of equals
	f("text/plain,application/openmetrics-text", text)
	f("application/openmetrics-text;version=2.0.0;q=1,application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.7", text)
	f("application/openmetrics-text;q=0", text)
	f("application/openmetrics-text;q=0.000,*/*", text)
	f("text/plain;q=0,application/openmetrics-text;q=0.001", om)
	f("application/openmetrics-text;q=0,text/plain;q=0", text)
	f("application/openmetrics-text;version=1.0.0;q=0,application/openmetrics-text;version=0.0.1;q=0.1", om)

	// The most specific range gives a format its weight.
	f("*/*,text/plain;q=0.2,application/openmetrics-text;q=0.5", om)
	f("application/openmetrics-text;q=0.5,text/plain;q=0.2,*/*", om)
	f("text/*,text/plain;q=0.2,application/openmetrics-text;q=0.5", om)
	f("text/*;q=0.2,*/*,application/openmetrics-text;q=0.5", om)
	f("text/plain;q=0,*/*;q=1,application/openmetrics-text;q=0.5", om)
	f("*/*;q=0.2,text/*,application/openmetrics-text;q=0.5", text)
	f("text/plain;q=0.2,text/plain;version=0.0.4;q=0.7,application/openmetrics-text;q=0.5", text)
	f("text/plain;q=0.7,text/plain;version=0.0.4;q=0.2,application/openmetrics-text;q=0.5", om)
	f("text/plain;version=0.0.4;q=0.2,text/plain;q=0.7,application/openmetrics-text;q=0.5", om)
	f("text/plain;version=1.0.0;q=0.2,text/plain;q=0.7,application/openmetrics-text;q=0.5", om)
	f("text/plain;version=0.0.4;q=0,text/plain,application/openmetrics-text;q=0.5", om)
	f("text/plain;version=2.0.0;q=0.2,text/plain;q=0.7,application/openmetrics-text;q=0.5", text) // which matches nothing
	f("application/openmetrics-text,application/openmetrics-text;version=1.0.0;q=0.2,text/plain;q=0.5", text)
	f("application/openmetrics-text;version=0.0.1;q=0.2,application/openmetrics-text,text/plain;q=0.5", text)
	f("application/openmetrics-text;version=1.0.0,application/openmetrics-text;q=0,text/plain;q=0.5", om)
	f("application/openmetrics-text;charset=utf-8;q=0.2,application/openmetrics-text,text/plain;q=0.5", om) // only the version counts
	f("application/openmetrics-text;version=1.0.0;q=0.2,application/openmetrics-text;version=0.0.1,text/plain;q=0.5", om)
	f("text/html;q=0.2,*/*,application/openmetrics-text;q=0.5", text)

	// Malformed.
	f(",,,", text)
	f(";", text)
	f("q=1", text)
	f(";q=1;version=1.0.0", text)
	f("application/openmetrics-text;q=-1", text)
	f("application/openmetrics-text;q=NaN", text)
	f("application/openmetrics-text;;q=0.5;", om)
	f(",application/openmetrics-text,", om)
	f("application/openmetrics-textual", text)
	f("xapplication/openmetrics-text", text)
	f("application/openmetrics-text version=1.0.0", text)
	f("\x00\xff;q=\xff,text/plain", text)
	f("text/plain;q=0.5,application/openmetrics-text;q=x", om) // no valid weight counts as 1
	f("application/openmetrics-text;version", om)
	f("text/plain,application/openmetrics-text;q=2", text) // no more than 1
	f("text/plain,application/openmetrics-text;q=Inf", text)
	f("text/plain;q=0.5,application/openmetrics-text;q=2", om)
}

func TestAcceptsGzip(t *testing.T) {
	f := func(header string, want bool) {
		t.Helper()
		if got := exposition.AcceptsGzip(header); got != want {
			t.Errorf("AcceptsGzip(%q) = %v, want %v", header, got, want)
		}
	}
	f("gzip", true)                    // Prometheus, Go
	f("gzip, deflate, br, zstd", true) // browsers
	f("deflate, gzip, br", true)
	f("deflate,gzip;q=1.0,*;q=0.5", true)
	f("GZip", true)
	f("x-gzip", true)
	f(" gzip ;q=0.1 ", true)
	f("gzip;q=0.001", true)
	f("*", true)
	f("br, *;q=0.1", true)
	f("*;q=0, gzip", true)
	f("gzip, *;q=0", true)
	f("identity;q=0, gzip", true)

	f("", false)
	f("identity", false)
	f("deflate", false)
	f("gzip;q=0", false)
	f("gzip;q=0.000", false)
	f("gzip; q=0", false)
	f("gzip;q=0, *", false)
	f("*, gzip;q=0", false)
	f("*;q=0", false)
	f("br;q=1, *;q=0", false)
	f("gzip;q=-1", false)
	f("gzipped", false)
	f("gzip deflate", false)
	f(",;,", false)
	f(";q=1", false)
}
