package e2e

import (
	"errors"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/test/program"
)

// TestQuickstart applies deploy/quickstart.yaml and runs what its Deployment
// says, with the account's own token and RBAC.
func TestQuickstart(t *testing.T) {
	const file = "../../deploy/quickstart.yaml"
	if out, err := control.Kubectl(t.Context(), "apply", "--filename", file); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := control.Apply(t.Context(), demoObjects(t)); err != nil {
		t.Fatal(err)
	}
	args, err := control.Kubectl(t.Context(), "get", "deployment", "--namespace", "kubevitals", "kubevitals",
		"--output", "jsonpath={.spec.template.spec.containers[0].args[*]}")
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := serviceAccount(t, "kubevitals", "kubevitals")
	for _, mode := range []string{"watch", "scrape"} {
		p := start(t, append(strings.Fields(args), "--kubeconfig", kubeconfig, "--collect", mode)...)
		p.WaitReady(t)
		program.Poll(t, mode+": all kinds", func() error {
			text := scrape(t, p)
			err := errors.Join(has(text, "gateway_metrics_up 1"), has(text, routeUp))
			if got, want := len(lines(text, "kubevitals_state_kind_up{", "} 1")), len(kinds); got != want {
				err = errors.Join(err, errors.New("not all kinds are up:\n"+strings.Join(lines(text, "kubevitals_state_kind_up{"), "\n")))
			}
			return err
		})
	}
	// Nothing else is allowed.
	for _, verb := range []string{"get", "delete", "create", "patch"} {
		if out, err := control.Kubectl(t.Context(), "auth", "can-i", verb, "httproutes.gateway.networking.k8s.io",
			"--as=system:serviceaccount:kubevitals:kubevitals"); err == nil {
			t.Errorf("the account may %s routes: %s", verb, out)
		}
	}
}
