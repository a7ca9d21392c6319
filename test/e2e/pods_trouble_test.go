package e2e

import (
	"fmt"
	"net/http"

	"github.com/kubevitals/kubevitals/test/podtest"
)

// answerer is what pods answer with.
type answerer = http.Handler

// badServers are pods whose trouble is not what is in the body. elsewhere is the
// address of a server that nobody may ask.
func badServers(elsewhere string) []badInput {
	one := map[string]float64{"a": 1}
	row := func(name string, handler answerer, reason string) badInput {
		return badInput{pod: named(name), handler: handler, reason: reason, not: []string{"bad"}}
	}
	gzip := podtest.Gzipped("bad 1\n")
	short := gzip
	short.Body = short.Body[:len(short.Body)-6]
	flipped := podtest.Gzipped("bad 1\n")
	flipped.Body[len(flipped.Body)-6] ^= 1
	rows := []badInput{
		{pod: named("gzip"), handler: podtest.Gzipped("a 1\n"), want: one},
		{pod: named("zstd"), handler: podtest.Zstded("a 1\n"), want: one},
		row("gzip-short", short, "*"),
		row("gzip-crc", flipped, "*"),
		row("gzip-not", podtest.Answer{ContentType: podtest.Text, Encoding: "gzip", Body: []byte("bad 1\nthis is not compressed\n")}, "decode"),
		row("brotli", podtest.Answer{ContentType: podtest.Text, Encoding: "br", Body: []byte("bad 1\n")}, "decode"),
		row("bomb", podtest.Bomb(64), "body_size"),
		row("endless", podtest.Endless(), "body_size"),
		row("truncated", podtest.Truncated("bad 1\n"), "read"),
		row("broken", podtest.Broken("bad 1\n"), "read"),
		row("hang", podtest.Hang(), "timeout"),
		row("hang-in-body", podtest.HangInBody("bad 1\n"), "timeout"),
		row("drip", podtest.Drip(), "timeout"),
		row("drip-header", podtest.DripHeader(), "timeout"),
		row("endless-header", podtest.EndlessHeader(), "header"),
		row("reset", podtest.Reset(), "*"),
		row("junk", podtest.Junk(), "*"),
		row("loop", podtest.Answer{Status: http.StatusLoopDetected}, "loop"),
		row("redirect", podtest.Answer{Status: http.StatusFound, Location: "http://" + elsewhere + "/metrics", Body: []byte("bad 1\n")}, "redirect"),
		row("redirect-self", podtest.Answer{Status: http.StatusMovedPermanently, Location: "/other"}, "redirect"),
		{
			pod:     pod{name: "kopf", annotations: map[string]string{"kubevitals.io/format": "kopf-probe"}},
			handler: podtest.Answer{ContentType: "application/json", Body: []byte(`{"things": 3}`)},
		},
	}
	for _, status := range []int{401, 403, 404, 500, 503} {
		rows = append(rows, row(fmt.Sprintf("status-%d", status),
			podtest.Answer{Status: status, ContentType: podtest.Text, Body: []byte("bad 1\n")}, fmt.Sprintf("http_%d", status)))
	}
	return rows
}

// badAnnotations are pods whose annotations are wrong, or odd.
func badAnnotations(elsewhere string) []badInput {
	good := podtest.Body("a 1\n")
	row := func(name, annotation, value string) badInput {
		return badInput{
			pod:     pod{name: name, annotations: map[string]string{annotation: value}},
			handler: good, reason: "bad_annotation", not: []string{"a"}, unasked: true,
		}
	}
	return []badInput{
		row("port-zero", "prometheus.io/port", "0"),
		row("port-big", "prometheus.io/port", "65536"),
		row("port-octal", "prometheus.io/port", "015090"),
		row("port-name", "prometheus.io/port", "none"),
		row("port-host", "prometheus.io/port", "1@"+elsewhere+"/x?"),
		row("path-host", "prometheus.io/path", "@"+elsewhere+"/latest/meta-data"),
		row("path-newline", "prometheus.io/path", "/a\nlevel=ERROR msg=injected"),
		row("path-relative", "prometheus.io/path", "metrics"),
		row("scheme", "prometheus.io/scheme", "gopher"),
		{
			pod:     pod{name: "path-dots", annotations: map[string]string{"prometheus.io/path": "/x/../metrics"}},
			handler: podtest.ByPath{"/metrics": good}, want: map[string]float64{"a": 1},
		},
		{
			pod:     pod{name: "path-slashes", annotations: map[string]string{"prometheus.io/path": "//" + elsewhere + "/metrics"}},
			handler: podtest.ByPath{"/" + elsewhere + "/metrics": good}, want: map[string]float64{"a": 1},
		},
		{
			pod:     pod{name: "query", annotations: map[string]string{"prometheus.io/path": "/probe?target=x"}},
			handler: podtest.ByPath{"/probe": good}, want: map[string]float64{"a": 1},
		},
		{
			pod:     pod{name: "escapes", annotations: map[string]string{"note": "a \"b\"\n\\c"}},
			handler: good, want: map[string]float64{`a{note="a \"b\"\n\\c"}`: 1, `up{note="a \"b\"\n\\c"}`: 1},
			reason: "-",
		},
		{
			pod:     pod{name: "own-limit", annotations: map[string]string{"kubevitals.io/sample-limit": "1"}},
			handler: podtest.Body("bad 1\nb 1\n"), reason: "sample_limit", not: []string{"bad"},
		},
		{
			pod:     pod{name: "own-limit-higher", annotations: map[string]string{"kubevitals.io/sample-limit": "1000"}},
			handler: podtest.Body(repeated("bad{x=\"%d\"} 1\n", 201)), reason: "sample_limit", not: []string{"bad"},
		},
	}
}
