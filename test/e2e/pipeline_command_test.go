package e2e

import (
	"compress/gzip"
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

	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/kubevitals/kubevitals/internal/pipeline"
	"github.com/kubevitals/kubevitals/test/program"
)

// receiver is an OpenTelemetry receiver that takes what comes with one token.
type receiver struct {
	mu       sync.Mutex
	token    string
	families map[string]int // names of metrics, and in how many requests they were
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if req.Header.Get("Authorization") != "Bearer "+r.token {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	body, err := gzip.NewReader(req.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	data, err := io.ReadAll(body)
	got := pmetricotlp.NewExportRequest()
	if err = errors.Join(err, got.UnmarshalProto(data)); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, rm := range got.Metrics().ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				r.families[m.Name()]++
			}
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func (r *receiver) accept(token string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.token, r.families = token, make(map[string]int)
}

// has reports that a family has not been pushed since the token was set.
func (r *receiver) has(name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.families[name] == 0 {
		return fmt.Errorf("%s was not pushed, only %q", name, slices.Sorted(maps.Keys(r.families)))
	}
	return nil
}

// accountForPipelines makes an account with what "kubevitals rbac" prints, and one
// Secret that it may read, and returns its kubeconfig.
func accountForPipelines(t *testing.T, space, secret string, args ...string) string {
	t.Helper()
	applyText(t, control, printedRoles(t, control, space, space, args...))
	t.Cleanup(func() { run(t, control, "delete", "clusterrole,clusterrolebinding", space, "--ignore-not-found") })
	applyText(t, control, strings.NewReplacer("NAME", space, "SECRET", secret).Replace(`
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: NAME-secret, namespace: NAME}
rules: [{apiGroups: [""], resources: [secrets], resourceNames: [SECRET], verbs: [get, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: NAME-secret, namespace: NAME}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: NAME-secret}
subjects: [{kind: ServiceAccount, namespace: NAME, name: NAME}]
`))
	return kubeconfigFor(t, control, newToken(t, control, space, space))
}

// TestMetricPipelinesCommand runs kubevitals with the MetricPipelines of a cluster
// and the permissions that are printed for that: a pipeline switches the catalog
// kyma on, says where to push with a token of a Secret, and is told how that goes;
// who starts when there is one is not ready before its catalog is at work.
func TestMetricPipelinesCommand(t *testing.T) {
	const (
		space   = "e2e-pipeline-command"
		family  = "kyma.module.status.state"
		healthy = `kyma_module_healthy{kyma="default",name="keda-module",namespace="kyma-system",resource_name="default"} 1`
	)
	kymaCRDs(t)
	apply(t, control, kymaObjects(t, "Ready"))
	t.Cleanup(func() {
		run(t, control, "delete", "crd", "metricpipelines.telemetry.kyma-project.io", "--ignore-not-found")
	})
	applyText(t, control, string(pipelineCRD("v1beta1", "v1alpha1")))
	namespace(t, control, space)
	secret := func(token string) {
		t.Helper()
		applyText(t, control, fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: collector, namespace: %s}\nstringData: {token: %s}\n", space, token))
	}
	secret("one")
	r := new(receiver)
	r.accept("one")
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)

	args := []string{"--catalog=gateway-api", "--metric-pipelines"}
	kubeconfig := accountForPipelines(t, space, "collector", args...)
	args = append(args, "--kubeconfig", kubeconfig, "--otlp-interval=500ms", "--otlp-min-interval=500ms")
	p := start(t, append([]string{"state"}, args...)...)
	p.WaitReady(t)
	if strings.Contains(scrape(t, p), "kyma_module") {
		t.Error("there are metrics of modules without a pipeline")
	}
	pipelineOf := func(enabled bool) string {
		return metricPipeline("v1alpha1", "modules", fmt.Sprintf(`{input: {kyma: {enabled: %t}}, output: {otlp: {protocol: http, endpoint: {value: %q}, `+
			`headers: [{name: Authorization, prefix: Bearer, valueFrom: {secretKeyRef: {namespace: %s, name: collector, key: token}}}]}}}`, enabled, server.URL, space))
	}
	condition := func(want string) {
		t.Helper()
		program.Poll(t, "the condition "+want, func() error {
			if _, conditions, _ := pipelineStatus(t, "modules"); !strings.HasPrefix(conditions[pipeline.ConditionType], want) {
				return fmt.Errorf("conditions %v", conditions)
			}
			return nil
		})
	}
	served := func(p *program.Process) error { return has(scrape(t, p), healthy) }

	applyText(t, control, pipelineOf(true))
	program.Poll(t, "modules to be pushed", func() error { return r.has(family) })
	program.Poll(t, "modules to be served", func() error { return served(p) })
	condition("True/Pushing")

	// The receiver wants another token, which the Secret has later.
	r.accept("two")
	condition("False/PushFailed")
	secret("two")
	program.Poll(t, "pushes with the new token", func() error { return r.has(family) })
	condition("True/Pushing")

	// One that starts now is ready when the modules are served, not before.
	late := start(t, append([]string{"state"}, args...)...)
	late.WaitReady(t)
	if err := served(late); err != nil {
		t.Errorf("ready without what the pipeline switches on: %v", err)
	}

	applyText(t, control, pipelineOf(false))
	program.Poll(t, "the modules to be gone", func() error {
		if served(p) == nil || served(late) == nil {
			return errors.New("they are still served")
		}
		return nil
	})
	condition("False/Disabled")
	program.Poll(t, "the push to have ended", func() error {
		if text := scrape(t, p); strings.Contains(text, `pipeline="modules"`) {
			return errors.New("it goes on")
		}
		return nil
	})
}
