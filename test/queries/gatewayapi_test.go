package queries

import "strings"

// gatewayClassQueries are those of the dashboard GatewayClasses.
var gatewayClassQueries = []query{
	{"GatewayClasses/Total", `count(gatewayapi_gatewayclass_info)`, "", count(3)},
	{"GatewayClasses/Accepted", `count(gatewayapi_gatewayclass_status{type="Accepted"} > 0)`, "", count(2)},
	{"GatewayClasses/GatewayClasses", `gatewayapi_gatewayclass_created`, "customresource_version name", vector{
		"v1/istio":          unix("2026-01-12T08:00:00Z"),
		"v1/envoy-internal": unix("2026-01-12T08:05:00Z"),
		"v1/edge-preview":   unix("2026-05-04T13:30:00Z"),
	}},
	{"GatewayClasses/Gateways", `gatewayapi_gateway_info`, "gatewayclass_name ${ns} name", rows(
		"istio/gateway-system/shop-public",
		"istio/gateway-system/shop-partners",
		"envoy-internal/gateway-system/shop-internal",
		"edge-preview/staging/shop-preview",
	)},
	{"GatewayClasses/Supported Features of istio",
		`gatewayapi_gatewayclass_status_supported_features{name="istio"}`, "features", rows(
			"BackendTLSPolicy", "GRPCRoute", "Gateway", "HTTPRoute", "HTTPRouteRequestTimeout", "ListenerSet", "ReferenceGrant",
		)},
	{"GatewayClasses/Supported Features of envoy-internal",
		`gatewayapi_gatewayclass_status_supported_features{name="envoy-internal"}`, "features", rows(
			"Gateway", "TCPRoute", "TLSRoute", "UDPRoute",
		)},
	{"GatewayClasses/Supported Features of edge-preview",
		`gatewayapi_gatewayclass_status_supported_features{name="edge-preview"}`, "features", rows()},
	{"GatewayClasses/names", `gatewayapi_gatewayclass_info{name=~"${gatewayclass}"}`, "name controller_name", rows(
		"istio/istio.io/gateway-controller",
		"envoy-internal/gateway.envoyproxy.io/gatewayclass-controller",
		"edge-preview/edge.example.com/gateway-controller",
	)},
}

