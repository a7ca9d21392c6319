package pods_test

import (
	"bytes"
	"math/rand/v2"
	"strings"

	"github.com/kubevitals/kubevitals/test/podtest"
)

// nasty are lines and parts of lines that some parser chokes on, or reads in
// another way than the next.
var nasty = []string{
	"<html><body>404</body></html>\n", "{\"a\":1}\n", "\ufeff", "\r\n", "\r", "\x00", "\xff", "\"", "\\", "{", "}", ",", "=", "#", " ", "\t", "\n", "\n\n",
	"# EOF\n", "# EOF", "# TYPE a unknown\n", "# TYPE a info\n", "# TYPE a stateset\n", "# TYPE a gaugehistogram\n", "# TYPE a nonsense\n",
	"# TYPE a\n", "#  TYPE   a   counter\n", "# TYPE up counter\n", "# TYPE requests histogram\n", "# TYPE latency_bucket gauge\n", "# HELP a \xff\n",
	"# HELP a one\n# HELP a two\n", "# UNIT a_seconds seconds\n", "# UNIT a seconds\n", "# TYPE latency summary\n# TYPE latency histogram\n",
	"up 0\n", "up 0 99999999999999\n", "up{k8s_pod_name=\"pod-0\",k8s_namespace=\"space\"} 0\n", "scrape_samples_scraped 1\n", "kubevitals_build_info 1\n",
	"a{b=\"c\",b=\"d\"} 1\n", "a{k8s_pod_name=\"x\"} 1\n", "a{b=\"c\",} 1\n", "a{} 1\n", "a { b = \"c\" , } 1\n", "{\"a.b\"} 1\n", "{\"a.b\",\"c.d\"=\"e\"} 1\n",
	"{b=\"c\"} 1\n", "{\"\"} 1\n", "{\"a\",\"b\"} 1\n", "a{\"b\"} 1\n", "a{le=\"x\"} 1\n", "latency_bucket{le=\"+Inf\"} 1\n", "latency_bucket 1\n", "latency{quantile=\"0.5\"} 1\n",
	"a 1e400\n", "a 0x1p-2\n", "a 1_000\n", "a NaN\n", "a nan\n", "a Infinity\n", "a -Inf\n", "a +Inf\n", "a 1 1.5\n", "a 1 -5\n", "a 1 2 3\n", "a 1 99999999999999999999\n",
	"a 1 # {trace_id=\"x\"} 1\n", "a_total 1 # {trace_id=\"x\"} 1 1.5\n", "a_created 1700000000.5\n", "requests_created 1\n", "a_info{x=\"y\"} 1\n", "a{b=\"\n\"} 1\n",
	"a 1\na 2\n", "a{__name__=\"b\"} 1\n", "__name__ 1\n", "a:b:c 1\n", "9a 1\n", "a{9=\"x\"} 1\n", "exported_up 1\n", "a{exported_k8s_pod_name=\"x\",k8s_pod_name=\"y\"} 1\n",
	"latency_count 1\n", "latency_sum 1\n", "x_total_total 1\n", "requests_total_total 1\n", "build_info_info 1\n", "a\u00a01\n", "a 1\v\n",
}

var contentTypes = []string{
	podtest.Text, podtest.OpenMetrics, podtest.Protobuf, podtest.None, "text/plain", "text/html", "application/json", "nonsense", ";",
	"application/openmetrics-text", "text/plain; version=1.0.0", "application/openmetrics-text; version=2.0.0", "application/vnd.google.protobuf",
	"text/plain; version=0.0.4; escaping=underscores", "application/openmetrics-text; version=0.0.1; escaping=values",
}

// corrupt returns a body that was made from a good one, or of nothing at all.
func corrupt(random *rand.Rand) body {
	from := formats[random.IntN(len(formats))]
	var text []byte
	switch random.IntN(6) {
	case 0:
		text = bytes.Clone(podtest.Compact(from))
	case 1:
		for range random.IntN(200) {
			text = append(text, byte(random.Uint32()))
		}
	case 2:
		for range 1 + random.IntN(5) {
			text = append(text, nasty[random.IntN(len(nasty))]...)
		}
	default:
		text = encode(randomFamilies(random), from)
	}
	for range random.IntN(4) {
		text = mutate(random, text)
	}
	a := podtest.Answer{ContentType: from, Body: text}
	if random.IntN(3) == 0 {
		a.ContentType = contentTypes[random.IntN(len(contentTypes))]
	}
	switch random.IntN(12) {
	case 0:
		a.Encoding, a.Body = "gzip", mutate(random, podtest.Gzip(a.Body))
	case 1:
		a.Encoding = []string{"gzip", "zstd", "br", "deflate", "identity", "gzip, gzip"}[random.IntN(6)]
	case 2:
		a.Status = []int{204, 206, 300, 302, 404, 500, 503, 508}[random.IntN(8)]
	}
	if a.Status == 204 {
		a.Body = nil
	}
	return body{answer: a}
}

// mutate changes a few bytes.
func mutate(random *rand.Rand, b []byte) []byte {
	at := random.IntN(len(b) + 1)
	if i := bytes.IndexByte(b[at:], '\n'); i >= 0 && random.IntN(2) == 0 {
		at += i + 1
	}
	end := min(len(b), at+random.IntN(20))
	switch random.IntN(5) {
	case 0: // cut off
		return b[:at]
	case 1: // leave out
		return append(bytes.Clone(b[:at]), b[end:]...)
	case 2: // repeat
		return append(bytes.Clone(b[:end]), b[at:]...)
	case 3: // flip
		out := bytes.Clone(b)
		if at < len(out) {
			out[at] ^= 1 << random.IntN(8)
		}
		return out
	default: // insert
		insert := nasty[random.IntN(len(nasty))]
		if random.IntN(3) == 0 {
			insert = strings.TrimSuffix(insert, "\n")
		}
		return append(append(bytes.Clone(b[:at]), insert...), b[at:]...)
	}
}
