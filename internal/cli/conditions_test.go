package cli_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/catalog"
)

// TestManyConditions reads an object with 10,000 conditions: it gives no more than
// its share, in time, and the object beside it gives all of its own.
func TestManyConditions(t *testing.T) {
	var objects strings.Builder
	objects.WriteString("apiVersion: example.com/v1\nkind: Hostile\nmetadata: {name: many, namespace: x}\nstatus:\n  conditions:\n")
	for i := range 10_000 {
		fmt.Fprintf(&objects, "  - {type: C%d, status: \"True\"}\n", i)
	}
	objects.WriteString("---\napiVersion: example.com/v1\nkind: Hostile\nmetadata: {name: sound, namespace: x}\nstatus: {conditions: [{type: Ready, status: \"True\"}]}\n")
	start := time.Now()
	r := run(t, []byte(objects.String()), "eval", "--catalog", "conditions", "--enable", "reasons,transitions,ages,generations,health", "-")
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	out := r.ok(t)
	for _, family := range []string{"kube_object_condition", "kube_object_condition_healthy", "kube_object_condition_reason_info"} {
		if got := strings.Count(out, "\n"+family+`{group="example.com",kind="Hostile",name="many"`); got != 100 {
			t.Errorf("%s has %d series of the object, want 100", family, got)
		}
	}
	for _, want := range []string{
		`kube_object_condition{group="example.com",kind="Hostile",name="sound",namespace="x",type="Ready"} 1`,
		`kube_object_healthy{group="example.com",kind="Hostile",name="sound",namespace="x"} 1`,
		`kube_object_healthy{group="example.com",kind="Hostile",name="many",namespace="x"} -1`,
	} {
		if !strings.Contains(out, "\n"+want+"\n") {
			t.Errorf("no line %s", want)
		}
	}
	if got := strings.Count(out, "\nkube_objects_by_condition{"); got > 5002 {
		t.Errorf("kube_objects_by_condition has %d series", got)
	}
}

// TestCatalogNeeds makes sure that no catalog has managedFields kept, which are half
// of most objects.
func TestCatalogNeeds(t *testing.T) {
	for _, name := range catalog.Names() {
		if compileCatalog(t, name, catalogGroups(t, name)...).Needs().ManagedFields {
			t.Errorf("the catalog %s reads managedFields", name)
		}
	}
}

// TestReasonFlaps changes the reason of a condition: its series stays, and what
// tells the reason is another one.
func TestReasonFlaps(t *testing.T) {
	series := func(reason string) (condition, info string) {
		object := "apiVersion: example.com/v1\nkind: Backup\nmetadata: {name: b, namespace: x}\nstatus: {conditions: [{type: Ready, status: \"False\", reason: " + reason + "}]}\n"
		out := run(t, []byte(object), "eval", "--catalog", "conditions", "--enable", "reasons", "-").ok(t)
		for line := range strings.Lines(out) {
			switch {
			case strings.HasPrefix(line, "kube_object_condition{"):
				condition = line
			case strings.HasPrefix(line, "kube_object_condition_reason_info{"):
				info = line
			}
		}
		return condition, info
	}
	first, firstInfo := series("Timeout")
	second, secondInfo := series("Refused")
	if first == "" || first != second {
		t.Errorf("the condition's series has changed:\n%s%s", first, second)
	}
	if firstInfo == secondInfo || !strings.Contains(secondInfo, `reason="Refused"`) {
		t.Errorf("the reason has not changed:\n%s%s", firstInfo, secondInfo)
	}
}

// TestKymaIssue counts what the configuration of Kyma's issue gives on the objects
// of the issue.
func TestKymaIssue(t *testing.T) {
	a := exampleOutput(t, "kyma", "crs.txtar")
	for family, want := range map[string]int{"module_status_conditions": 16, "kyma_status_state": 5, "kyma_status_modules_state": 45} {
		if got := strings.Count(a, "\nkube_customresource_"+family+"{"); got != want {
			t.Errorf("%s has %d series, want %d", family, got, want)
		}
	}
	for _, want := range []string{
		`kube_customresource_module_status_conditions{customresource_group="operator.kyma-project.io",customresource_kind="Telemetry",customresource_version="v1alpha1",name="default",namespace="kyma-system",reason="MetricPipelineReferencedSecretMissing",type="MetricComponentsHealthy"} 0`,
		`kube_customresource_kyma_status_state{customresource_group="operator.kyma-project.io",customresource_kind="Kyma",customresource_version="v1beta2",name="default",namespace="kyma-system",state="Warning"} 1`,
		`kube_customresource_kyma_status_modules_state{customresource_group="operator.kyma-project.io",customresource_kind="Kyma",customresource_version="v1beta2",module="telemetry",name="default",namespace="kyma-system",state="Warning"} 1`,
	} {
		if !strings.Contains(a, "\n"+want+"\n") {
			t.Errorf("no line %s", want)
		}
	}
}