// gatewayQueries are those of the dashboard Gateways.
var gatewayQueries = []query{
	{"Gateways/Total", `count(gatewayapi_gateway_info{name=~"${gateway}"})`, "", count(4)},
	// Two conditions of shop-preview and one of shop-partners.
	{"Gateways/Unhealthy", `count((gatewayapi_gateway_status{name=~"${gateway}",type="Accepted"} == 0) or ` +
		`(gatewayapi_gateway_status{name=~"${gateway}",type="Programmed"} == 0)) or vector(0)`, "", count(3)},
	{"Gateways/Unhealthy, of one that is healthy", `count((gatewayapi_gateway_status{name=~"shop-public",type="Accepted"} == 0) or ` +
		`(gatewayapi_gateway_status{name=~"shop-public",type="Programmed"} == 0)) or vector(0)`, "", count(0)},
	{"Gateways/Gateways", `gatewayapi_gateway_created{name=~"${gateway}"} * on(name, ${ns}, instance) group_right ` +
		`gatewayapi_gateway_info{name=~"${gateway}"}`, "customresource_version gatewayclass_name ${ns} name", vector{
		"v1/istio/gateway-system/shop-public":            unix("2026-02-02T09:09:30Z"),
		"v1/istio/gateway-system/shop-partners":          unix("2026-03-09T11:00:00Z"),
		"v1/envoy-internal/gateway-system/shop-internal": unix("2026-02-20T07:00:00Z"),
		"v1/edge-preview/staging/shop-preview":           unix("2026-05-04T13:45:00Z"),
	}},
	{"Gateways/Gateway Listeners", `gatewayapi_gateway_listener_info{name=~"${gateway}"}`,
		"${ns} name listener_name port protocol hostname tls_mode allowed_routes_namespaces_from", rows(
			"gateway-system/shop-public/http/80/HTTP/*.shop.example.com//Selector",
			"gateway-system/shop-public/https/443/HTTPS/*.shop.example.com/Terminate/Selector",
			"gateway-system/shop-public/api/443/HTTPS/api.shop.example.com/Terminate/Selector",
			"gateway-system/shop-partners/https/443/HTTPS/partners.shop.example.com/Terminate/Same",
			"gateway-system/shop-partners/edi/8443/HTTPS/edi.partners.shop.example.com/Terminate/Same",
			"gateway-system/shop-internal/tls/6432/TLS/*.db.internal.example.com/Passthrough/All",
			"gateway-system/shop-internal/postgres/5432/TCP///All",
			"gateway-system/shop-internal/statsd/8125/UDP///All",
			"staging/shop-preview/http/8080/HTTP///Same",
		)},
	{"Gateways/Accepted", `count(gatewayapi_gateway_status{name=~"${gateway}",type="Accepted"} > 0)`, "", count(3)},
	{"Gateways/Programmed", `count(gatewayapi_gateway_status{name=~"${gateway}",type="Programmed"} > 0)`, "", count(2)},
	{"Gateways/Listeners", `count(gatewayapi_gateway_listener_info{name=~"${gateway}"})`, "", count(9)},
	{"Gateways/Att. Routes", `sum(gatewayapi_gateway_status_listener_attached_routes{name=~"${gateway}"})`, "", count(7)},
	{"Gateways/Status Addresses", `gatewayapi_gateway_status_address_info{name=~"${gateway}"}`, "${ns} name type value", rows(
		"gateway-system/shop-public/IPAddress/203.0.113.10",
		"gateway-system/shop-public/IPAddress/203.0.113.11",
		"gateway-system/shop-partners/Hostname/partners.lb.example.net",
		"gateway-system/shop-internal/IPAddress/10.20.0.15",
	)},
	{"Gateways/Attached Routes", `gatewayapi_gateway_status_listener_attached_routes{name=~"${gateway}"}`, "${ns} name listener_name", vector{
		"gateway-system/shop-public/http":       1,
		"gateway-system/shop-public/https":      2,
		"gateway-system/shop-public/api":        1,
		"gateway-system/shop-partners/https":    0,
		"gateway-system/shop-partners/edi":      0,
		"gateway-system/shop-internal/tls":      1,
		"gateway-system/shop-internal/postgres": 1,
		"gateway-system/shop-internal/statsd":   1,
	}},
	{"Gateways/HTTPRoutes", `gatewayapi_httproute_parent_info{parent_kind="Gateway",parent_name=~"${gateway}"}`, parentColumns, rows(
		"shop/storefront/Gateway/gateway-system/shop-public/https",
		"shop/catalog/Gateway/gateway-system/shop-public/http",
		"shop/catalog/Gateway/gateway-system/shop-public/https",
		"partners/partner-api/Gateway/gateway-system/shop-public/api",
		"staging/summer-sale/Gateway//shop-preview/",
	)},
	{"Gateways/GRPCRoutes", `gatewayapi_grpcroute_parent_info{parent_kind="Gateway",parent_name=~"${gateway}"}`, parentColumns, rows(
		"shop/inventory/Gateway/gateway-system/shop-public/api",
	)},
	{"Gateways/TLSRoutes", `gatewayapi_tlsroute_parent_info{parent_kind="Gateway",parent_name=~"${gateway}"}`, parentColumns, rows(
		"data/orders-db/Gateway/gateway-system/shop-internal/tls",
	)},
	{"Gateways/TCPRoutes", `gatewayapi_tcproute_parent_info{parent_kind="Gateway",parent_name=~"${gateway}"}`, parentColumns, rows(
		"data/ledger-db/Gateway/gateway-system/shop-internal/postgres",
	)},
	{"Gateways/UDPRoutes", `gatewayapi_udproute_parent_info{parent_kind="Gateway",parent_name=~"${gateway}"}`, parentColumns, rows(
		"observability/statsd/Gateway/gateway-system/shop-internal/statsd",
	)},
	{"Gateways/HTTPRoutes of one Gateway", `count(gatewayapi_httproute_parent_info{parent_kind="Gateway",parent_name=~"shop-public"})`, "", count(4)},
}

// alertQueries are the alert rules, and the one that the RFC asks for.
var alertQueries = []query{
	{"UnhealthyGateway", `(gatewayapi_gateway_status{type="Accepted"} == 0) or (gatewayapi_gateway_status{type="Programmed"} == 0)`,
		"${ns} name type", each(0,
			"gateway-system/shop-partners/Programmed",
			"staging/shop-preview/Accepted",
			"staging/shop-preview/Programmed",
		)},
	{"InsecureHTTPListener", `gatewayapi_gateway_listener_info{protocol="HTTP"}`, "${ns} name listener_name", rows(
		"gateway-system/shop-public/http",
		"staging/shop-preview/http",
	)},
	// summer-sale has no status: no other family would show it.
	{"HTTPRoutes that are not attached", `gatewayapi_httproute_parent_attached == 0`,
		"${ns} name parent_group parent_kind parent_namespace parent_name parent_section_name", each(0,
			"partners/partner-api/gateway.networking.k8s.io/Gateway/gateway-system/shop-public/api",
			"staging/summer-sale/gateway.networking.k8s.io/Gateway/staging/shop-preview/",
		)},
	{"HTTPRoutes that no AuthPolicy affects", `gatewayapi_httproute_created unless on(${ns},name) ` +
		`(gatewayapi_httproute_status_parents_conditions{type="kuadrant.io/AuthPolicyAffected"} == 1)`,
		"${ns} name", vector{
			"shop/catalog":         unix("2026-02-10T10:00:00Z"),
			"partners/partner-api": unix("2026-03-10T08:00:00Z"),
			"staging/summer-sale":  unix("2026-05-05T09:00:00Z"),
		}},
}

