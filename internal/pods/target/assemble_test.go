package target_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevitals/kubevitals/internal/pods/target"
	"github.com/kubevitals/kubevitals/internal/shard"
)

func prefixes(all ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range all {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// aged makes a pod younger than the others.
func aged(p *corev1.Pod, younger time.Duration) *corev1.Pod {
	p.CreationTimestamp = metav1.NewTime(epoch.Add(younger))
	return p
}

func unready(p *corev1.Pod) *corev1.Pod {
	p.Status.Conditions = nil
	return p
}

func TestAssembleOrder(t *testing.T) {
	pods := []*corev1.Pod{
		at(pod("b", "prometheus.io/port", "9,10:/b,10:/a"), "10.0.0.2"),
		with(at(pod("z"), "10.0.0.3"), func(p *corev1.Pod) { p.Namespace = "a" }),
		at(pod("a"), "10.0.0.1"),
		nil,
		with(pod("done"), func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }),
	}
	var o target.Options
	want := o.Assemble(pods)
	expect(t, want,
		"z http://10.0.0.3:80/metrics",
		"a http://10.0.0.1:80/metrics",
		"b http://10.0.0.2:9/metrics port=9",
		"b http://10.0.0.2:10/a port=10 path=/a",
		"b http://10.0.0.2:10/b port=10 path=/b")
	for range 20 {
		rand.Shuffle(len(pods), func(i, j int) { pods[i], pods[j] = pods[j], pods[i] })
		if diff := cmp.Diff(want, o.Assemble(pods), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Fatal(diff)
		}
	}
	if got := o.Assemble(nil); len(got) != 0 {
		t.Error(got)
	}
}

func TestDuplicateEndpoint(t *testing.T) {
	host := func(p *corev1.Pod) *corev1.Pod { return onHost(declaring(p, "app/http/80", "app/other/81")) }
	f := func(pods []*corev1.Pod, want ...string) {
		t.Helper()
		var o target.Options
		expect(t, o.Assemble(pods), want...)
	}
	const a = "a http://10.0.0.1:80/metrics"
	f([]*corev1.Pod{host(pod("b")), host(pod("a"))}, a, "b duplicate_endpoint")
	f([]*corev1.Pod{host(pod("a")), host(pod("b", "prometheus.io/port", "81"))}, a, "b http://10.0.0.1:81/metrics")
	f([]*corev1.Pod{host(pod("a")), host(pod("b", "prometheus.io/path", "/other"))}, a, "b http://10.0.0.1:80/other")
	f([]*corev1.Pod{host(pod("a")), host(pod("b")), host(pod("c"))}, a, "b duplicate_endpoint", "c duplicate_endpoint")
	// A target with another problem claims nothing.
	f([]*corev1.Pod{host(pod("a", "prometheus.io/scheme", "x")), host(pod("b"))}, "a bad_annotation", "b http://10.0.0.1:80/metrics")
	// The older one has been there before.
	f([]*corev1.Pod{aged(host(pod("a")), time.Hour), host(pod("b"))}, "a duplicate_endpoint", "b http://10.0.0.1:80/metrics")
	// An IP that is used again: the node of the older pod is lost, or it is ending.
	f([]*corev1.Pod{unready(pod("a")), aged(pod("b"), time.Hour)}, "a duplicate_endpoint", "b http://10.0.0.1:80/metrics")
	f([]*corev1.Pod{
		with(pod("a"), func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Now().Add(time.Hour)} }),
		aged(pod("b"), time.Hour),
	}, "a duplicate_endpoint", "b http://10.0.0.1:80/metrics")
	// One address in two spellings.
	f([]*corev1.Pod{pod("a"), at(pod("b"), "::ffff:10.0.0.1")}, a, "b duplicate_endpoint")
}

// TestReplacedPod meets two pods of one name, of which one is gone.
func TestReplacedPod(t *testing.T) {
	older := with(at(pod("a"), "10.0.0.9"), func(p *corev1.Pod) { p.UID = "zzz" })
	newer := aged(pod("a"), time.Second)
	var o target.Options
	expect(t, o.Assemble([]*corev1.Pod{older, newer}), "a http://10.0.0.1:80/metrics")
	expect(t, o.Assemble([]*corev1.Pod{newer, older}), "a http://10.0.0.1:80/metrics")
}

