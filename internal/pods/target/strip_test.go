package target_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevitals/kubevitals/internal/pods/target"
)

// TestStrip has stripped pods give the targets of whole ones, and be small.
func TestStrip(t *testing.T) {
	isController := true
	o := target.Options{SelfUID: "uid-self", SelfPort: 80, Labels: []target.LabelSource{
		{Name: "a", From: "annotation:note"}, {Name: "b", From: "label:team"}, {Name: "c", From: "owner_kind"}, {Name: "d", From: "owner_name"},
		{Name: "e", From: "phase"}, {Name: "f", From: "node"}, {Name: "container", From: "container"}, {Name: "g", From: "label:absent"},
	}}
	full := declaring(pod("a", "prometheus.io/port", "http,81,x", "prometheus.io/path", "/x", "kubevitals.io/sample-limit", "5", "note", "n", "other", "o"), "app/http/8080")
	full.Labels = map[string]string{"team": "blue", "pod-template-hash": "h", "other": "o"}
	full.OwnerReferences = []metav1.OwnerReference{{Kind: "Other"}, {Kind: "ReplicaSet", Name: "web-h", Controller: &isController}}
	full.Spec.Containers[0].Image = "image"
	full.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubelet"}}
	full.Status.HostIP = "10.0.0.9"
	pods := []*corev1.Pod{
		full,
		onHost(declaring(pod("host", "prometheus.io/port", "9"), "app//9")),
		with(pod("self"), func(p *corev1.Pod) { p.Annotations = nil }),
		with(pod("none"), func(p *corev1.Pod) { delete(p.Annotations, "prometheus.io/scrape") }),
		with(pod("done"), func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }),
		unready(at(pod("unready"), "10.0.0.7")),
		onHost(declaring(pod("other"), "app//80")),
	}
	var stripped []*corev1.Pod
	for _, p := range pods {
		if got, want := o.Matters(p), p.Name != "none"; got != want {
			t.Errorf("pod %s matters: %t", p.Name, got)
		}
		before := p.DeepCopy()
		stripped = append(stripped, o.Strip(p))
		if diff := cmp.Diff(before, p); diff != "" {
			t.Errorf("pod %s was changed: %s", p.Name, diff)
		}
		if diff := cmp.Diff(stripped[len(stripped)-1], o.Strip(o.Strip(p))); diff != "" {
			t.Errorf("pod %s, stripped twice: %s", p.Name, diff)
		}
	}
	want, got := o.Assemble(pods), o.Assemble(stripped)
	if lines(got) != lines(want) || len(want) < 5 {
		t.Errorf("got\n%s\nwant\n%s", lines(got), lines(want))
	}
	for _, ready := range []bool{true, false} {
		o.ReadyOnly = ready
		if got, want := len(o.Assemble(stripped)), len(o.Assemble(pods)); got != want {
			t.Errorf("%d targets, want %d", got, want)
		}
	}
	if p := stripped[0]; p.ManagedFields != nil || p.Spec.Containers[0].Image != "" || len(p.Labels) != 2 || p.Annotations["other"] != "" {
		t.Errorf("too much is kept: %+v", p)
	}
	if p := stripped[3]; p.Status.PodIP != "" || p.Spec.NodeName != "" {
		t.Errorf("too much is kept: %+v", p)
	}
}
