package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/kubevitals/kubevitals/internal/pipeline"
	"github.com/kubevitals/kubevitals/test/controlplane"
	"github.com/kubevitals/kubevitals/test/program"
)

// pipelineCRD has as little of a schema as can be, in some versions. The first is
// the one that is stored.
func pipelineCRD(versions ...string) []byte {
	var list strings.Builder
	for i, v := range versions {
		fmt.Fprintf(&list, `
  - name: %s
    served: true
    storage: %t
    subresources: {status: {}}
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}`, v, i == 0)
	}
	return []byte(`apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: metricpipelines.telemetry.kyma-project.io}
spec:
  group: telemetry.kyma-project.io
  scope: Cluster
  names: {plural: metricpipelines, singular: metricpipeline, kind: MetricPipeline, listKind: MetricPipelineList}
  versions:` + list.String() + "\n")
}

// pipelineAccount returns the client of an account that has the permissions of a
// watcher but for some verbs, and may get and watch one Secret.
func pipelineAccount(t *testing.T, name string, without ...string) *rest.Config {
	t.Helper()
	name = "e2e-pipeline-" + name
	var rules []rbacv1.PolicyRule
	for _, r := range pipeline.Permissions() {
		if len(without) == 0 || !strings.Contains(r.Resources[0], without[0]) {
			rules = append(rules, rbacv1.PolicyRule{APIGroups: r.APIGroups, Resources: r.Resources, Verbs: r.Verbs})
		}
	}
	token, err := control.ServiceAccountToken(t.Context(), name, name)
	if err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal(rules)
	if err != nil {
		t.Fatal(err)
	}
	manifest := strings.ReplaceAll(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: NAME}
rules: RULES
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: NAME}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: NAME}
subjects: [{kind: ServiceAccount, namespace: NAME, name: NAME}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: NAME, namespace: NAME}
rules:
- {apiGroups: [""], resources: [secrets], resourceNames: [otlp], verbs: [get, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: NAME, namespace: NAME}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: NAME}
subjects: [{kind: ServiceAccount, namespace: NAME, name: NAME}]
`, "NAME", name)
	if err := control.Apply(t.Context(), []byte(strings.ReplaceAll(manifest, "RULES", string(list)))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { run(t, control, "delete", "clusterrole,clusterrolebinding", name, "--ignore-not-found") })
	config := rest.AnonymousClientConfig(control.Config())
	config.BearerToken, config.UserAgent = token, "kubevitals/test"
	config.WarningHandler = rest.NoWarnings{}
	return config
}

// watched is a watcher at work, and what it says.
type watched struct {
	t       *testing.T
	watcher *pipeline.Watcher
	log     *program.Output

	mu  sync.Mutex
	all []pipeline.Pipeline
	n   int
}

func watchPipelines(t *testing.T, config *rest.Config) *watched {
	t.Helper()
	w := &watched{t: t, log: new(program.Output)}
	var err error
	if w.watcher, err = pipeline.NewWatcher(config, slog.New(slog.NewTextHandler(w.log, nil))); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- w.watcher.Watch(ctx, func(all []pipeline.Pipeline) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.all, w.n = all, w.n+1
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(w.log.String())
		}
	})
	return w
}

// line is what tests compare of pipelines.
func (w *watched) line() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.n == 0 {
		return "unknown"
	}
	out := []string{}
	for _, p := range w.all {
		s := fmt.Sprintf("%s %t %v", p.Name, p.Kyma, p.Modules)
		if p.Output != nil {
			s += fmt.Sprintf(" %s %s", p.Output.Client.Endpoint, p.Output.Client.Headers["Authorization"])
		}
		if p.Err != nil {
			s += " " + p.Err.Error()
		}
		out = append(out, s)
	}
	return strings.Join(out, "; ")
}

func (w *watched) wait(what, want string) {
	w.t.Helper()
	program.Poll(w.t, what, func() error {
		if got := w.line(); !strings.HasPrefix(got, want) || want == "" && got != "" {
			return fmt.Errorf("got  %s\nwant %s", got, want)
		}
		return nil
	})
}

func metricPipelines(version string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "telemetry.kyma-project.io", Version: version, Resource: "metricpipelines"}
}

func metricPipeline(version, name, spec string) string {
	return fmt.Sprintf("apiVersion: telemetry.kyma-project.io/%s\nkind: MetricPipeline\nmetadata: {name: %s}\nspec: %s\n", version, name, spec)
}

// TestMetricPipelines follows MetricPipelines from before their kind exists until
// after it does.
func TestMetricPipelines(t *testing.T) {
	const namespace = "e2e-pipeline-follow"
	w := watchPipelines(t, pipelineAccount(t, "follow"))
	w.wait("no kind", "")
	if err := w.watcher.Synced(t.Context()); err != nil {
		t.Errorf("without the kind: %v", err)
	}

	t.Cleanup(func() {
		run(t, control, "delete", "crd", "metricpipelines.telemetry.kyma-project.io", "--ignore-not-found")
	})
	applyText(t, control, string(pipelineCRD("v1alpha1")))
	applyText(t, control, metricPipeline("v1alpha1", "b", `{input: {kyma: {enabled: true, modules: [telemetry]}}}`))
	w.wait("created", "b true [telemetry]")
	applyText(t, control, metricPipeline("v1alpha1", "a", `{input: {kyma: {enabled: true}}, output: {otlp: {endpoint: {value: "h:1"}}}}`))
	w.wait("another", "a true [] h:1 ; b true [telemetry]")
	applyText(t, control, metricPipeline("v1alpha1", "b", `{input: {kyma: {enabled: true, modules: [istio]}}}`))
	w.wait("updated", "a true [] h:1 ; b true [istio]")
	if err := dynamicClient(t, control).Resource(metricPipelines("v1alpha1")).Delete(t.Context(), "b", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.wait("deleted", "a true [] h:1 ")

	// The Secret of an output comes, changes and goes.
	output := `{output: {otlp: {endpoint: {value: "h:2"}, headers: [{name: authorization, prefix: Bearer, valueFrom: {secretKeyRef: {namespace: ` + namespace + `, name: otlp, key: token}}}]}}}`
	applyText(t, control, metricPipeline("v1alpha1", "a", output))
	reference := "a false [] metricpipeline a: spec.output.otlp.headers: header \"authorization\": Secret " + namespace + "/otlp, key \"token\": "
	w.wait("no Secret", reference+"there is no such Secret")
	secret := func(data string) {
		t.Helper()
		applyText(t, control, fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: otlp, namespace: %s}\nstringData: {%s}\n", namespace, data))
	}
	secret("token: one")
	w.wait("the Secret", "a false [] h:2 Bearer one")
	secret("token: two")
	w.wait("rotated", "a false [] h:2 Bearer two")
	run(t, control, "delete", "secret", "otlp", "--namespace", namespace)
	w.wait("deleted", reference+"there is no such Secret")
	other := strings.ReplaceAll(output, "name: otlp,", "name: other,")
	applyText(t, control, metricPipeline("v1alpha1", "a", other))
	w.wait("a Secret that may not be read", strings.Replace(reference, "/otlp,", "/other,", 1)+`secrets "other" is forbidden`)

	// Another version is served, and then none is.
	run(t, control, "delete", "crd", "metricpipelines.telemetry.kyma-project.io")
	w.wait("the kind is gone", "")
	applyText(t, control, string(pipelineCRD("v1beta1")))
	applyText(t, control, metricPipeline("v1beta1", "c", `{input: {kyma: {enabled: true}}}`))
	w.wait("the other version", "c true []")
	if err := w.watcher.Synced(t.Context()); err != nil {
		t.Error(err)
	}
}

// pipelineStatus returns the resourceVersion of a MetricPipeline, and its
// conditions as type=status/reason/message and when they began.
func pipelineStatus(t *testing.T, name string) (version string, conditions, since map[string]string) {
	t.Helper()
	u, err := dynamicClient(t, control).Resource(metricPipelines("v1beta1")).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	conditions, since = make(map[string]string), make(map[string]string)
	list, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, c := range list {
		m := c.(map[string]any)
		typ := fmt.Sprint(m["type"])
		conditions[typ] = fmt.Sprintf("%v/%v/%v/%v", m["status"], m["reason"], m["message"], m["observedGeneration"])
		since[typ] = fmt.Sprint(m["lastTransitionTime"])
	}
	return u.GetResourceVersion(), conditions, since
}

// TestMetricPipelineStatus writes a condition beside those of others, once, and does
// without where that is not allowed.
func TestMetricPipelineStatus(t *testing.T) {
	t.Cleanup(func() {
		run(t, control, "delete", "crd", "metricpipelines.telemetry.kyma-project.io", "--ignore-not-found")
	})
	applyText(t, control, string(pipelineCRD("v1beta1", "v1alpha1")))
	applyText(t, control, metricPipeline("v1beta1", "p", `{input: {kyma: {enabled: true}}}`)+`
