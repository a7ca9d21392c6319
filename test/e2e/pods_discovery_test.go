package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevitals/kubevitals/test/podtest"
	"github.com/kubevitals/kubevitals/test/program"
	"github.com/kubevitals/kubevitals/test/promtest"
)

// upLines returns the pods that an exposition has "up" of, in its order, with the
// value.
func upLines(exposition string) []string {
	var out []string
	for line := range strings.Lines(exposition) {
		if rest, ok := strings.CutPrefix(line, `up{k8s_pod_name="`); ok {
			name, _, _ := strings.Cut(rest, `"`)
			out = append(out, name+" "+line[strings.LastIndexByte(line, ' ')+1:len(line)-1])
		}
	}
	return out
}

// haveUp waits until exactly these pods have "up", with these values.
func haveUp(t *testing.T, p *program.Process, want ...string) {
	t.Helper()
	program.Poll(t, "the pods to be "+strings.Join(want, ", "), func() error {
		_, text := p.Get(t, "/metrics", nil)
		if got := upLines(string(text)); !slices.Equal(got, want) {
			return fmt.Errorf("they are %q", got)
		}
		return nil
	})
}

// TestPodsSelectors tests real label selectors, with every operator.
func TestPodsSelectors(t *testing.T) {
	const space = "pods-selectors"
	server := podtest.Start(t, http.NotFoundHandler())
	all := map[string]map[string]string{
		"a-prod": {"tier": "a", "env": "prod"}, "b-prod": {"tier": "b", "env": "prod"},
		"c-test": {"tier": "c", "env": "test"}, "canary": {"tier": "a", "canary": "yes"},
	}
	handlers := podtest.ByPath{}
	var pods []pod
	for name, labels := range all {
		handlers["/"+name] = podtest.Body("a 1\n")
		pods = append(pods, pod{name: name, server: server, labels: labels, annotations: map[string]string{"prometheus.io/path": "/" + name}})
	}
	server.Answer(handlers)
	createPods(t, space, pods...)
	for selector, want := range map[string][]string{
		"app=x,tier in (a,b)":     {"a-prod 1", "b-prod 1", "canary 1"},
		"!canary,app=x":           {"a-prod 1", "b-prod 1", "c-test 1"},
		"app==x,tier=a":           {"a-prod 1", "canary 1"},
		"app=x,env!=prod":         {"c-test 1", "canary 1"},
		"app=x, env=test":         {"c-test 1"},
		"tier notin (a),app":      {"b-prod 1", "c-test 1"},
		"app=x,app=y":             nil,
		"app=nothing-is-like-so ": nil,
	} {
		t.Run(selector, func(t *testing.T) {
			t.Parallel()
			p := start(t, append(podArgs(space), "--selector", selector)...)
			p.WaitReady(t)
			if got := ups(stored(t, p, promtest.Text)); len(got) != len(want) {
				t.Errorf("Prometheus has %v", got)
			}
			haveUp(t, p, want...)
		})
	}
}

// TestPodsSet tests which pods are targets: by their annotation, phase and address,
// and what becomes of two at one address.
func TestPodsSet(t *testing.T) {
	const space = "pods-set"
	old := podtest.Start(t, podtest.Body("a 1\n"))
	host := podtest.Start(t, podtest.Body("first 1\n"))
	second := podtest.StartAt(t, addrPort(host.IP(), 0), podtest.Body("second 1\n"))
	hidden := podtest.StartAt(t, addrPort(host.IP(), 0), podtest.Body("hidden 1\n"))
	multi := podtest.Start(t, podtest.ByPath{"/metrics": podtest.Body("a 1\n"), "/more": podtest.Body("b 1\n")})
	same := podtest.Start(t, podtest.Body("a 1\n"))
	v6 := startV6(t)
	pods := []pod{
		{name: "not-annotated", server: old, annotations: map[string]string{"prometheus.io/scrape": ""}},
		{name: "annotated-false", server: old, annotations: map[string]string{"prometheus.io/scrape": "false"}},
		{name: "annotated-1", server: old, annotations: map[string]string{"prometheus.io/scrape": "1"}},
		{name: "pending", server: old, phase: corev1.PodPending},
		{name: "succeeded", server: old, phase: corev1.PodSucceeded},
		{name: "failed", server: old, phase: corev1.PodFailed},
		{name: "no-ip"},
		{name: "running", server: old}, // at the address that succeeded had
		{name: "host-1", server: host, host: true, node: "node-1", ports: port("metrics", host)},
		{name: "host-2", server: second, host: true, node: "node-1", ports: port("metrics", second)},
		{name: "host-undeclared", server: hidden, host: true, node: "node-1"},
		{name: "named", server: host, ports: port("metrics", second), annotations: map[string]string{"prometheus.io/port": "metrics", "prometheus.io/path": "/x"}},
		{name: "multi", server: multi, annotations: map[string]string{"prometheus.io/port": multi.Port() + "," + multi.Port() + ":/more"}},
		{name: "same-1", server: same}, {name: "same-2", server: same},
		{name: "outside", server: old, ip: "10.1.2.3"},
	}
	want := map[string]float64{"running": 1, "host-1": 1, "host-2": 1, "host-undeclared": 0, "named": 1, "same-1": 1, "same-2": 0, "outside": 0}
	if v6 != nil {
		pods = append(pods, pod{name: "ipv6", server: v6})
		want["ipv6"] = 1
	}
	createPods(t, space, pods...)
	p := podProxy(t, space, "--pod-cidr", "::1/128")
	got := stored(t, p, promtest.Text)
	have := ups(got)
	delete(have, "multi") // two of them, with further labels
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("up (-want +got):\n%s", diff)
	}
	for _, series := range []string{
		ofPod(t, space, "multi", fmt.Sprintf(`up{port=%q,path="/metrics"}`, multi.Port())),
		ofPod(t, space, "multi", fmt.Sprintf(`b{port=%q,path="/more"}`, multi.Port())),
		ofPod(t, space, "host-1", "first"), ofPod(t, space, "host-2", "second"),
		ofPod(t, space, "host-undeclared", `scrape_error{reason="port"}`),
		ofPod(t, space, "same-2", `scrape_error{reason="duplicate_endpoint"}`),
		ofPod(t, space, "outside", `scrape_error{reason="address"}`),
	} {
		if got[series] != 1 {
			t.Errorf("%s is %v, want 1", series, got[series])
		}
	}
	if n := hidden.Requests(); n != 0 {
		t.Errorf("a port of a node that no container declares got %d requests", n)
	}
}

