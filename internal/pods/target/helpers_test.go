package target_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevitals/kubevitals/internal/pods/target"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// epoch is when all pods were created that say nothing else.
var epoch = metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))

// pod makes a running pod ns/NAME with the UID uid-NAME at 10.0.0.1 that is to be
// scraped, with further annotations as names and values.
func pod(name string, annotations ...string) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "ns", UID: types.UID("uid-" + name), CreationTimestamp: epoch,
			Annotations: map[string]string{target.AnnotationScrape: "true"},
		},
		Spec: corev1.PodSpec{NodeName: "node"},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: "10.0.0.1",
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
	for i := 0; i < len(annotations); i += 2 {
		p.Annotations[annotations[i]] = annotations[i+1]
	}
	return p
}

// with changes a pod.
func with(p *corev1.Pod, change func(*corev1.Pod)) *corev1.Pod {
	change(p)
	return p
}

// at gives a pod another IP.
func at(p *corev1.Pod, ip string) *corev1.Pod {
	p.Status.PodIP = ip
	return p
}

// declaring gives a pod containers with ports, each as CONTAINER/NAME/PORT.
func declaring(p *corev1.Pod, ports ...string) *corev1.Pod {
	for _, s := range ports {
		f := strings.Split(s, "/")
		var n int32
		fmt.Sscan(f[2], &n)
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{
			Name: f[0], Ports: []corev1.ContainerPort{{Name: f[1], ContainerPort: n}},
		})
	}
	return p
}

func onHost(p *corev1.Pod) *corev1.Pod {
	p.Spec.HostNetwork = true
	return p
}

// line writes a target as "POD URL" or "POD problem", with its labels behind
// those of pod and namespace.
func line(t target.Target) string {
	s := t.Pod + " "
	if t.Problem != "" {
		s += t.Problem
	} else {
		s += t.URL()
	}
	for _, l := range t.Labels[2:] {
		s += " " + l.Name + "=" + l.Value
	}
	return s
}

func lines(targets []target.Target) string {
	var out []string
	for _, t := range targets {
		out = append(out, line(t))
	}
	return strings.Join(out, "\n")
}

// expect compares targets with lines.
func expect(t *testing.T, targets []target.Target, want ...string) {
	t.Helper()
	checkInvariants(t, targets)
	if got := lines(targets); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// checkInvariants checks what holds for any list of targets.
func checkInvariants(t *testing.T, targets []target.Target) {
	t.Helper()
	ids, sets := make(map[string]bool), make(map[string]bool)
	for _, x := range targets {
		set := fmt.Sprintf("%q", x.Labels)
		if ids[x.ID] || sets[set] {
			t.Errorf("ID %q or labels %s are there twice", x.ID, set)
		}
		ids[x.ID], sets[set] = true, true
		names := make(map[string]bool)
		for _, l := range x.Labels {
			if names[l.Name] || l.Value == "" || !metric.IsLabelName(l.Name) || strings.ToValidUTF8(l.Value, "") != l.Value {
				t.Errorf("labels %s: %q", set, l)
			}
			names[l.Name] = true
		}
		if (x.Problem == "") != (x.Detail == "") || len(x.Detail) > 2500 {
			t.Errorf("target %s: problem %q, detail %q", x.ID, x.Problem, x.Detail)
		}
		if x.Problem == "" {
			checkURL(t, x)
		}
	}
}

// checkURL checks that a URL leads to the address and nowhere else.
func checkURL(t *testing.T, x target.Target) {
	t.Helper()
	u := parseURL(t, x.URL())
	ip, err := netip.ParseAddr(u.Hostname())
	if err != nil || ip != x.IP || u.Port() != fmt.Sprint(x.Port) || u.User != nil || u.Scheme != x.Scheme {
		t.Errorf("URL %q leads elsewhere than %s port %d", x.URL(), x.IP, x.Port)
	}
	if u.RequestURI() != x.Path || u.Fragment != "" {
		t.Errorf("URL %q asks for %q, not for %q", x.URL(), u.RequestURI(), x.Path)
	}
	if !strings.HasPrefix(x.Path, "/") || strings.HasPrefix(x.Path, "//") || len(x.Path) > 1024 {
		t.Errorf("path %q", x.Path)
	}
	for _, segment := range strings.Split(u.Path, "/") {
		if segment == ".." || segment == "." {
			t.Errorf("path %q has dot segments", x.Path)
		}
	}
}
