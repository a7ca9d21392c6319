package e2e

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/test/controlplane"
	"github.com/kubevitals/kubevitals/test/program"
)

// TestCRDsComeAndGo installs, changes and removes CRDs under a running process.
func TestCRDsComeAndGo(t *testing.T) {
	if os.Getenv(controlplane.ClusterVariable) != "" {
		t.Skipf("needs a control plane of its own, and %s names a cluster", controlplane.ClusterVariable)
	}
	c, err := controlplane.Start(t.Context(), controlplane.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop() })
	processes := map[string]*program.Process{
		"watch":  start(t, "state", "--kubeconfig", c.Kubeconfig()),
		"scrape": start(t, "state", "--collect=scrape", "--kubeconfig", c.Kubeconfig()),
	}
	everywhere := func(what string, check func(text string) error) {
		t.Helper()
		for mode, p := range processes {
			program.Poll(t, mode+": "+what, func() error { return check(scrape(t, p)) })
		}
	}
	for _, p := range processes {
		p.WaitReady(t)
	}
	everywhere("a cluster without Gateway API is no failure", func(text string) error {
		if n := len(lines(text, "kubevitals_state_kind_up{")); n > 0 {
			return fmt.Errorf("%d kinds", n)
		}
		return has(text, "gateway_metrics_up 1")
	})

	crds, err := controlplane.GatewayAPICRDs("standard")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.InstallCRDs(t.Context(), crds...); err != nil {
		t.Fatal(err)
	}
	apply(t, c, routes("shop", 1))
	created := func(version string) func(string) error {
		return func(text string) error {
			found := lines(text, "gatewayapi_httproute_created{")
			if len(found) != 1 || !strings.Contains(found[0], `customresource_version="`+version+`"`) {
				return fmt.Errorf("series: %v", found)
			}
			return has(text, "gateway_metrics_up 1")
		}
	}
	everywhere("the new kinds", created("v1"))

	kubectl := func(args ...string) {
		t.Helper()
		if _, err := c.Kubectl(t.Context(), args...); err != nil {
			t.Fatal(err)
		}
	}
	// v1 is the first version of the CRD; serve v1beta1 alone.
	kubectl("patch", "crd", "httproutes.gateway.networking.k8s.io", "--type=json",
		`--patch=[{"op":"test","path":"/spec/versions/0/name","value":"v1"},{"op":"replace","path":"/spec/versions/0/served","value":false}]`)
	everywhere("the older version", created("v1beta1"))

	kubectl("delete", "crd", "httproutes.gateway.networking.k8s.io")
	everywhere("a removed kind", func(text string) error {
		if n := len(lines(text, "HTTPRoute")); n > 0 {
			return fmt.Errorf("%d lines are left", n)
		}
		return errors.Join(has(text, "gateway_metrics_up 1"),
			has(text, `kubevitals_state_kind_up{group="gateway.networking.k8s.io",kind="Gateway",version="v1"} 1`))
	})
}
