package target_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubevitals/kubevitals/internal/pods/target"
)

func TestKeepPodLabels(t *testing.T) {
	labels := map[string]string{"app": "web", "tier": "x"}
	web := with(pod("web"), func(p *corev1.Pod) { p.Labels = labels })
	for keep, want := range map[bool]map[string]string{true: labels, false: nil} {
		o := target.Options{KeepPodLabels: keep}
		for _, p := range []*corev1.Pod{web, o.Strip(web)} {
			got := o.Of(p)
			if len(got) != 1 {
				t.Fatalf("%d targets, want 1", len(got))
			}
			if diff := cmp.Diff(want, got[0].PodLabels); diff != "" {
				t.Errorf("keep %v (-want +got):\n%s", keep, diff)
			}
		}
	}
}