// policyQueries are those of the dashboard Policies. Its totals count conditions,
// and it knows the condition types of older releases of Kuadrant.
var policyQueries = []query{
	{"Policies/TLSPolicies Total", `count(gatewayapi_tlspolicy_status{name=~"${tlspolicy}"})`, "", count(3)},
	{"Policies/DNSPolicies Total", `count(gatewayapi_dnspolicy_status{name=~"${dnspolicy}"})`, "", count(4)},
	{"Policies/RateLimitPolicies Total", `count(gatewayapi_ratelimitpolicy_status{name=~"${ratelimitpolicy}"})`, "", count(3)},
	{"Policies/AuthPolicies Total", `count(gatewayapi_authpolicy_status{name=~"${authpolicy}"})`, "", count(3)},
	{"Policies/TLSPolicies Ready", `count(gatewayapi_tlspolicy_status{type="Ready",name=~"${tlspolicy}"})`, "", count(1)},
	{"Policies/DNSPolicies Ready", `count(gatewayapi_dnspolicy_status{type="Ready",name=~"${dnspolicy}"})`, "", count(1)},
	{"Policies/RateLimitPolicies Available", `count(gatewayapi_ratelimitpolicy_status{type="Available",name=~"${ratelimitpolicy}"})`, "", count(1)},
	{"Policies/AuthPolicies Available", `count(gatewayapi_authpolicy_status{type="Available",name=~"${authpolicy}"})`, "", count(1)},
	{"Policies/TLSPolicies", `gatewayapi_tlspolicy_target_info{name=~"${tlspolicy}"}`, targetColumns, rows(
		"gateway-system/shop-public/gateway.networking.k8s.io/Gateway/shop-public",
		"gateway-system/shop-partners/gateway.networking.k8s.io/Gateway/shop-partners",
	)},
	{"Policies/DNSPolicies", `gatewayapi_dnspolicy_target_info{name=~"${dnspolicy}"}`, targetColumns, rows(
		"gateway-system/shop-public/gateway.networking.k8s.io/Gateway/shop-public",
		"gateway-system/shop-internal/gateway.networking.k8s.io/Gateway/shop-internal",
	)},
	{"Policies/RateLimitPolicies", `gatewayapi_ratelimitpolicy_target_info{name=~"${ratelimitpolicy}"}`, targetColumns, rows(
		"shop/storefront/gateway.networking.k8s.io/HTTPRoute/storefront",
		"shop/catalog/gateway.networking.k8s.io/HTTPRoute/catalog",
	)},
	{"Policies/AuthPolicies", `gatewayapi_authpolicy_target_info{name=~"${authpolicy}"}`, targetColumns, rows(
		"shop/storefront/gateway.networking.k8s.io/HTTPRoute/storefront",
		"payments/checkout/gateway.networking.k8s.io/HTTPRoute/checkout",
	)},
	{"Policies/BackendTLSPolicies", `gatewayapi_backendtlspolicy_target_info{name=~"${backendtlspolicy}"}`, targetColumns, rows(
		"shop/inventory//Service/inventory",
	)},
}

const (
	parentColumns       = "${ns} name parent_kind parent_namespace parent_name parent_section_name"
	statusParentColumns = "${ns} name controller_name parent_kind parent_namespace parent_name parent_section_name"
	targetColumns       = "${ns} name target_group target_kind target_name"
)

// route is a kind of route with the rows of its dashboard's tables. The panels
// above the tables count these rows.
type route struct {
	kind                             string
	total, parents, attached         float64
	created, parentInfo, statusInfos vector
}

