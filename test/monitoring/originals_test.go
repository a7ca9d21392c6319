package monitoring

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// original is a panel of gateway-api-state-metrics: our panel of the same content, and
// its query, with all values for a variable. A query in a table is compared by how many
// rows it has and the values of these, any other by its number.
type original struct{ uid, panel, query string }

// originals are all panels of the eight dashboards.
func originals() []original {
	const class, gateway, policy = "gatewayapigatewayclass", "gatewayapigateways", "gatewayapipolicies"
	all := []original{
		{class, "Total", `count(gatewayapi_gatewayclass_info)`},
		{class, "Accepted", `count(gatewayapi_gatewayclass_status{type="Accepted"} > 0)`},
		{class, "GatewayClasses", `gatewayapi_gatewayclass_created * 1000`},
		{class, "Gateways (by GatewayClass)", `gatewayapi_gateway_info`},
		{class, "Supported Features", `gatewayapi_gatewayclass_status_supported_features{name=~".+"}`},
		{gateway, "Total", `count(gatewayapi_gateway_info{name=~".+"})`},
		{gateway, "Unhealthy", `count((gatewayapi_gateway_status{name=~".+",type="Accepted"} == 0) or (gatewayapi_gateway_status{name=~".+",type="Programmed"} == 0)) or vector(0)`},
		{gateway, "Gateways", `gatewayapi_gateway_created{name=~".+"} * 1000 * on(name, namespace, instance) group_right gatewayapi_gateway_info{name=~".+"}`},
		{gateway, "Gateway Listeners", `gatewayapi_gateway_listener_info{name=~".+"}`},
		{gateway, "Accepted", `count(gatewayapi_gateway_status{name=~".+",type="Accepted"} > 0)`},
		{gateway, "Programmed", `count(gatewayapi_gateway_status{name=~".+",type="Programmed"} > 0)`},
		{gateway, "Listeners", `count(gatewayapi_gateway_listener_info{name=~".+"})`},
		{gateway, "Att. Routes", `sum(gatewayapi_gateway_status_listener_attached_routes{name=~".+"})`},
		{gateway, "Status Addresses", `gatewayapi_gateway_status_address_info{name=~".+"}`},
		{gateway, "Attached Routes", `gatewayapi_gateway_status_listener_attached_routes{name=~".+"}`},
	}
	for _, k := range routeKinds {
		uid := "gatewayapi" + k.metric + "s"
		all = append(all,
			// Ours shows whether each is attached, theirs 1: the rows are the same.
			original{gateway, k.kind + "s (by Gateway)", `0 * gatewayapi_` + k.metric + `_parent_info{parent_kind="Gateway",parent_name=~".+"}`},
			original{uid, "Total", `count(gatewayapi_` + k.metric + `_created{name=~".+"})`},
			original{uid, "Tar. Parents", `count(gatewayapi_` + k.metric + `_parent_info{name=~".+"})`},
			original{uid, "Att. Parents", `count(gatewayapi_` + k.metric + `_status_parent_info{name=~".+"})`},
			original{uid, k.kind + "s", `gatewayapi_` + k.metric + `_created{name=~".+"} * 1000`},
			original{uid, "Targeted Parents", `gatewayapi_` + k.metric + `_parent_info{name=~".+"}`},
			original{uid, "Attached Parents", `gatewayapi_` + k.metric + `_status_parent_info{name=~".+"}`})
	}
	for _, k := range policyKinds {
		all = append(all,
			original{policy, k.plural + ": Total", `count(gatewayapi_` + k.metric + `_status{name=~".+"})`},
			original{policy, k.plural + ": " + k.old, `count(gatewayapi_` + k.metric + `_status{type="` + k.old + `",name=~".+"})`},
			original{policy, "Targets of " + k.plural, `gatewayapi_` + k.metric + `_target_info{name=~".+"}`})
	}
	return append(all, original{policy, "Targets of BackendTLSPolicies", `gatewayapi_backendtlspolicy_target_info{name=~".+"}`})
}

// checkOriginals compares our panels with the queries of gateway-api-state-metrics.
func (l *lab) checkOriginals(t *testing.T, all []board) {
	panels := map[string]panel{}
	of := map[string]board{}
	for _, b := range all {
		for _, p := range b.all() {
			panels[b.UID+"/"+p.Title] = p
		}
		of[b.UID] = b
	}
	for _, o := range originals() {
		p, ok := panels[o.uid+"/"+o.panel]
		if !ok {
			t.Errorf("%s has no panel %q", o.uid, o.panel)
			continue
		}
		got, _, err := l.show(t, of[o.uid], p, nil)
		if err != nil {
			t.Errorf("%s %q: %v", o.uid, o.panel, err)
			continue
		}
		samples, err := l.prom.Query(t.Context(), o.query, l.at)
		if err != nil {
			t.Errorf("%s: %v", o.query, err)
			continue
		}
		var want []float64
		for _, s := range samples {
			want = append(want, s.Value)
		}
		mine := slices.Sorted(maps.Values(got))
		if strings.HasPrefix(o.query, "0 * ") {
			for i := range mine {
				mine[i] = 0
			}
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, mine); diff != "" {
			t.Errorf("%s %q (-theirs +ours):\n%s", o.uid, o.panel, diff)
		}
	}
}