func TestTargetLimit(t *testing.T) {
	pods := []*corev1.Pod{
		aged(at(pod("a"), "10.0.0.1"), time.Hour),
		at(pod("b"), "10.0.0.2"),
		at(pod("c", "prometheus.io/port", "x"), "10.0.0.3"), // does not count
		at(pod("d"), "10.0.0.4"),
		at(pod("e"), "10.0.0.5"),
	}
	f := func(limit int, want ...string) {
		t.Helper()
		o := target.Options{MaxTargets: limit}
		expect(t, o.Assemble(pods), want...)
	}
	f(2, "a target_limit", "b http://10.0.0.2:80/metrics", "c bad_annotation", "d http://10.0.0.4:80/metrics", "e target_limit")
	f(3, "a target_limit", "b http://10.0.0.2:80/metrics", "c bad_annotation", "d http://10.0.0.4:80/metrics", "e http://10.0.0.5:80/metrics")
	f(4, "a http://10.0.0.1:80/metrics", "b http://10.0.0.2:80/metrics", "c bad_annotation", "d http://10.0.0.4:80/metrics", "e http://10.0.0.5:80/metrics")
}

func manyPods(n int) []*corev1.Pod {
	pods := make([]*corev1.Pod, n)
	for i := range pods {
		pods[i] = at(pod(fmt.Sprintf("p%05d", i)), fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255))
	}
	return pods
}

// TestShards has every pod in exactly one shard, in about equal parts, and moves
// only to a shard that is added.
func TestShards(t *testing.T) {
	const n = 2000
	pods := manyPods(n)
	assign := func(count int) map[string]int {
		shards, seen := make(map[string]int), make([]int, count)
		for i := range count {
			o := target.Options{Shard: shard.Shard{Index: i, Count: count}}
			for _, x := range o.Assemble(pods) {
				if other, twice := shards[x.Pod]; twice {
					t.Errorf("pod %s is in shards %d and %d of %d", x.Pod, other, i, count)
				}
				shards[x.Pod] = i
				seen[i]++
			}
		}
		if len(shards) != n {
			t.Errorf("%d of %d pods are in any of %d shards", len(shards), n, count)
		}
		for i, got := range seen {
			if want := n / count; got < want*3/4 || got > want*5/4 {
				t.Errorf("shard %d of %d has %d pods, want about %d", i, count, got, want)
			}
		}
		return shards
	}
	for count := 1; count < 6; count++ {
		before, after := assign(count), assign(count+1)
		moved := 0
		for name, shard := range after {
			if shard != before[name] {
				moved++
				if shard != count {
					t.Errorf("pod %s moved from shard %d to %d, not to the new one", name, before[name], shard)
				}
			}
		}
		if want := n / (count + 1); moved < want*3/4 || moved > want*5/4 {
			t.Errorf("the shard %d moved %d of %d pods, want about %d", count, moved, n, want)
		}
	}
}

// TestShardOfPod has Of and Assemble agree.
func TestShardOfPod(t *testing.T) {
	pods := manyPods(50)
	for i := range 3 {
		o := target.Options{Shard: shard.Shard{Index: i, Count: 3}}
		var each []target.Target
		for _, p := range pods {
			each = append(each, o.Of(p)...)
		}
		if got := o.Assemble(pods); lines(got) != lines(each) {
			t.Errorf("shard %d: %s\nnot %s", i, lines(got), lines(each))
		}
	}
}

// TestDuplicateAcrossShards leaves an endpoint to one pod also when the other is
// another shard's.
func TestDuplicateAcrossShards(t *testing.T) {
	var pods []*corev1.Pod
	for i := range 20 {
		pods = append(pods, pod("p"+strconv.Itoa(i)))
	}
	good, listed := 0, 0
	for i := range 4 {
		o := target.Options{Shard: shard.Shard{Index: i, Count: 4}}
		for _, x := range o.Assemble(pods) {
			listed++
			if x.Problem == "" {
				good++
			}
		}
	}
	if good != 1 || listed != len(pods) {
		t.Errorf("%d of %d pods with one endpoint are scraped", good, listed)
	}
}

// BenchmarkAssemble is what a change among 10,000 pods costs.
func BenchmarkAssemble(b *testing.B) {
	pods := manyPods(10_000)
	for b.Loop() {
		new(target.Options).Assemble(pods)
	}
}