var routes = []route{
	{
		kind: "httproute", total: 5, parents: 6, attached: 9,
		created: vector{
			"shop/storefront":      unix("2026-02-03T10:00:00Z"),
			"shop/catalog":         unix("2026-02-10T10:00:00Z"),
			"payments/checkout":    unix("2026-04-15T14:10:00Z"),
			"partners/partner-api": unix("2026-03-10T08:00:00Z"),
			"staging/summer-sale":  unix("2026-05-05T09:00:00Z"),
		},
		parentInfo: rows(
			"shop/storefront/Gateway/gateway-system/shop-public/https",
			"shop/catalog/Gateway/gateway-system/shop-public/http",
			"shop/catalog/Gateway/gateway-system/shop-public/https",
			"payments/checkout/ListenerSet//payments/pay",
			"partners/partner-api/Gateway/gateway-system/shop-public/api",
			"staging/summer-sale/Gateway//shop-preview/",
		),
		statusInfos: rows(
			"shop/storefront/kuadrant.io/policy-controller/Gateway/gateway-system/shop-public/https",
			"shop/storefront/istio.io/gateway-controller/Gateway/gateway-system/shop-public/https",
			"shop/catalog/kuadrant.io/policy-controller/Gateway/gateway-system/shop-public/http",
			"shop/catalog/kuadrant.io/policy-controller/Gateway/gateway-system/shop-public/https",
			"shop/catalog/istio.io/gateway-controller/Gateway/gateway-system/shop-public/http",
			"shop/catalog/istio.io/gateway-controller/Gateway/gateway-system/shop-public/https",
			"payments/checkout/kuadrant.io/policy-controller/ListenerSet//payments/pay",
			"payments/checkout/istio.io/gateway-controller/ListenerSet//payments/pay",
			"partners/partner-api/istio.io/gateway-controller/Gateway/gateway-system/shop-public/api",
		),
	},
	{
		kind: "grpcroute", total: 1, parents: 1, attached: 1,
		created:     vector{"shop/inventory": unix("2026-02-11T10:00:00Z")},
		parentInfo:  rows("shop/inventory/Gateway/gateway-system/shop-public/api"),
		statusInfos: rows("shop/inventory/istio.io/gateway-controller/Gateway/gateway-system/shop-public/api"),
	},
	{
		kind: "tlsroute", total: 1, parents: 1, attached: 1,
		created:     vector{"data/orders-db": unix("2026-02-20T07:30:00Z")},
		parentInfo:  rows("data/orders-db/Gateway/gateway-system/shop-internal/tls"),
		statusInfos: rows("data/orders-db/gateway.envoyproxy.io/gatewayclass-controller/Gateway/gateway-system/shop-internal/tls"),
	},
	{
		kind: "tcproute", total: 1, parents: 1, attached: 1,
		created:     vector{"data/ledger-db": unix("2026-02-20T07:40:00Z")},
		parentInfo:  rows("data/ledger-db/Gateway/gateway-system/shop-internal/postgres"),
		statusInfos: rows("data/ledger-db/gateway.envoyproxy.io/gatewayclass-controller/Gateway/gateway-system/shop-internal/postgres"),
	},
	{
		kind: "udproute", total: 1, parents: 1, attached: 1,
		created:     vector{"observability/statsd": unix("2026-02-20T07:50:00Z")},
		parentInfo:  rows("observability/statsd/Gateway/gateway-system/shop-internal/statsd"),
		statusInfos: rows("observability/statsd/gateway.envoyproxy.io/gatewayclass-controller/Gateway/gateway-system/shop-internal/statsd"),
	},
}

// queries returns those of the kind's dashboard.
func (r route) queries() []query {
	all := []query{
		{"<kind>s/Total", `count(gatewayapi_<kind>_created{name=~"${<kind>}"})`, "", count(r.total)},
		{"<kind>s/Tar. Parents", `count(gatewayapi_<kind>_parent_info{name=~"${<kind>}"})`, "", count(r.parents)},
		{"<kind>s/Att. Parents", `count(gatewayapi_<kind>_status_parent_info{name=~"${<kind>}"})`, "", count(r.attached)},
		{"<kind>s/Routes", `gatewayapi_<kind>_created{name=~"${<kind>}"}`, "${ns} name", r.created},
		{"<kind>s/Parents", `gatewayapi_<kind>_parent_info{name=~"${<kind>}"}`, parentColumns, r.parentInfo},
		{"<kind>s/Attached Parents", `gatewayapi_<kind>_status_parent_info{name=~"${<kind>}"}`, statusParentColumns, r.statusInfos},
	}
	kind := strings.NewReplacer("<kind>", r.kind)
	for i := range all {
		all[i].name, all[i].promQL = kind.Replace(all[i].name), kind.Replace(all[i].promQL)
	}
	return all
}
