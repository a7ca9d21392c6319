package target_test

// What a proxy for pods' metrics once did wrong.

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubevitals/kubevitals/internal/pods/target"
)

// TestRegression9SameIP has two pods on the network of one node: both are
// scraped, under labels of their own.
func TestRegression9SameIP(t *testing.T) {
	var o target.Options
	expect(t, o.Assemble([]*corev1.Pod{
		onHost(declaring(pod("a", "prometheus.io/port", "8080"), "app//8080")),
		onHost(declaring(pod("b", "prometheus.io/port", "9090"), "app//9090")),
	}), "a http://10.0.0.1:8080/metrics", "b http://10.0.0.1:9090/metrics")
}

// TestRegression10FinishedPods has pods that are done and whose IP another one
// has: only that one is scraped.
func TestRegression10FinishedPods(t *testing.T) {
	var o target.Options
	for _, phase := range []corev1.PodPhase{corev1.PodSucceeded, corev1.PodFailed} {
		done := with(pod("done"), func(p *corev1.Pod) { p.Status.Phase = phase })
		expect(t, o.Assemble([]*corev1.Pod{done, pod("live")}), "live http://10.0.0.1:80/metrics")
		expect(t, o.Assemble([]*corev1.Pod{done}))
	}
}

// TestRegression12AnnotationAndIP makes targets of what pods are, not of what
// they were.
func TestRegression12AnnotationAndIP(t *testing.T) {
	var o target.Options
	p := pod("a")
	expect(t, o.Assemble([]*corev1.Pod{p}), "a http://10.0.0.1:80/metrics")
	expect(t, o.Assemble([]*corev1.Pod{at(p, "10.0.0.2")}), "a http://10.0.0.2:80/metrics")
	p.Annotations["prometheus.io/scrape"] = "false"
	expect(t, o.Assemble([]*corev1.Pod{p}))
}

// TestRegression14OtherHosts has annotations that once led to other hosts.
func TestRegression14OtherHosts(t *testing.T) {
	var o target.Options
	f := func(port, path string) {
		t.Helper()
		for _, x := range o.Of(pod("a", "prometheus.io/port", port, "prometheus.io/path", path)) {
			if x.Problem == "" && !strings.HasPrefix(x.URL(), "http://10.0.0.1:80/") || x.Problem == "" && parseURL(t, x.URL()).Host != "10.0.0.1:80" {
				t.Errorf("port %q, path %q: %s", port, path, x.URL())
			}
		}
	}
	f("80", "@127.0.0.99:9999/latest/meta-data")
	f("1@127.0.0.99:9999/x?", "/metrics")
	f("80@127.0.0.99", "/metrics")
	f("80", "//127.0.0.99:9999/x")
	f("80", `\\127.0.0.99:9999\x`)
	f("80", `/\127.0.0.99:9999/x`)
	f("80", "/%5c127.0.0.99/x")
	f("80", "http://127.0.0.99/x")
	f("80", ":9999/x")
	f("80", ".evil.example/x")
	f("80:@127.0.0.99/x", "/metrics")
	f("80://127.0.0.99/x", "/metrics")
	f("80#", "/metrics")
	f("80?", "@host/metrics")
	f("80/", "/metrics")
}

// TestRegression17OwnPod lists the pod that this process is in, and does not
// scrape it.
func TestRegression17OwnPod(t *testing.T) {
	o := target.Options{SelfUID: "uid-self", SelfPort: 15090}
	self := pod("self", "prometheus.io/port", "15090,8080")
	expect(t, o.Of(self), "self loop port=8080", "self loop port=15090")
	// Another pod at the same address, which is our node's.
	other := onHost(declaring(pod("other", "prometheus.io/port", "15090,8080"), "app//15090", "app//8080"))
	expect(t, o.Assemble([]*corev1.Pod{self, other}),
		"other http://10.0.0.1:8080/metrics container=app port=8080", "other loop container=app port=15090",
		"self loop port=8080", "self loop port=15090")
}

// TestRowBadAnnotation lists a pod with a bad annotation, without anything to ask.
func TestRowBadAnnotation(t *testing.T) {
	var o target.Options
	for key, value := range map[string]string{"prometheus.io/port": "http", "prometheus.io/path": "metrics"} {
		got := o.Of(pod("a", key, value))
		expect(t, got, "a bad_annotation")
		if got[0].URL() != "" {
			t.Errorf("%s: there is a URL to ask: %s", key, got[0].URL())
		}
	}
}
