package target_test

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevitals/kubevitals/internal/pods/target"
	"github.com/kubevitals/kubevitals/operator/metric"
)

func parseURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestTarget shows all fields of a target.
func TestTarget(t *testing.T) {
	p := declaring(pod("a", "prometheus.io/port", "http", "prometheus.io/path", "/stats?a=b", "prometheus.io/scheme", "https",
		"kubevitals.io/format", "kopf-probe", "kubevitals.io/sample-limit", "100", "kubevitals.io/body-size-limit", "4Mi",
		"kubevitals.io/scrape-timeout", "1500ms"), "app/http/8080")
	got := new(target.Options).Of(p)
	want := []target.Target{{
		ID: "uid-a/8080/stats?a=b", Namespace: "ns", Pod: "a", UID: "uid-a", Node: "node", Container: "app", PortName: "http",
		IP: netip.MustParseAddr("10.0.0.1"), Port: 8080, Scheme: "https", Path: "/stats?a=b", Format: "kopf-probe",
		SampleLimit: 100, BodySizeLimit: 4 << 20, Timeout: 1500 * time.Millisecond,
		Labels: []metric.Label{{Name: "k8s_pod_name", Value: "a"}, {Name: "k8s_namespace", Value: "ns"}},
	}}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if u := got[0].URL(); u != "https://10.0.0.1:8080/stats?a=b" {
		t.Error(u)
	}
}

// TestURLOfIncompleteTarget has nothing to ask.
func TestURLOfIncompleteTarget(t *testing.T) {
	ip := netip.MustParseAddr("fd00::1")
	for _, x := range []target.Target{{}, {IP: ip, Path: "/"}, {IP: ip, Port: 1}, {IP: ip, Port: 1, Path: "/%zz"}} {
		if u := x.URL(); u != "" {
			t.Error(u)
		}
	}
	x := target.Target{IP: ip, Port: 1, Scheme: "http", Path: "/a%2Fb"}
	if u := x.URL(); u != "http://[fd00::1]:1/a%2Fb" {
		t.Error(u)
	}
}

func TestWhichPods(t *testing.T) {
	now := epoch.Add(time.Hour)
	deletedAt := func(d time.Duration) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: now.Add(d)} }
	}
	phase := func(s corev1.PodPhase) func(*corev1.Pod) { return func(p *corev1.Pod) { p.Status.Phase = s } }
	scrape := func(s string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Annotations["prometheus.io/scrape"] = s }
	}
	notReady := func(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse }
	noConditions := func(p *corev1.Pod) { p.Status.Conditions = nil }
	for _, test := range []struct {
		name    string
		options target.Options
		change  func(*corev1.Pod)
		want    int
	}{
		{"plain", target.Options{}, func(*corev1.Pod) {}, 1},
		{"no annotations", target.Options{}, func(p *corev1.Pod) { p.Annotations = nil }, 0},
		{"false", target.Options{}, scrape("false"), 0},
		{"True", target.Options{}, scrape("True"), 0},
		{"1", target.Options{}, scrape("1"), 0},
		{"blank", target.Options{}, scrape("true "), 0},
		{"no IP", target.Options{}, func(p *corev1.Pod) { p.Status.PodIP = "" }, 0},
		{"IPs only", target.Options{}, func(p *corev1.Pod) {
			p.Status.PodIP, p.Status.PodIPs = "", []corev1.PodIP{{IP: "10.0.0.1"}}
		}, 1},
		{"pending", target.Options{}, phase(corev1.PodPending), 0},
		{"succeeded", target.Options{}, phase(corev1.PodSucceeded), 0},
		{"failed", target.Options{}, phase(corev1.PodFailed), 0},
		{"unknown", target.Options{}, phase(corev1.PodUnknown), 0},
		{"no phase", target.Options{}, phase(""), 0},
		{"not ready", target.Options{}, notReady, 1},
		{"not ready, ready only", target.Options{ReadyOnly: true}, notReady, 0},
		{"no conditions, ready only", target.Options{ReadyOnly: true}, noConditions, 0},
		{"ready only", target.Options{ReadyOnly: true}, func(*corev1.Pod) {}, 1},
		{"in grace", target.Options{}, deletedAt(time.Second), 1},
		{"after grace", target.Options{}, deletedAt(-time.Second), 0},
		{"in grace, drop", target.Options{Terminating: target.TerminatingDrop}, deletedAt(time.Second), 0},
		{"after grace, scrape", target.Options{Terminating: target.TerminatingScrape}, deletedAt(-time.Second), 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.options.Now = func() time.Time { return now }
			if got := test.options.Of(with(pod("a"), test.change)); len(got) != test.want {
				t.Errorf("got %d targets, want %d", len(got), test.want)
			}
		})
	}
	if got := new(target.Options).Of(nil); got != nil {
		t.Errorf("no pod has targets %v", got)
	}
}

