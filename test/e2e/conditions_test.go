package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevitals/kubevitals/test/program"
)

// conditionsGroup is a group of kinds of these tests.
func conditionsGroup(name string) string { return name + ".conditions.e2e.kubevitals.io" }

// withStatus gives an object a status.
func withStatus(o *unstructured.Unstructured, status map[string]any) *unstructured.Unstructured {
	o.Object["status"] = status
	return o
}

func conditionsOf(pairs ...string) map[string]any {
	var list []any
	for _, pair := range pairs {
		typ, status, _ := strings.Cut(pair, "=")
		list = append(list, map[string]any{"type": typ, "status": status, "reason": "Test", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"})
	}
	return map[string]any{"conditions": list}
}

// pickup is how long a kind may take to be there once its definition is.
const pickup = 20 * time.Second

// TestConditionsCatalog serves every kind of the cluster that has conditions, and
// one that does not exist when it starts.
func TestConditionsCatalog(t *testing.T) {
	processes := map[string]*program.Process{}
	for _, mode := range []string{"watch", "scrape"} {
		processes[mode] = state(t, "--catalog=conditions", "--enable=reasons,transitions,ages,generations,health", "--collect="+mode)
	}
	if err := control.Apply(t.Context(), []byte(strings.ReplaceAll(deployment, "discover", "conditions"))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { run(t, control, "delete", "deployment/conditionsed", "--namespace=conditions") })
	late := kind{group: conditionsGroup("late"), name: "LateThing", conditions: true}
	install(t, control, late)
	defined := time.Now()
	thing := withStatus(late.object("conditions", "thing", map[string]any{}), conditionsOf("Ready=False", "Stalled=True", "Odd=Unknown"))
	apply(t, control, []*unstructured.Unstructured{thing})
	series := func(family, rest string, value string) string {
		return fmt.Sprintf(`%s{group=%q,kind="LateThing",name="thing",namespace="conditions"%s} %s`, family, late.group, rest, value)
	}
	want := []string{
		series("kube_object_condition", `,type="Ready"`, "0"), series("kube_object_condition", `,type="Stalled"`, "1"),
		series("kube_object_condition", `,type="Odd"`, "-1"), series("kube_object_condition_healthy", `,type="Stalled"`, "0"),
		series("kube_object_healthy", "", "0"),
		fmt.Sprintf(`kube_objects_by_health{group=%q,health="Failed",kind="LateThing"} 1`, late.group),
	}
	for mode, p := range processes {
		program.Poll(t, mode+": the kind that is new", func() error {
			text := scrape(t, p)
			var errs []error
			for _, line := range want {
				errs = append(errs, has(text, line))
			}
			return errors.Join(append(errs, has(text, `kube_objects_by_health{group="apps",health="InProgress",kind="Deployment"} `+
				fmt.Sprint(len(lines(text, `kube_object_health{group="apps",health="InProgress",kind="Deployment"`, "} 1")))))...)
		})
		if took := time.Since(defined); took > pickup {
			t.Errorf("%s: it took %v", mode, took)
		}
	}
	t.Logf("the kind was there %v after its definition", time.Since(defined).Round(time.Millisecond))

	// The reason changes, and the series stays.
	changed := conditionsOf("Ready=False", "Stalled=False", "Odd=Unknown")
	changed["conditions"].([]any)[0].(map[string]any)["reason"] = "Other"
	apply(t, control, []*unstructured.Unstructured{withStatus(thing, changed)})
	for mode, p := range processes {
		program.Poll(t, mode+": the change", func() error {
			text := scrape(t, p)
			return errors.Join(has(text, want[0]), has(text, series("kube_object_condition_healthy", `,type="Stalled"`, "1")),
				has(text, fmt.Sprintf(`kube_object_condition_reason_info{group=%q,kind="LateThing",name="thing",namespace="conditions",reason="Other",status="False",type="Ready"} 1`, late.group)))
		})
	}
	uninstall(t, control, late)
	for mode, p := range processes {
		program.Poll(t, mode+": the kind that is gone", func() error {
			if left := lines(scrape(t, p), "LateThing"); len(left) > 0 {
				return fmt.Errorf("%d lines are left: %s", len(left), left[0])
			}
			return nil
		})
	}
}

// TestConditionsForbidden may read one of two groups: the other is missing, says
// why, and costs nothing else. Once it is allowed, it is there.
func TestConditionsForbidden(t *testing.T) {
	allowed := kind{group: conditionsGroup("allowed"), name: "AllowedThing", conditions: true}
	forbidden := kind{group: conditionsGroup("forbidden"), name: "ForbiddenThing", conditions: true}
	install(t, control, allowed, forbidden)
	for _, k := range []kind{allowed, forbidden} {
		apply(t, control, []*unstructured.Unstructured{withStatus(k.object("conditions", "thing", map[string]any{}), conditionsOf("Ready=True"))})
	}
	grant := func(resources string) {
		t.Helper()
		manifest := fmt.Sprintf(`{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "e2e-reader-conditions"},
			"rules": [{"apiGroups": [%s], "resources": ["*"], "verbs": ["list", "watch"]}]}`, resources)
		if err := control.Apply(t.Context(), []byte(manifest)); err != nil {
			t.Fatal(err)
		}
	}
	kubeconfig := coreReader(t, "conditions", "namespaces")
	grant(`"", "` + allowed.group + `"`)
	groups := "--param=conditions.groups=*.conditions.e2e.kubevitals.io,apps"
	processes := map[string]*program.Process{}
	for _, mode := range []string{"watch", "scrape"} {
		processes[mode] = start(t, "state", "--kubeconfig", kubeconfig, "--catalog=conditions", groups, "--collect="+mode)
		processes[mode].WaitReady(t)
	}
	healthy := func(k kind) string {
		return fmt.Sprintf(`kube_object_healthy{group=%q,kind=%q,name="thing",namespace="conditions"} 1`, k.group, k.name)
	}
	for mode, p := range processes {
		program.Poll(t, mode+": what may be read", func() error {
			text := scrape(t, p)
			if left := lines(text, "kube_object", "ForbiddenThing"); len(left) > 0 {
				return fmt.Errorf("there is %s", left[0])
			}
			return errors.Join(has(text, healthy(allowed)),
				has(text, fmt.Sprintf(`kubevitals_state_kind_up{group=%q,kind="ForbiddenThing",version="v1"} 0`, forbidden.group)),
				has(text, fmt.Sprintf(`kubevitals_state_kind_error_info{group=%q,kind="ForbiddenThing",reason="forbidden",version="v1"} 1`, forbidden.group)),
				has(text, `kubevitals_state_kind_error_info{group="apps",kind="Deployment",reason="forbidden",version="v1"} 1`))
		})
	}
	grant(`"", "` + allowed.group + `", "` + forbidden.group + `"`)
	granted := time.Now()
	for mode, p := range processes {
		program.Poll(t, mode+": what may be read by now", func() error { return has(scrape(t, p), healthy(forbidden)) })
	}
	t.Logf("the kind was there %v after it was allowed", time.Since(granted).Round(time.Millisecond))
}
