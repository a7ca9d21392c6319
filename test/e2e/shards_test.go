package e2e

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"

	"github.com/kubevitals/kubevitals/test/program"
)

// shardRules are about each object, about what it refers to, and about all.
const shardRules = `
apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
metadata: {name: shards}
spec:
  labels: {name: object.metadata.name}
  resources:
  - groupVersionKind: {group: GROUP, kind: Part}
    lookup: [{as: next, apiVersion: "'GROUP/v1'", kind: "'Part'", namespace: object.metadata.namespace, name: object.spec.next}]
    metrics:
    - {name: e2e_shard_next, value: next.spec.size}
    - {name: e2e_shard_size_sum, value: object.spec.size, aggregate: {op: sum}}
    - {name: e2e_shard_parts, value: "1", aggregate: {op: count}}
`

// shardSet is a StatefulSet without a controller: the test writes it and its pods,
// and is its kubelet.
type shardSet struct {
	t          *testing.T
	api        kubernetes.Interface
	namespace  string
	args       []string
	set        *appsv1.StatefulSet
	processes  []*program.Process
	kubeconfig string
}

const shardObjects = 60

// TestShards scales a StatefulSet from two replicas to three and back. Every scrape
// of all of them has every series; when all have switched, each exactly once. They
// may do what "kubevitals rbac" prints, and each pushes its part.
func TestShards(t *testing.T) {
	for _, mode := range []string{"watch", "scrape"} {
		t.Run(mode, func(t *testing.T) { testShards(t, mode) })
	}
}

func testShards(t *testing.T, mode string) {
	space := "shards-" + mode
	k := kind{group: mode + ".shards.e2e.kubevitals.io", name: "Part"}
	install(t, control, k)
	namespace(t, control, space)
	objects := make([]*unstructured.Unstructured, shardObjects)
	for i := range objects {
		next := fmt.Sprintf("o-%02d", (i+1)%shardObjects)
		objects[i] = k.object(space, fmt.Sprintf("o-%02d", i), map[string]any{"size": int64(i), "next": next})
	}
	create(t, control, k, objects)
	rules := writeFile(t, "rules.yaml", strings.ReplaceAll(shardRules, "GROUP", k.group))
	whole := state(t, "--rules", rules, "--collect="+mode)
	want := make(map[string]bool)
	program.Poll(t, "everything", func() error {
		if want = shardSeries(scrape(t, whole)); len(want) != shardObjects+2 {
			return fmt.Errorf("%d series", len(want))
		}
		return nil
	})

	received := new(pushedSeries)
	s := newShardSet(t, space, []string{
		"--rules", rules, "--collect=" + mode, "--leader-elect", "--leader-elect-namespace", space,
		"--otlp-endpoint", received.server(t), "--otlp-interval", "500ms", "--otlp-min-interval", "500ms", "--otlp-plain",
	})
	s.scale(2)
	s.run(2)
	s.round(want, 2)
	if n := received.await(t, want, 2); n != 2 {
		t.Errorf("%d instances push, want 2", n)
	}

	s.scale(3)
	s.run(3) // it serves its share at once
	for range 5 {
		if totals := s.cover(want); !slices.Equal(totals, []string{"2", "2", "3"}) {
			t.Fatalf("before the third is ready they are of %q", totals)
		}
	}
	s.ready(3)
	s.round(want, 3)
	leases, err := s.api.CoordinationV1().Leases(space).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range leases.Items {
		names = append(names, leases.Items[i].Name)
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"kubevitals-state-shard-0", "kubevitals-state-shard-1", "kubevitals-state-shard-2"}, names); diff != "" {
		t.Errorf("Leases (-want +got):\n%s", diff)
	}

	s.scale(2)
	s.processes[2].Stop(t)
	s.processes = s.processes[:2]
	s.round(want, 2)
}

// newShardSet makes an account with what rbac prints, and a StatefulSet.
func newShardSet(t *testing.T, space string, args []string) *shardSet {
	t.Helper()
	api, err := kubernetes.NewForConfig(control.Config())
	if err != nil {
		t.Fatal(err)
	}
	none, labels := int32(0), map[string]string{"app": "kv"}
	set, err := api.AppsV1().StatefulSets(space).Create(t.Context(), &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: "kv"},
		Spec: appsv1.StatefulSetSpec{
			Replicas: &none, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: shardPod},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	args = append(args, "--pod-namespace", space)
	roles := printedRoles(t, control, space, "kv", append(slices.Clone(args), "--pod=kv-0")...)
	run(t, control, "apply", "--filename", writeFile(t, "rbac.yaml", roles))
	token, err := control.ServiceAccountToken(t.Context(), space, "kv")
	if err != nil {
		t.Fatal(err)
	}
	for _, permission := range [][]string{{"watch", "statefulsets.apps/kv"}, {"get", "pods"}, {"create", "leases.coordination.k8s.io"}} {
		program.Poll(t, "the API server to know the role", func() error {
			_, err := control.Kubectl(t.Context(), append([]string{"auth", "can-i", "--quiet", "--namespace", space, "--as", "system:serviceaccount:" + space + ":kv"}, permission...)...)
			return err
		})
	}
	return &shardSet{t: t, api: api, namespace: space, args: args, set: set, kubeconfig: kubeconfigFor(t, control, token)}
}

var shardPod = corev1.PodSpec{Containers: []corev1.Container{{Name: "kubevitals", Image: "example.com/kubevitals"}}}

