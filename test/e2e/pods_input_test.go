package e2e

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/test/podtest"
	"github.com/kubevitals/kubevitals/test/promtest"
)

// badInput is one pod, and what becomes of what it sends.
type badInput struct {
	pod
	handler answerer
	// reason is that of scrape_error; "" if the pod is up, "*" for any, "-" if want
	// says it.
	reason string
	// want are series with the labels of the pod besides.
	want map[string]float64
	// not are names of series that the pod must not have.
	not []string
	// unasked says that the pod must get no request.
	unasked bool
}

// TestPodsBadInput has a pod for each thing that pods can send, good and bad, in one
// namespace, and scrapes them at once in each format: what is bad costs its own
// pod, and nothing else.
func TestPodsBadInput(t *testing.T) {
	const space = "pods-input"
	elsewhere := podtest.Start(t, podtest.Body("stolen 1\n"))
	rows := append(badBodies(), badServers(elsewhere.Addr.String())...)
	rows = append(rows, badAnnotations(elsewhere.Addr.String())...)
	pods := make([]pod, len(rows))
	for i := range rows {
		rows[i].server = podtest.Start(t, rows[i].handler)
		pods[i] = rows[i].pod
	}
	createPods(t, space, pods...)
	p := podProxy(t, space, "--timeout", "3s", "--body-size-limit", "1Mi", "--wire-size-limit", "256Ki", "--sample-limit", "200", "--label-limit", "12",
		"--label-name-length-limit", "40", "--label-value-length-limit", "100", "--target-label", "note=annotation:note")
	for _, protocol := range []string{promtest.Text, promtest.OpenMetrics, promtest.Protobuf} {
		t.Run(protocol, func(t *testing.T) {
			got := stored(t, p, protocol)
			for _, r := range rows {
				t.Run(r.name, func(t *testing.T) { r.check(t, space, got) })
			}
			escaped := map[string]string{promtest.OpenMetrics: `{"a.b","c.d"="e"}`} // Prometheus asks for names as they are
			if key := ofPod(t, space, "utf8-names", cmp.Or(escaped[protocol], `a_b{c_d="e"}`)); got[key] != 1 {
				t.Errorf("%s is %v", key, got[key])
			}
			for series := range got {
				if strings.HasPrefix(series, "stolen") {
					t.Errorf("%s was got from a place that is no pod", series)
				}
			}
		})
	}
	if strings.Contains(p.Output.String(), "\nlevel=ERROR msg=injected") {
		t.Error("a pod can write lines of the log")
	}
	if n := elsewhere.Requests(); n != 0 {
		t.Errorf("a server that is no pod got %d requests", n)
	}
}

func (r *badInput) check(t *testing.T, space string, got promtest.Series) {
	t.Helper()
	wantUp := 1.0
	if r.reason != "" {
		wantUp = 0
	}
	if up, ok := got[podUp(t, space, r.name)]; r.reason != "-" && (!ok || up != wantUp) {
		t.Errorf("up is %v (present: %v), want %v", up, ok, wantUp)
	}
	r.checkReason(t, got)
	for series := range got {
		for _, name := range r.not {
			if strings.HasPrefix(series, name+"{") && strings.Contains(series, r.ownLabel()) {
				t.Errorf("%s is there", series)
			}
		}
	}
	for series, want := range r.want {
		key := ofPod(t, space, r.name, series)
		if v, ok := got[key]; !ok || v != want && !(math.IsNaN(v) && math.IsNaN(want)) {
			t.Errorf("%s is %v (present: %v), want %v", key, v, ok, want)
		}
	}
	if n := r.server.Requests(); r.unasked && n > 0 {
		t.Errorf("the pod got %d requests", n)
	}
}

// ownLabel is part of all series of the pod.
func (r *badInput) ownLabel() string { return fmt.Sprintf("k8s_pod_name=%q", r.name) }

