package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevitals/kubevitals/test/program"
)

// has fails unless the exposition has a line.
func has(text, line string) error {
	if strings.Contains("\n"+text, "\n"+line+"\n") {
		return nil
	}
	name, _, _ := strings.Cut(line, "{")
	return fmt.Errorf("no line %s among\n%s", line, strings.Join(lines(text, name), "\n"))
}

const (
	routeUp   = `kubevitals_state_kind_up{group="gateway.networking.k8s.io",kind="HTTPRoute",version="v1"} 1`
	routeDown = `kubevitals_state_kind_up{group="gateway.networking.k8s.io",kind="HTTPRoute",version="v1"} 0`
)

func routeError(reason string) string {
	return fmt.Sprintf(`kubevitals_state_kind_error_info{group="gateway.networking.k8s.io",kind="HTTPRoute",reason=%q,version="v1"} 1`, reason)
}

// TestUnreachableAtStart starts before there is an API server.
func TestUnreachableAtStart(t *testing.T) {
	c := ownControlPlane(t, "standard")
	apply(t, c, routes("shop", 1))
	for _, mode := range []string{"watch", "scrape"} {
		if err := c.KillAPIServer(); err != nil {
			t.Fatal(err)
		}
		p := start(t, "state", "--collect="+mode, "--kubeconfig", c.Kubeconfig())
		program.Poll(t, "a scrape that says so", func() error {
			text := scrape(t, p)
			return errors.Join(has(text, "gateway_metrics_up 0"), has(text, "kubevitals_state_source_up 0"))
		})
		if code, body := p.Get(t, "/readyz", nil); code != http.StatusServiceUnavailable {
			t.Errorf("%s: ready without an API server: %d %s", mode, code, body)
		}
		if code, _ := p.Get(t, "/livez", nil); code != http.StatusOK {
			t.Errorf("%s: not live: %d", mode, code)
		}
		if err := c.StartAPIServer(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.WaitReady(t)
		program.Poll(t, "the route", func() error {
			text := scrape(t, p)
			if len(lines(text, "gatewayapi_httproute_created{")) != 1 {
				return errors.New("no route")
			}
			return has(text, "gateway_metrics_up 1")
		})
	}
}

// TestRestartedAPIServer kills the API server while its objects are served.
func TestRestartedAPIServer(t *testing.T) {
	c := ownControlPlane(t, "standard")
	apply(t, c, routes("shop", 3))
	watch := start(t, "state", "--kubeconfig", c.Kubeconfig())
	scraped := start(t, "state", "--collect=scrape", "--kubeconfig", c.Kubeconfig())
	watch.WaitReady(t)
	count := func(p *program.Process, want int) error {
		if got := len(lines(scrape(t, p), "gatewayapi_httproute_created{")); got != want {
			return fmt.Errorf("%d routes, want %d", got, want)
		}
		return nil
	}
	if err := errors.Join(count(watch, 3), count(scraped, 3)); err != nil {
		t.Fatal(err)
	}
	if err := c.KillAPIServer(); err != nil {
		t.Fatal(err)
	}
	program.Poll(t, "up to be 0", func() error {
		text := scrape(t, watch)
		return errors.Join(has(text, "gateway_metrics_up 0"), has(text, routeError("unreachable")),
			has(scrape(t, scraped), "gateway_metrics_up 0"))
	})
	// Watched objects stay, with their age told; a scrape serves what it got: nothing.
	if err := errors.Join(count(watch, 3), count(scraped, 0)); err != nil {
		t.Error(err)
	}
	if err := c.StartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	// A server that has just started does not name all kinds yet: none may get lost.
	if err := count(watch, 3); err != nil {
		t.Error(err)
	}
	apply(t, c, routes("late", 1))
	for _, p := range []*program.Process{watch, scraped} {
		program.Poll(t, "recovery", func() error { return errors.Join(has(scrape(t, p), "gateway_metrics_up 1"), count(p, 4)) })
	}
}

// TestForbiddenKind may read all kinds but one.
func TestForbiddenKind(t *testing.T) {
	const name = "forbidden"
	manifest := `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: forbidden}
rules:
- {apiGroups: [gateway.networking.k8s.io], resources: [gateways, gatewayclasses, grpcroutes, tlsroutes, tcproutes, udproutes,
   backendtlspolicies, referencegrants, listenersets], verbs: [list, watch]}
- {apiGroups: [gateway.networking.x-k8s.io, kuadrant.io, extensions.kuadrant.io], resources: ["*"], verbs: [list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: forbidden}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: forbidden}
subjects: [{kind: ServiceAccount, namespace: forbidden, name: forbidden}]
`
	if err := control.Apply(t.Context(), []byte(manifest)); err != nil {
		t.Fatal(err)
	}
	if err := control.Apply(t.Context(), demoObjects(t)); err != nil {
		t.Fatal(err)
	}
	kubeconfig := serviceAccount(t, name, name)
	for _, mode := range []string{"watch", "scrape"} {
		p := start(t, "state", "--collect="+mode, "--kubeconfig", kubeconfig)
		p.WaitReady(t)
		program.Poll(t, mode+": the state of the kinds", func() error {
			text := scrape(t, p)
			err := errors.Join(has(text, routeDown), has(text, routeError("forbidden")), has(text, "gateway_metrics_up 0"))
			if len(lines(text, "gatewayapi_gateway_info{")) < 4 {
				err = errors.Join(err, errors.New("the gateways are missing"))
			}
			if n := len(lines(text, "gatewayapi_httproute_created{")); n > 0 {
				err = errors.Join(err, fmt.Errorf("%d routes are served", n))
			}
			return err
		})
	}
}

// serviceAccount returns a kubeconfig for an account.
func serviceAccount(t *testing.T, namespace, name string) (kubeconfig string) {
	t.Helper()
	token, err := control.ServiceAccountToken(t.Context(), namespace, name)
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig, err = control.KubeconfigFor(token)
	if err != nil {
		t.Fatal(err)
	}
	return kubeconfig
}

// TestGone lets a watch be too old: the kind is listed anew and stays up.
func TestGone(t *testing.T) {
	proxy := newFaultProxy(t, control)
	apply(t, control, routes("gone", 1))
	proxy.set(fault{"httproutes", true, 3, status(http.StatusGone, "Expired")})
	p := start(t, "state", "--kubeconfig", proxy.kubeconfig)
	p.WaitReady(t)
	apply(t, control, []*unstructured.Unstructured{route("gone", "second")})
	program.Poll(t, "both routes", func() error {
		text := scrape(t, p)
		if n := len(lines(text, "gatewayapi_httproute_created{", `namespace="gone"`)); n != 2 {
			return fmt.Errorf("%d routes", n)
		}
		return has(text, routeUp)
	})
}

// TestScrapeModeFaults lets one kind fail in each way: all others are served, in
// time, and the kind says why.
func TestScrapeModeFaults(t *testing.T) {
	proxy := newFaultProxy(t, control)
	if err := control.Apply(t.Context(), demoObjects(t)); err != nil {
		t.Fatal(err)
	}
	p := start(t, "state", "--collect=scrape", "--kubeconfig", proxy.kubeconfig)
	p.WaitReady(t)
	for _, c := range []struct {
		reason string
		answer http.HandlerFunc
	}{
		{"error", status(http.StatusInternalServerError, "InternalError")},
		{"forbidden", status(http.StatusForbidden, "Forbidden")},
		{"timeout", hang},
	} {
		proxy.set(fault{resource: "httproutes", answer: c.answer})
		code, body := p.Get(t, "/metrics", http.Header{"X-Prometheus-Scrape-Timeout-Seconds": {"3"}})
		text := string(body)
		if code != http.StatusOK {
			t.Errorf("%s: status %d", c.reason, code)
		}
		if err := errors.Join(has(text, routeDown), has(text, routeError(c.reason)), has(text, "gateway_metrics_up 0"),
			has(text, `kubevitals_collector_up{collector="state"} 1`)); err != nil {
			t.Errorf("%s: %v", c.reason, err)
		}
		if len(lines(text, "gatewayapi_gateway_info{")) < 4 || len(lines(text, "gatewayapi_httproute_created{")) > 0 {
			t.Errorf("%s: gateways are missing or routes are served", c.reason)
		}
		proxy.set()
		if err := has(scrape(t, p), "gateway_metrics_up 1"); err != nil {
			t.Errorf("after %s: %v", c.reason, err)
		}
	}
}