// scale sets the number of replicas.
func (s *shardSet) scale(replicas int32) {
	s.t.Helper()
	s.set.Spec.Replicas = &replicas
	var err error
	if s.set, err = s.api.AppsV1().StatefulSets(s.namespace).Update(s.t.Context(), s.set, metav1.UpdateOptions{}); err != nil {
		s.t.Fatal(err)
	}
}

// ready says how many replicas are.
func (s *shardSet) ready(replicas int32) {
	s.t.Helper()
	s.set.Status.Replicas, s.set.Status.ReadyReplicas = replicas, replicas
	var err error
	if s.set, err = s.api.AppsV1().StatefulSets(s.namespace).UpdateStatus(s.t.Context(), s.set, metav1.UpdateOptions{}); err != nil {
		s.t.Fatal(err)
	}
}

// run starts replicas until there are so many.
func (s *shardSet) run(replicas int) {
	s.t.Helper()
	for i := len(s.processes); i < replicas; i++ {
		name := fmt.Sprintf("kv-%d", i)
		owner := *metav1.NewControllerRef(s.set, appsv1.SchemeGroupVersion.WithKind("StatefulSet"))
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, OwnerReferences: []metav1.OwnerReference{owner}}, Spec: shardPod}
		if _, err := s.api.CoreV1().Pods(s.namespace).Create(s.t.Context(), pod, metav1.CreateOptions{}); err != nil {
			s.t.Fatal(err)
		}
		s.processes = append(s.processes, start(s.t, append([]string{"state", "--kubeconfig", s.kubeconfig, "--pod", name}, s.args...)...))
	}
	for _, p := range s.processes {
		p.WaitReady(s.t)
	}
}

// cover scrapes all replicas, one after the other, and wants that each series is
// there. It returns into how many parts each replica divides them.
func (s *shardSet) cover(want map[string]bool) (totals []string) {
	s.t.Helper()
	together := make(map[string]bool)
	for _, p := range s.processes {
		text := scrape(s.t, p)
		maps.Copy(together, shardSeries(text))
		_, total, _ := strings.Cut(text, "\nkubevitals_state_total_shards ")
		total, _, _ = strings.Cut(total, "\n")
		totals = append(totals, total)
	}
	if diff := cmp.Diff(want, together); diff != "" {
		s.t.Fatalf("parts of %q (-want +got):\n%s", totals, diff)
	}
	return totals
}

// round scrapes until all replicas have switched, and wants each series exactly
// once then.
func (s *shardSet) round(want map[string]bool, total int) {
	s.t.Helper()
	program.Poll(s.t, fmt.Sprintf("all to be of %d", total), func() error {
		for _, got := range s.cover(want) {
			if got != fmt.Sprint(total) {
				return fmt.Errorf("one is of %s", got)
			}
		}
		return nil
	})
	n := 0
	for i, p := range s.processes {
		text := scrape(s.t, p)
		own := shardSeries(text)
		n += len(own)
		if err := has(text, fmt.Sprintf("kubevitals_state_shard %d", i)); err != nil {
			s.t.Error(err)
		}
		if i > 0 && (own["e2e_shard_parts 60"] || len(own) < shardObjects/total/3) {
			s.t.Errorf("shard %d of %d serves %d series, or what is of all objects", i, total, len(own))
		}
	}
	if n != len(want) {
		s.t.Errorf("%d shards serve %d series, want %d", total, n, len(want))
	}
}

// shardSeries returns the samples of the rules.
func shardSeries(text string) map[string]bool {
	out := make(map[string]bool)
	for _, line := range lines(text, "e2e_shard_") {
		if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "kubevitals_") {
			out[line] = true
		}
	}
	return out
}

// pushedSeries is what processes push, by their instances.
type pushedSeries struct {
	mu         sync.Mutex
	byInstance map[string]map[string]bool
}

func (p *pushedSeries) server(t *testing.T) string {
	t.Helper()
	p.byInstance = make(map[string]map[string]bool)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		req := pmetricotlp.NewExportRequest()
		if err := errors.Join(err, req.UnmarshalProto(body)); err != nil {
			t.Errorf("a request: %v", err)
		}
		p.take(req)
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func (p *pushedSeries) take(req pmetricotlp.ExportRequest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, rm := range req.Metrics().ResourceMetrics().All() {
		instance, _ := rm.Resource().Attributes().Get("service.instance.id")
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				if m.Type() != pmetric.MetricTypeGauge || !strings.HasPrefix(m.Name(), "e2e_shard_") {
					continue
				}
				if p.byInstance[instance.AsString()] == nil {
					p.byInstance[instance.AsString()] = make(map[string]bool)
				}
				for _, point := range m.Gauge().DataPoints().All() {
					p.byInstance[instance.AsString()][fmt.Sprint(m.Name(), point.Attributes().AsRaw())] = true
				}
			}
		}
	}
}

// await waits until as many series have been pushed as are wanted, each by one
// instance, and returns how many instances there are.
func (p *pushedSeries) await(t *testing.T, want map[string]bool, instances int) int {
	t.Helper()
	found := 0
	program.Poll(t, "pushes of all parts", func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		n := 0
		for _, series := range p.byInstance {
			n += len(series)
		}
		if found = len(p.byInstance); n != len(want) || found < instances {
			return fmt.Errorf("%d series of %d instances", n, found)
		}
		return nil
	})
	return found
}
