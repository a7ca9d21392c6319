package source

import (
	"log/slog"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubevitals/kubevitals/internal/shard"
)

// scaled is a StatefulSet with some replicas, of which some are ready.
func scaled(replicas, ready int32) *appsv1.StatefulSet {
	return &appsv1.StatefulSet{Spec: appsv1.StatefulSetSpec{Replicas: &replicas}, Status: appsv1.StatefulSetStatus{ReadyReplicas: ready}}
}

func TestShardOf(t *testing.T) {
	from := scaled(3, 0)
	from.Spec.Ordinals = &appsv1.StatefulSetOrdinals{Start: 5}
	for _, c := range []struct {
		pod  string
		set  *appsv1.StatefulSet
		want shard.Shard
		err  string
	}{
		{"kv-0", scaled(3, 0), shard.Shard{Index: 0, Count: 3}, ""},
		{"kv-2", scaled(3, 0), shard.Shard{Index: 2, Count: 3}, ""},
		{"kv-0", &appsv1.StatefulSet{}, shard.Shard{Count: 1}, ""},
		{"kv-7", from, shard.Shard{Index: 2, Count: 3}, ""},
		{"kv-3", scaled(3, 0), shard.Shard{}, "the StatefulSet ns/kv has 3 replicas, and the pod kv-3 is none of them"},
		{"kv-4", from, shard.Shard{}, "is none of them"},
		{"kv-0", scaled(0, 0), shard.Shard{}, "has 0 replicas"},
		{"other-0", scaled(3, 0), shard.Shard{}, "is not named as those of the StatefulSet kv are, kv-0 and so on"},
		{"kv-0", scaled(shard.Max+1, 0), shard.Shard{}, "at most"},
	} {
		r := &Replicas{namespace: "ns", pod: c.pod, name: "kv"}
		got, err := r.shardOf(c.set)
		switch {
		case c.err == "" && (err != nil || got != c.want):
			t.Errorf("%s: %+v, %v, want %+v", c.pod, got, err, c.want)
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%s: error %v, want %q", c.pod, err, c.err)
		}
	}
}

// TestScaling: more replicas wait until they are ready, fewer take over at once,
// and a pod that is to go keeps what it has.
func TestScaling(t *testing.T) {
	r := &Replicas{namespace: "ns", pod: "kv-1", name: "kv", shard: shard.Shard{Index: 1, Count: 2}, log: slog.New(slog.DiscardHandler)}
	changes := 0
	for _, step := range []struct {
		what    string
		set     *appsv1.StatefulSet
		atOnce  bool
		waits   bool
		count   int
		changes int
	}{
		{"nothing", scaled(2, 0), false, false, 2, 0},
		{"one more, not ready", scaled(3, 2), false, true, 2, 0},
		{"it is ready", scaled(3, 3), false, false, 3, 1},
		{"one is not ready any more", scaled(3, 2), false, false, 3, 1},
		{"one more, never ready", scaled(4, 3), true, false, 4, 2},
		{"two fewer", scaled(2, 4), false, false, 2, 3},
		{"this one is to go", scaled(1, 2), false, false, 2, 3},
		{"it may stay", scaled(2, 1), false, false, 2, 3},
	} {
		if waits := r.take(step.set, step.atOnce, func() { changes++ }); waits != step.waits {
			t.Errorf("%s: waits is %v", step.what, waits)
		}
		if got := r.Shard(); got != (shard.Shard{Index: 1, Count: step.count}) || changes != step.changes {
			t.Errorf("%s: shard %+v after %d changes, want one of %d after %d", step.what, got, changes, step.count, step.changes)
		}
	}
}

// TestOwner: only a StatefulSet has replicas that are told apart.
func TestOwner(t *testing.T) {
	for _, c := range []struct {
		version, kind string
		want          string
	}{
		{"apps/v1", "StatefulSet", ""},
		{"apps/v1", "ReplicaSet", "belongs to no StatefulSet"},
		{"other.io/v1", "StatefulSet", "belongs to no StatefulSet"},
		{"", "", "belongs to no StatefulSet"},
	} {
		controls := true
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "kv-0"}}
		if c.kind != "" {
			pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: c.version, Kind: c.kind, Name: "kv", Controller: &controls}}
		}
		r := &Replicas{namespace: "ns", pod: "kv-0", pods: fake.NewClientset(pod).CoreV1().Pods("ns")}
		name, err := r.owner(t.Context())
		if c.want == "" && (err != nil || name != "kv") || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s %s: %q, %v, want error %q", c.version, c.kind, name, err, c.want)
		}
	}
}