func TestPorts(t *testing.T) {
	f := func(port, path string, want ...string) {
		t.Helper()
		p := declaring(pod("a", "prometheus.io/port", port, "prometheus.io/path", path), "app/http/8080", "app/udp/53", "proxy/metrics/15090")
		p.Spec.Containers[1].Ports[0].Protocol = corev1.ProtocolUDP
		always := corev1.ContainerRestartPolicyAlways
		p.Spec.InitContainers = []corev1.Container{
			{Name: "once", Ports: []corev1.ContainerPort{{Name: "once", ContainerPort: 81}}},
			{Name: "sidecar", RestartPolicy: &always, Ports: []corev1.ContainerPort{{Name: "side", ContainerPort: 82}}},
		}
		expect(t, new(target.Options).Of(p), want...)
	}
	// Nothing, and one.
	f("", "", "a http://10.0.0.1:80/metrics")
	f("9000", "", "a http://10.0.0.1:9000/metrics")
	f("65535", "/x", "a http://10.0.0.1:65535/x")
	f("15020", "/stats/prometheus", "a http://10.0.0.1:15020/stats/prometheus")
	f("15090", "", "a http://10.0.0.1:15090/metrics")
	// Names.
	f("http", "", "a http://10.0.0.1:8080/metrics")
	f("side", "", "a http://10.0.0.1:82/metrics")
	f("once", "", "a bad_annotation")
	f("udp", "", "a bad_annotation")
	f("HTTP", "", "a bad_annotation")
	// Lists.
	f("8080,metrics", "", "a http://10.0.0.1:8080/metrics container=app port=8080", "a http://10.0.0.1:15090/metrics container=proxy port=15090")
	f("9,8", "/x", "a http://10.0.0.1:8/x port=8", "a http://10.0.0.1:9/x port=9")
	f("8080:/metrics,9090:/stats?x=y:z", "/x", "a http://10.0.0.1:8080/metrics container=app port=8080", "a http://10.0.0.1:9090/stats?x=y:z port=9090")
	f("http:/b,8080:/a", "", "a http://10.0.0.1:8080/a container=app port=8080 path=/a", "a http://10.0.0.1:8080/b container=app port=8080 path=/b")
	f("8080,http,8080:/metrics", "", "a http://10.0.0.1:8080/metrics") // one and the same
	// Blanks around entries.
	for _, good := range []string{" 8080", "8080 ", "8080\n", "\thttp"} {
		f(good, "", "a http://10.0.0.1:8080/metrics")
	}
	f(" 8080 , metrics", "", "a http://10.0.0.1:8080/metrics container=app port=8080", "a http://10.0.0.1:15090/metrics container=proxy port=15090")
	f("8080:/a, 8080:/b\n", "", "a http://10.0.0.1:8080/a container=app port=8080 path=/a", "a http://10.0.0.1:8080/b container=app port=8080 path=/b")
	f("8080, nope ", "", "a bad_annotation port=nope", "a http://10.0.0.1:8080/metrics container=app port=8080")
	// Bad numbers.
	for _, bad := range []string{"0", "65536", "99999999999999999999", "080", "+80", "-1", "8 0", "0x50", "8e1", "80.0", "٣", " ", "[::1]:80"} {
		f(bad, "", "a bad_annotation")
	}
	// A bad entry does not cost the others.
	f("8080,nope", "", "a bad_annotation port=nope", "a http://10.0.0.1:8080/metrics container=app port=8080")
	f("8080,", "", "a bad_annotation port=#2", "a http://10.0.0.1:8080/metrics container=app port=8080")
	f(",", "", "a bad_annotation port=#1", "a bad_annotation port=#2")
	f("nope,nope", "", "a bad_annotation")
	f("8080:,9:x,9:/x", "", "a bad_annotation port=8080:", "a bad_annotation port=9:x", "a http://10.0.0.1:9/x port=9")
	f("8080/metrics,8080", "", "a bad_annotation port=8080/metrics", "a http://10.0.0.1:8080/metrics container=app port=8080")
	f("1,2:/x", "bad", "a bad_annotation port=1", "a http://10.0.0.1:2/x port=2")
}

