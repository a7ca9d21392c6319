package e2e

import (
	"maps"
	"sync"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubevitals/kubevitals/test/controlplane"
	"github.com/kubevitals/kubevitals/test/podtest"
	"github.com/kubevitals/kubevitals/test/program"
	"github.com/kubevitals/kubevitals/test/promtest"
)

// pod is a pod to create. What is empty is as usual: it runs, is ready, has the
// label app=x, and is to be scraped at its server.
type pod struct {
	name        string
	server      *podtest.Pod
	ip          string            // instead of the server's
	annotations map[string]string // beside the usual ones, or instead; "" is none
	labels      map[string]string
	node        string
	host        bool
	ports       []corev1.ContainerPort
	phase       corev1.PodPhase
}

func (p *pod) object() *corev1.Pod {
	o := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: p.name, Labels: map[string]string{"app": "x"},
			Annotations: map[string]string{"prometheus.io/scrape": "true"},
		},
		Spec: corev1.PodSpec{
			NodeName: p.node, HostNetwork: p.host,
			Containers: []corev1.Container{{Name: "main", Image: "example.com/x", Ports: p.ports}},
		},
	}
	if p.server != nil {
		o.Annotations["prometheus.io/port"] = p.server.Port()
	}
	maps.Copy(o.Labels, p.labels)
	maps.Copy(o.Annotations, p.annotations)
	maps.DeleteFunc(o.Annotations, func(_, v string) bool { return v == "" })
	return o
}

func (p *pod) status() corev1.PodStatus {
	s := corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: p.ip,
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
	}
	if p.phase != "" {
		s.Phase = p.phase
	}
	if s.PodIP == "" && p.server != nil {
		s.PodIP = p.server.IP()
	}
	if s.PodIP != "" {
		s.PodIPs = []corev1.PodIP{{IP: s.PodIP}}
	}
	return s
}

func clientset(t *testing.T, c *controlplane.ControlPlane) kubernetes.Interface {
	t.Helper()
	config := c.Config()
	config.UserAgent = controlplane.UserAgent
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// createPods creates a namespace with pods, several at the same time.
func createPods(t *testing.T, space string, pods ...pod) {
	t.Helper()
	namespace(t, control, space)
	client := clientset(t, control).CoreV1().Pods(space)
	todo := make(chan pod, len(pods))
	for _, p := range pods {
		todo <- p
	}
	close(todo)
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			for p := range todo {
				created, err := client.Create(t.Context(), p.object(), metav1.CreateOptions{})
				if err == nil {
					created.Status = p.status()
					_, err = client.UpdateStatus(t.Context(), created, metav1.UpdateOptions{})
				}
				if err != nil {
					t.Errorf("pod %s: %v", p.name, err)
				}
			}
		})
	}
	group.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// podArgs are the arguments of kubevitals for the pods of a namespace.
func podArgs(space string, args ...string) []string {
	return append([]string{
		"pods", "--kubeconfig", control.Kubeconfig(), "--namespaces", space, "--selector", "app=x", "--pod-cidr", "127.0.0.0/8",
	}, args...)
}

// podProxy runs kubevitals for the pods of a namespace until it is ready.
func podProxy(t *testing.T, space string, args ...string) *program.Process {
	t.Helper()
	p := start(t, podArgs(space, args...)...)
	p.WaitReady(t)
	return p
}

// stored scrapes a proxy once with Prometheus and returns what that has stored. The
// proxy must be up for it.
func stored(t *testing.T, p *program.Process, protocol string) promtest.Series {
	t.Helper()
	s := promtest.New(t)
	s.Scrape(t, p.URL+"/metrics", protocol)
	got := s.Series(t)
	if got["up"] != 1 {
		t.Fatalf("%s: the proxy is not up", protocol)
	}
	return got
}

// ofPod writes a series as [promtest.Series] has it, with the labels of a pod.
func ofPod(t *testing.T, space, pod, series string) string {
	t.Helper()
	l, err := parser.NewParser(parser.Options{}).ParseMetric(series)
	if err != nil {
		t.Fatalf("%s: %v", series, err)
	}
	b := labels.NewBuilder(l)
	b.Set("k8s_pod_name", pod)
	b.Set("k8s_namespace", space)
	return promtest.Key(b.Labels())
}

// podUp is the series "up" of a pod.
func podUp(t *testing.T, space, pod string) string {
	t.Helper()
	return ofPod(t, space, pod, "up")
}

// ups returns the pods that have "up", with its value.
func ups(got promtest.Series) map[string]float64 {
	out := make(map[string]float64)
	p := parser.NewParser(parser.Options{})
	for series, v := range got {
		if l, err := p.ParseMetric(series); err == nil && l.Get("__name__") == "up" && l.Has("k8s_pod_name") {
			out[l.Get("k8s_pod_name")] = v
		}
	}
	return out
}
