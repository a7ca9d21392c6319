package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevitals/kubevitals/test/controlplane"
	"github.com/kubevitals/kubevitals/test/program"
)

const kymaGroup = "operator.kyma-project.io"

// kymaCRDs defines a Kyma, which is served in two versions, and the kind of a module.
func kymaCRDs(t *testing.T) {
	t.Helper()
	kyma := kind{group: kymaGroup, name: "Kyma", conditions: true}
	crd := kyma.crd()
	spec := crd.Object["spec"].(map[string]any)
	old := unstructured.Unstructured{Object: spec["versions"].([]any)[0].(map[string]any)}
	newer := old.DeepCopy()
	old.Object["name"], old.Object["storage"] = "v1beta1", false
	newer.Object["name"] = "v1beta2"
	spec["versions"] = []any{newer.Object, old.Object}
	apply(t, control, []*unstructured.Unstructured{crd})
	t.Cleanup(func() { uninstall(t, control, kyma) })
	install(t, control, kind{group: kymaGroup, name: "Keda", conditions: true})
}

// kymaObjects are a Kyma that names one of two objects of a module.
func kymaObjects(t *testing.T, state string) []*unstructured.Unstructured {
	t.Helper()
	objects, err := controlplane.ParseManifests([]byte(fmt.Sprintf(`
apiVersion: operator.kyma-project.io/v1
kind: Keda
metadata: {name: default, namespace: kyma-system}
status: {state: %s, conditions: [{type: Installed, status: "True", reason: Verified}]}
---
apiVersion: operator.kyma-project.io/v1
kind: Keda
metadata: {name: second, namespace: kyma-system}
status: {state: Error, conditions: [{type: Installed, status: "False", reason: Duplicated}]}
---
apiVersion: operator.kyma-project.io/v1beta2
kind: Kyma
metadata: {name: default, namespace: kyma-system}
status:
  state: Ready
  conditions: [{type: Modules, status: "True", reason: Ready}]
  modules:
  - {name: keda-module, state: Processing, resource: {apiVersion: operator.kyma-project.io/v1, kind: Keda, metadata: {name: default, namespace: kyma-system}}}
`, state)))
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// TestKymaCatalog follows the objects of modules, by the names that the Kyma has for
// them, and without the Kyma.
func TestKymaCatalog(t *testing.T) {
	kymaCRDs(t)
	processes := map[string]*program.Process{}
	for _, mode := range []string{"watch", "scrape"} {
		processes[mode] = state(t, "--catalog=kyma", "--collect="+mode)
	}
	check := func(what string, want ...string) {
		t.Helper()
		for mode, p := range processes {
			program.Poll(t, mode+": "+what, func() error {
				text := scrape(t, p)
				var errs []error
				for _, line := range want {
					errs = append(errs, has(text, line))
				}
				if got := len(lines(text, "kyma_module_status_state{")); got != 2 {
					errs = append(errs, fmt.Errorf("%d modules have a state, want 2", got))
				}
				return errors.Join(errs...)
			})
		}
	}
	const (
		managed = `kyma="default",name="keda-module",namespace="kyma-system"`
		second  = `kyma_module_status_state{name="keda",namespace="kyma-system",resource_name="second",state="Error"} 0`
	)
	objects := kymaObjects(t, "Ready")
	apply(t, control, objects)
	check("both modules", second,
		`kyma_module_status_state{`+managed+`,resource_name="default",state="Ready"} 1`, `kyma_module_healthy{`+managed+`,resource_name="default"} 1`,
		`kyma_module_status_condition{`+managed+`,reason="Verified",resource_name="default",status="True",type="Installed"} 1`,
		`kyma_module_status_condition{name="keda",namespace="kyma-system",reason="Duplicated",resource_name="second",status="False",type="Installed"} 0`)

	// Only the object of the module changes.
	apply(t, control, kymaObjects(t, "Warning")[:1])
	check("another state", second,
		`kyma_module_status_state{`+managed+`,resource_name="default",state="Warning"} 0`, `kyma_module_healthy{`+managed+`,resource_name="default"} 0`,
		`kyma_module_state{`+managed+`,resource_name="default",state="Warning"} 1`)

	run(t, control, "delete", "kyma", "default", "--namespace=kyma-system")
	check("no Kyma", second, `kyma_module_status_state{name="keda",namespace="kyma-system",resource_name="default",state="Warning"} 0`)
}

// TestKymaIssueVersions runs the configuration of Kyma's issue where a Kyma is served
// in two versions: it is listed once, for both rules, and not once for each version.
func TestKymaIssueVersions(t *testing.T) {
	kymaCRDs(t)
	apply(t, control, kymaObjects(t, "Ready"))
	p := state(t, "--custom-resource-state-config-file", "../../examples/rules/kyma/crs.yaml")
	program.Poll(t, "the conditions of the Kyma", func() error {
		text := scrape(t, p)
		conditions := lines(text, "kube_customresource_module_status_conditions{", `customresource_kind="Kyma"`)
		if len(conditions) != 1 || !strings.Contains(conditions[0], `customresource_version="v1beta2"`) {
			return fmt.Errorf("conditions: %q", conditions)
		}
		if got := len(lines(text, "kube_customresource_kyma_status_modules_state{", `customresource_version="v1beta2"`)); got != 5 {
			return fmt.Errorf("%d states of modules, want 5", got)
		}
		return nil
	})
}