func TestPortsPerPod(t *testing.T) {
	f := func(most int, port string, want ...string) {
		t.Helper()
		o := target.Options{MaxPortsPerPod: most}
		expect(t, o.Of(pod("a", "prometheus.io/port", port)), want...)
	}
	f(2, "1,2", "a http://10.0.0.1:1/metrics port=1", "a http://10.0.0.1:2/metrics port=2")
	f(2, "1,2,3,4", "a target_limit port=#more", "a http://10.0.0.1:1/metrics port=1", "a http://10.0.0.1:2/metrics port=2")
	got := new(target.Options).Of(pod("a", "prometheus.io/port", strings.Repeat("1,", 1e5)))
	if len(got) != 2 { // fifteen of the first sixteen say what the first says
		t.Errorf("%d targets, want one and the surplus", len(got))
	}
	if got[0].Problem != target.TargetLimit || !strings.Contains(got[0].Detail, "100001 entries") {
		t.Errorf("%+v", got[0])
	}
}

func TestDetails(t *testing.T) {
	f := func(want string, annotations ...string) {
		t.Helper()
		got := new(target.Options).Of(pod("a", annotations...))
		if len(got) != 1 || got[0].Problem != target.BadAnnotation || got[0].Detail != want {
			t.Errorf("got  %+v\nwant %s", got, want)
		}
		checkInvariants(t, got)
	}
	f(`annotation prometheus.io/port: "080" is no port; write a number from 1 to 65535, without leading zeros`, "prometheus.io/port", "080")
	f(`annotation prometheus.io/port: "a\nb" is no number, and no container declares a TCP port of that name`, "prometheus.io/port", "a\nb")
	f(`annotation prometheus.io/port: entry "80:x": path "x" does not start with a slash`, "prometheus.io/port", "80:x")
	f(`annotation prometheus.io/path: path "metrics" does not start with a slash`, "prometheus.io/path", "metrics")
	f(`annotation prometheus.io/path: path has 2001 bytes, more than 1024: "/`+strings.Repeat("x", 79)+`"...`, "prometheus.io/path", "/"+strings.Repeat("x", 2000))
	f(`annotation prometheus.io/scheme: "ftp" is neither http nor https`, "prometheus.io/scheme", "ftp")
	f(`annotation prometheus.io/scheme: "https " is neither http nor https`, "prometheus.io/scheme", "https ")
	f(`annotation kubevitals.io/format: "json" is not kopf-probe`, "kubevitals.io/format", "json")
	f(`annotation kubevitals.io/scrape-timeout: "-1s" is no duration such as 5s`, "kubevitals.io/scrape-timeout", "-1s")
	for _, s := range []string{"0", "-1", "1e3", "x", "99999999999999"} {
		f(`annotation kubevitals.io/sample-limit: "`+s+`" is no number of samples`, "kubevitals.io/sample-limit", s)
	}
	for _, s := range []string{"0", "-1", "x", "1Q", "1e999999999", "1e-999999999", "1000000000000000000000"} {
		f(`annotation kubevitals.io/body-size-limit: "`+s+`" is no number of bytes such as 4Mi`, "kubevitals.io/body-size-limit", s)
	}
	f(`annotation prometheus.io/scheme: "\x00" is neither http nor https; annotation kubevitals.io/format: "x" is not kopf-probe`,
		"prometheus.io/scheme", "\x00", "kubevitals.io/format", "x")
}

func TestScheme(t *testing.T) {
	for _, scheme := range []string{"https", "HTTPS", "Https"} {
		expect(t, new(target.Options).Of(pod("a", "prometheus.io/scheme", scheme)), "a https://10.0.0.1:80/metrics")
	}
}

func TestPathAllow(t *testing.T) {
	allow, err := target.ParsePathAllow(`/metrics|/stats\?x=.`)
	if err != nil {
		t.Fatal(err)
	}
	f := func(path, problem string) {
		t.Helper()
		o := target.Options{PathAllow: allow}
		if got := o.Of(pod("a", "prometheus.io/path", path)); got[0].Problem != problem {
			t.Errorf("%s: %+v", path, got[0])
		}
	}
	f("/metrics", "")
	f("/metrics#x", "")
	f("/x/../metrics", "")
	f("/stats?x=y", "")
	f("/stats?x=yy", target.BadAnnotation)
	f("/metrics?delete=all", target.BadAnnotation)
	f("/metrics/x", target.BadAnnotation)
	f("/metrics/../x", target.BadAnnotation)
	if none, err := target.ParsePathAllow(""); none != nil || err != nil {
		t.Error(none, err)
	}
	if _, err := target.ParsePathAllow(")("); err == nil {
		t.Error("not a regular expression")
	}
}
