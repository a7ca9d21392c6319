package cli_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestLargeObjects has more listeners and parents than the API allows, and all
// of them come out.
func TestLargeObjects(t *testing.T) {
	var gateway, route strings.Builder
	gateway.WriteString("apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: big, namespace: n}\nspec:\n  listeners:\n")
	for i := range 100 {
		fmt.Fprintf(&gateway, "  - {name: l%d, port: %d, protocol: HTTP}\n", i, 1000+i)
	}
	gateway.WriteString("status:\n  listeners:\n")
	for i := range 100 {
		fmt.Fprintf(&gateway, "  - {name: l%d, attachedRoutes: %d, conditions: [{type: Accepted, status: \"True\"}, {type: Programmed, status: \"False\"}]}\n", i, i)
	}
	route.WriteString("---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: wide, namespace: n}\nstatus:\n  parents:\n")
	for i := range 32 {
		fmt.Fprintf(&route, "  - {controllerName: c, parentRef: {name: p%d}, conditions: [", i)
		for j := range 8 {
			fmt.Fprintf(&route, "{type: t%d, status: \"True\"}, ", j)
		}
		route.WriteString("]}\n")
	}
	out := run(t, []byte(gateway.String()+route.String()), "eval", "-").ok(t)
	f := func(family string, want int) {
		t.Helper()
		if got := strings.Count(out, "\n"+family+"{"); got != want {
			t.Errorf("%d series of %s, want %d", got, family, want)
		}
	}
	f("gatewayapi_gateway_listener_info", 100)
	f("gatewayapi_gateway_status_listener_attached_routes", 100)
	f("gatewayapi_gateway_status_listeners_conditions", 200)
	f("gatewayapi_httproute_status_parent_info", 32)
	f("gatewayapi_httproute_status_parents_conditions", 256)
}

// TestInvalidUTF8 replaces what is not text, so that the exposition stays valid.
func TestInvalidUTF8(t *testing.T) {
	objects := `{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "a"}, "spec": {"gatewayClassName": "x` + "\xff" + `y"}}`
	out := run(t, []byte(objects), "eval", "-").ok(t)
	if !strings.Contains(out, "gatewayclass_name=\"x\uFFFDy\"") {
		t.Errorf("output:\n%s", out)
	}
}