// TestPodsChange tests that changes of pods take effect: of the annotation, the
// address and the phase, and deletion, with another pod at the address afterwards.
func TestPodsChange(t *testing.T) {
	const space = "pods-change"
	first, other := podtest.Start(t, podtest.Body("a 1\n")), podtest.Start(t, podtest.Body("a 1\n"))
	createPods(t, space, pod{name: "p", server: first}, pod{name: "stays", server: other})
	client := clientset(t, control).CoreV1().Pods(space)
	p := podProxy(t, space)
	haveUp(t, p, "p 1", "stays 1")

	annotate := func(value string) {
		patch := fmt.Sprintf(`{"metadata":{"annotations":{"prometheus.io/scrape":%s}}}`, value)
		if _, err := client.Patch(t.Context(), "p", types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	annotate(`"false"`)
	haveUp(t, p, "stays 1")
	annotate(`"true"`)
	haveUp(t, p, "p 1", "stays 1")

	moved := podtest.StartAt(t, addrPort(podtest.NextIP().String(), first.Addr.Port()), podtest.Body("moved 1\n"))
	setStatus(t, space, pod{name: "p", server: moved})
	served(t, p, "the new address", "moved{", fmt.Sprintf(`moved{k8s_pod_name="p",k8s_namespace=%q} 1`, space))
	before := first.Requests()
	haveUp(t, p, "p 1", "stays 1")
	if n := first.Requests() - before; n != 0 {
		t.Errorf("the address before got %d requests more", n)
	}

	setStatus(t, space, pod{name: "p", server: moved, phase: corev1.PodSucceeded})
	haveUp(t, p, "stays 1")
	createPods(t, space, pod{name: "q", server: moved})
	haveUp(t, p, "q 1", "stays 1")
	if err := client.Delete(t.Context(), "p", metav1.DeleteOptions{GracePeriodSeconds: new(int64)}); err != nil {
		t.Fatal(err)
	}
	createPods(t, space, pod{name: "last", server: first})
	haveUp(t, p, "last 1", "q 1", "stays 1")
}

// TestPodsGap tests that a pod that was deleted while nobody could watch is a target
// no more, and the pod that has its address now is asked under its own name. In
// between, what is known is served.
func TestPodsGap(t *testing.T) {
	const space = "pods-gap"
	server := podtest.Start(t, podtest.Body("a 1\n"))
	createPods(t, space, pod{name: "before", server: server})
	between := newFaultProxy(t, control)
	p := podProxy(t, space, "--kubeconfig", between.kubeconfig)
	haveUp(t, p, "before 1")
	gone := status(http.StatusServiceUnavailable, "ServiceUnavailable")
	between.set(fault{resource: "pods", answer: gone}, fault{resource: "pods", watch: true, answer: gone})
	between.server.CloseClientConnections()
	client := clientset(t, control).CoreV1().Pods(space)
	if err := client.Delete(t.Context(), "before", metav1.DeleteOptions{GracePeriodSeconds: new(int64)}); err != nil {
		t.Fatal(err)
	}
	createPods(t, space, pod{name: "now", server: server})
	haveUp(t, p, "before 1")
	p.WaitReady(t) // what is known is good enough for a while
	between.set(fault{resource: "pods", watch: true, times: 1, answer: status(http.StatusGone, "Expired")})
	haveUp(t, p, "now 1")
}

// TestPodsNode tests a DaemonSet's proxy, which has the pods of one node.
func TestPodsNode(t *testing.T) {
	const space = "pods-node"
	var pods []pod
	for _, node := range []string{"node-1", "node-2"} {
		for i := range 2 {
			pods = append(pods, pod{name: fmt.Sprintf("%s-%d", node, i), node: node, server: podtest.Start(t, podtest.Body("a 1\n"))})
		}
	}
	createPods(t, space, pods...)
	haveUp(t, podProxy(t, space, "--node-name", "node-1"), "node-1-0 1", "node-1-1 1")
	haveUp(t, podProxy(t, space, "--node-name", "node-2"), "node-2-0 1", "node-2-1 1")
}

// TestPodsShards tests that each pod belongs to one of all shards.
func TestPodsShards(t *testing.T) {
	const space, count = "pods-shards", 12
	var pods []pod
	for i := range count {
		pods = append(pods, pod{name: fmt.Sprintf("p%02d", i), server: podtest.Start(t, podtest.Body("a 1\n"))})
	}
	createPods(t, space, pods...)
	seen := make(map[string]float64)
	for i := range 3 {
		p := podProxy(t, space, "--shard", fmt.Sprintf("%d/3", i))
		of := ups(stored(t, p, promtest.Text))
		for name := range of {
			if _, double := seen[name]; double {
				t.Errorf("%s belongs to two shards", name)
			}
		}
		if len(of) == count {
			t.Errorf("one shard has all pods")
		}
		maps.Copy(seen, of)
	}
	if len(seen) != count {
		t.Errorf("the shards have %d pods, want %d", len(seen), count)
	}
}