status: {conditions: [{type: AgentHealthy, status: "True", reason: AgentReady, message: fine, observedGeneration: 1, lastTransitionTime: "2026-01-01T00:00:00Z"}]}
`)
	w := watchPipelines(t, pipelineAccount(t, "status"))
	w.wait("the pipeline", "p true []")
	report := func(w *watched, c pipeline.Condition) {
		t.Helper()
		if err := w.watcher.Report(t.Context(), "p", c); err != nil {
			t.Error(err)
		}
	}
	check := func(want string) (version, since string) {
		t.Helper()
		version, conditions, begun := pipelineStatus(t, "p")
		if got := conditions[pipeline.ConditionType]; got != want || conditions["AgentHealthy"] != "True/AgentReady/fine/1" {
			t.Errorf("conditions %v, want %s", conditions, want)
		}
		return version, begun[pipeline.ConditionType]
	}
	good := pipeline.Condition{Status: "True", Reason: "Pushed", Message: "All is well."}
	report(w, good)
	version, since := check("True/Pushed/All is well./1")
	for range 3 {
		report(w, good)
	}
	if again, _ := check("True/Pushed/All is well./1"); again != version {
		t.Errorf("the status was written again: %s, then %s", version, again)
	}
	report(w, pipeline.Condition{Status: "True", Reason: "PushedPartly", Message: "Some."})
	if _, again := check("True/PushedPartly/Some./1"); again != since {
		t.Errorf("the transition was at %s, then at %s", since, again)
	}
	// Whoever else changes the object meanwhile, the answer is about what it is now.
	applyText(t, control, metricPipeline("v1beta1", "p", `{input: {kyma: {enabled: false}}}`))
	w.wait("updated", "p false []")
	report(w, pipeline.Condition{Status: "False", Reason: "PushFailed", Message: "No."})
	check("False/PushFailed/No./2")
	if err := w.watcher.Report(t.Context(), "none", good); err != nil {
		t.Errorf("a pipeline that does not exist: %v", err)
	}
	if err := w.watcher.Report(t.Context(), "p", pipeline.Condition{Status: "Maybe", Reason: "X"}); err == nil {
		t.Error("a wrong status is no error")
	}

	denied := watchPipelines(t, pipelineAccount(t, "denied", "status"))
	denied.wait("the pipeline", "p false []")
	mark, err := control.Mark()
	if errors.Is(err, controlplane.ErrNotOwned) {
		return
	} else if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		report(denied, good)
	}
	check("False/PushFailed/No./2")
	if got := strings.Count(denied.log.String(), "cannot be written"); got != 1 {
		t.Errorf("%d lines about the status:\n%s", got, denied.log.String())
	}
	attempts := 0
	for _, r := range requests(t, control, mark) {
		if r.Verb == "update" && r.Subresource == "status" {
			attempts++
		}
	}
	if attempts != 1 {
		t.Errorf("%d attempts, want 1", attempts)
	}
}

// TestMetricPipelinePruned has a schema without spec.input.kyma, as Kyma's is: the
// API server refuses it, and annotations say the same.
func TestMetricPipelinePruned(t *testing.T) {
	t.Cleanup(func() {
		run(t, control, "delete", "crd", "metricpipelines.telemetry.kyma-project.io", "--ignore-not-found")
	})
	const (
		anything = "{type: object, x-kubernetes-preserve-unknown-fields: true}"
		schema   = `{type: object, properties: {spec: {type: object, properties: {input: {type: object, properties: {runtime: ANY}}, output: ANY}}, ` +
			`status: {type: object, properties: {conditions: {type: array, items: ANY}}}}}`
	)
	crd := strings.Replace(string(pipelineCRD("v1beta1")), anything, strings.ReplaceAll(schema, "ANY", anything), 1)
	applyText(t, control, crd)
	w := watchPipelines(t, pipelineAccount(t, "pruned"))
	if err := control.Apply(t.Context(), []byte(metricPipeline("v1beta1", "p", `{input: {kyma: {enabled: true}}}`))); err == nil {
		t.Error("the API server has taken a field that is not in the schema")
	}
	applyText(t, control, metricPipeline("v1beta1", "p", `{input: {runtime: {enabled: true}}}`))
	w.wait("no annotations", "p false []")
	const annotations = "{name: p, annotations: {telemetry.kyma-project.io/experimental-kyma-input: 'true', kubevitals.io/kyma-modules: 'telemetry,istio'}}"
	applyText(t, control, strings.Replace(metricPipeline("v1beta1", "p", `{input: {runtime: {enabled: true}}}`), "{name: p}", annotations, 1))
	w.wait("the annotations", "p true [istio telemetry]")
	if err := w.watcher.Report(t.Context(), "p", pipeline.Condition{Status: "True", Reason: "Pushing"}); err != nil {
		t.Error(err)
	}
	if _, conditions, _ := pipelineStatus(t, "p"); conditions[pipeline.ConditionType] != "True/Pushing//1" {
		t.Errorf("conditions %v", conditions)
	}
}