func (r *badInput) checkReason(t *testing.T, got promtest.Series) {
	t.Helper()
	var reasons []string
	for series := range got {
		if !strings.HasPrefix(series, "scrape_error{") || !strings.Contains(series, r.ownLabel()) {
			continue
		}
		_, reason, _ := strings.Cut(series, `reason="`)
		reason, _, _ = strings.Cut(reason, `"`)
		reasons = append(reasons, reason)
	}
	ok := len(reasons) == 1 && (r.reason == "*" || reasons[0] == r.reason)
	if r.reason == "" || r.reason == "-" {
		ok = len(reasons) == 0
	}
	if !ok {
		t.Errorf("the reasons are %q, want %q", reasons, r.reason)
	}
}

func named(name string) pod { return pod{name: name} }

// text is a row of a pod that sends the text format.
func text(name, body, reason string, want map[string]float64, not ...string) badInput {
	return badInput{pod: named(name), handler: podtest.Body(body), reason: reason, want: want, not: not}
}

func badBodies() []badInput {
	now := time.Now().UnixMilli()
	one := map[string]float64{"a": 1}
	typed := func(name, contentType, body, reason string, want map[string]float64) badInput {
		return badInput{
			pod: named(name), handler: podtest.Answer{ContentType: contentType, Body: []byte(body)}, reason: reason, want: want, not: []string{"bad"},
		}
	}
	return []badInput{
		text("healthy", "# TYPE a counter\na 1\na{b=\"c\"} 2\n", "", map[string]float64{"a": 1, `a{b="c"}`: 2}),
		typed("html", "text/html", "<html>", "content_type", nil),
		typed("html-as-text", podtest.Text, "<html>", "parse", nil),
		typed("json", "application/json", "{}", "content_type", nil),
		typed("nonsense", "nonsense", "a 1\n", "content_type", nil),
		typed("octets", "application/octet-stream", "a 1\n", "content_type", nil),
		typed("no-type", podtest.None, "a 1\n", "", one),
		typed("no-version", "text/plain", "a 1\n", "", one),
		typed("empty", podtest.Text, "", "", nil),
		text("malformed", "bad 1\nb{ 2\n", "parse", nil, "bad"),
		text("bad-label-utf8", "a{b=\"\xff\"} 1\n", "parse", nil),
		text("bad-name-utf8", "a\xff 1\n", "parse", nil),
		text("bad-help-utf8", "# HELP h \xff\nh 1\n", "", map[string]float64{"h": 1}),
		text("crlf", "# TYPE a counter\r\na 1\r\na{b=\"c\"} 2\r\n", "", map[string]float64{"a": 1, `a{b="c"}`: 2}),
		text("bom", "\ufeffa 1\n", "", one),
		text("no-newline", "b 2\na 1", "", one),
		text("newline-in-value", "bad{b=\"c\nd\"} 1\n", "parse", nil, "bad"),
		text("nul", "bad{b=\"c\x00\"} 1\n", "parse", nil, "bad"),
		text("eof-in-text", "a 1\n# EOF\nb 2\n", "", map[string]float64{"a": 1, "b": 2}),
		typed("om", podtest.OpenMetrics, "# TYPE a gauge\na 1\n# EOF\n", "", one),
		typed("om-after-eof", podtest.OpenMetrics, "# TYPE bad gauge\nbad 1\n# EOF\nbad 2\n", "parse", nil),
		typed("om-no-eof", podtest.OpenMetrics, "# TYPE bad gauge\nbad 1\n", "parse", nil),
		typed("om-all", podtest.OpenMetrics, openMetrics, "", map[string]float64{
			"om_requests_total": 5, `om_build_info{v="1"}`: 1, `om_state{om_state="on"}`: 1, `om_gh_bucket{le="+Inf"}`: 2, "om_unknown": 4, "om_size_bytes": 3,
		}),
		typed("om-as-text", podtest.Text, openMetrics, "parse", nil),
		text("duplicates", "a 1\na 2\n", "", map[string]float64{"a": 1, "scrape_samples_duplicate": 1}),
		text("duplicate-labels", "bad{b=\"c\",b=\"d\"} 1\n", "parse", nil, "bad"),
		text("values", "v{x=\"nan\"} NaN\nv{x=\"inf\"} +Inf\nv{x=\"neg\"} -Inf\nv{x=\"0\"} -0\n", "",
			map[string]float64{`v{x="nan"}`: math.NaN(), `v{x="inf"}`: math.Inf(1), `v{x="neg"}`: math.Inf(-1), `v{x="0"}`: 0}),
		text("overflow", "bad 1e400\n", "parse", nil, "bad"),
		text("hex", "bad 0x1p3\n", "parse", nil, "bad"),
		text("underscores", "bad 1_000\n", "parse", nil, "bad"),
		text("stamped", fmt.Sprintf("t 1 %d\nt{b=\"c\"} 2 %d\n", now, now), "", map[string]float64{"t": 1, `t{b="c"}`: 2}),
		text("stamped-float", "bad 1 1.5\n", "parse", nil, "bad"),
		text("stamped-negative", "bad 1 -5\n", "parse", nil, "bad"),
		text("third-number", "bad 1 2 3\n", "parse", nil, "bad"),
		text("exemplar-in-text", "bad 1 # {a=\"b\"} 1\n", "parse", nil, "bad"),
		text("liar", fmt.Sprintf("up 0 %d\nup{job=\"proxy\"} 0\n", now+500), "", map[string]float64{"exported_up": 0}),
		text("impostor", "a{k8s_pod_name=\"other\",k8s_namespace=\"kube-system\"} 1\n", "",
			map[string]float64{`a{exported_k8s_pod_name="other",exported_k8s_namespace="kube-system"}`: 1}),
		text("reserved", "scrape_samples_scraped 7\nkubevitals_build_info 7\n", "",
			map[string]float64{"exported_scrape_samples_scraped": 7, "exported_kubevitals_build_info": 7}),
		text("type-a", "# TYPE conflict counter\n# HELP conflict One.\nconflict 1\n", "", map[string]float64{"conflict": 1}),
		text("type-b", "# TYPE conflict gauge\n# HELP conflict Two.\nconflict 2\n", "", map[string]float64{"conflict": 2}),
		text("type-c", "# TYPE conflict histogram\nconflict_bucket{le=\"+Inf\"} 1\nconflict_sum 1\nconflict_count 1\n", "", map[string]float64{"conflict_sum": 1}),
		text("utf8-names", "{\"a.b\",\"c.d\"=\"e\"} 1\n", "", nil),
		text("odd", "  a\t{ b = \"c\" , }\t2  \n", "", map[string]float64{`a{b="c"}`: 2}),
		text("interleaved", "i{x=\"1\"} 1\nj 1\ni{x=\"2\"} 2\n", "", map[string]float64{`i{x="1"}`: 1, "j": 1, `i{x="2"}`: 2}),
		text("metadata-twice", "# TYPE m counter\n# TYPE m counter\n# HELP m a\n# HELP m b\nm 1\n", "", map[string]float64{"m": 1}),
		text("bad-type", "# TYPE bad nonsense\nbad 1\n", "parse", nil, "bad"),
		text("many-samples", repeated("bad{x=\"%d\"} 1\n", 201), "sample_limit", nil, "bad"),
		text("many-labels", "bad{"+repeated("l%d=\"x\",", 20)+"} 1\n", "label_limit", nil, "bad"),
		text("long-name", "bad{"+strings.Repeat("l", 41)+"=\"x\"} 1\n", "label_name_length_limit", nil, "bad"),
		text("long-value", "bad{l=\""+strings.Repeat("l", 101)+"\"} 1\n", "label_value_length_limit", nil, "bad"),
		text("big", "bad 1\n# "+strings.Repeat("x", 1<<20)+"\n", "body_size", map[string]float64{"scrape_body_size_bytes": -1}, "bad"),
	}
}

func repeated(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// openMetrics has what the text format does not.
const openMetrics = `# TYPE om_requests counter
# HELP om_requests With an exemplar.
om_requests_total 5 # {trace_id="x"} 1
om_requests_created 1700000000
# TYPE om_build info
om_build_info{v="1"} 1
# TYPE om_state stateset
om_state{om_state="on"} 1
# TYPE om_gh gaugehistogram
om_gh_bucket{le="+Inf"} 2
om_gh_gcount 2
om_gh_gsum 1
# TYPE om_unknown unknown
om_unknown 4
# TYPE om_size_bytes gauge
# UNIT om_size_bytes bytes
om_size_bytes 3
# EOF
`
