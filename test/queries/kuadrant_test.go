package queries

import "strings"

// kuadrantQueries are those of kuadrant-operator's dashboards, and its alert on
// DNS records. Where a dashboard joins with the traffic that Istio has measured,
// made-up traffic takes its place.
var kuadrantQueries = []query{
	{"Platform Engineer/Gateways", `gatewayapi_gateway_info{${ns}=~"${gateway_namespace}"}`, "gatewayclass_name ${ns} name", rows(
		"istio/gateway-system/shop-public",
		"istio/gateway-system/shop-partners",
		"envoy-internal/gateway-system/shop-internal",
		"edge-preview/staging/shop-preview",
	)},
	{"Platform Engineer/Gateways, Programmed", `gatewayapi_gateway_status{${ns}=~"${gateway_namespace}",type="Programmed"}`, "${ns} name", vector{
		"gateway-system/shop-public":   1,
		"gateway-system/shop-partners": 0,
		"gateway-system/shop-internal": 1,
		"staging/shop-preview":         0,
	}},
	{"Platform Engineer/Gateways, Accepted", `gatewayapi_gateway_status{${ns}=~"${gateway_namespace}",type="Accepted"}`, "${ns} name", vector{
		"gateway-system/shop-public":   1,
		"gateway-system/shop-partners": 1,
		"gateway-system/shop-internal": 1,
		"staging/shop-preview":         0,
	}},
	{"Platform Engineer/Total", `count(gatewayapi_gateway_info{${ns}=~"${gateway_namespace}"})`, "", count(4)},
	{"Platform Engineer/Healthy", `count(gatewayapi_gateway_status{${ns}=~"${gateway_namespace}",type="Accepted"} > 0 ` +
		`and ignoring(type) gatewayapi_gateway_status{${ns}=~"${gateway_namespace}",type="Programmed"} > 0)`, "", count(2)},
	{"Platform Engineer/not Programmed", `gatewayapi_gateway_info * on(name, ${ns}, instance) group_left ` +
		`gatewayapi_gateway_status{type="Programmed"} < 1`, "gatewayclass_name ${ns} name", each(0,
		"istio/gateway-system/shop-partners",
		"edge-preview/staging/shop-preview",
	)},
	{"Platform Engineer/Unhealthy", `count((gatewayapi_gateway_info{${ns}=~"${gateway_namespace}"} * on(name, ${ns}, instance) ` +
		`group_left gatewayapi_gateway_status{${ns}=~"${gateway_namespace}",type="Programmed"} < 1) or ignoring(type) ` +
		`(gatewayapi_gateway_info{${ns}=~"${gateway_namespace}"} * on(name, ${ns}, instance) ` +
		`group_left gatewayapi_gateway_status{${ns}=~"${gateway_namespace}",type="Accepted"} < 1))`, "", count(2)},
	{"Platform Engineer/Gateway TLSPolicies", `gatewayapi_tlspolicy_target_info{${ns}=~"${gateway_namespace}",target_kind="Gateway"}`,
		"customresource_kind ${ns} name target_name", rows(
			"TLSPolicy/gateway-system/shop-public/shop-public",
			"TLSPolicy/gateway-system/shop-partners/shop-partners",
		)},
	{"Platform Engineer/Gateway DNSPolicies", `gatewayapi_dnspolicy_target_info{${ns}=~"${gateway_namespace}",target_kind="Gateway"}`,
		"customresource_kind ${ns} name target_name", rows(
			"DNSPolicy/gateway-system/shop-public/shop-public",
			"DNSPolicy/gateway-system/shop-internal/shop-internal",
		)},
	{"Platform Engineer/Gateway RateLimitPolicies", `gatewayapi_ratelimitpolicy_target_info{${ns}=~"${gateway_namespace}",target_kind="Gateway"}`, "name", rows()},
	{"Platform Engineer/Gateway AuthPolicies", `gatewayapi_authpolicy_target_info{${ns}=~"${gateway_namespace}",target_kind="Gateway"}`, "name", rows()},
	{"Platform Engineer/HTTPRoute TLSPolicies", `gatewayapi_tlspolicy_target_info{${ns}=~"${api_namespace}",target_kind!="Gateway",target_name=~"${route_name}"}`, "name", rows()},
	{"Platform Engineer/HTTPRoute DNSPolicies", `gatewayapi_dnspolicy_target_info{${ns}=~"${api_namespace}",target_kind!="Gateway",target_name=~"${route_name}"}`, "name", rows()},
	{"Platform Engineer/HTTPRoute RateLimitPolicies",
		`gatewayapi_ratelimitpolicy_target_info{${ns}=~"${api_namespace}",target_kind!="Gateway",target_name=~"${route_name}"}`,
		"customresource_kind ${ns} name target_kind target_name", rows(
			"RateLimitPolicy/shop/storefront/HTTPRoute/storefront",
			"RateLimitPolicy/shop/catalog/HTTPRoute/catalog",
		)},
	{"Platform Engineer/HTTPRoute AuthPolicies",
		`gatewayapi_authpolicy_target_info{${ns}=~"${api_namespace}",target_kind!="Gateway",target_name=~"${route_name}"}`,
		"customresource_kind ${ns} name target_kind target_name", rows(
			"AuthPolicy/shop/storefront/HTTPRoute/storefront",
			"AuthPolicy/payments/checkout/HTTPRoute/checkout",
		)},
	{"Platform Engineer/APIs, hostnames", `gatewayapi_httproute_hostname_info{name=~"${route_name}",${ns}=~"${api_namespace}"}`, "${ns} name hostname", rows(
		"shop/storefront/www.shop.example.com",
		"shop/catalog/catalog.shop.example.com",
		"payments/checkout/pay.shop.example.com",
		"partners/partner-api/api.shop.example.com",
		"staging/summer-sale/summer.shop.example.com",
	)},
	{"Platform Engineer/APIs, labels", `gatewayapi_httproute_labels{name=~"${route_name}",${ns}=~"${api_namespace}"}`, "${ns} name deployment service", rows(
		"shop/storefront/storefront/storefront",
		"shop/catalog/catalog/catalog",
		"payments/checkout/checkout/checkout",
		"partners/partner-api/partner-api/partner-api",
		"staging/summer-sale/summer-sale/summer-sale",
	)},
	{"Platform Engineer/services of HTTPRoutes", serviceRoutes, "${ns} name destination_service_name", rows(
		"shop/storefront/storefront",
		"shop/catalog/catalog",
		"payments/checkout/checkout",
		"partners/partner-api/partner-api",
		"staging/summer-sale/summer-sale",
	)},
	{"Platform Engineer/workloads of HTTPRoutes", `group by(workload) (label_replace(gatewayapi_httproute_labels{${ns}=~"${api_namespace}",name=~"${route_name}"}, ` +
		`"workload", "$1", "deployment", "(.+)"))`, "workload", rows(
		"storefront", "catalog", "checkout", "partner-api", "summer-sale",
	)},
	{"Platform Engineer/Total requests", `label_replace(vector(2), "destination_service_name", "checkout", "", "") ` +
		`* on(destination_service_name) group_right() (` + serviceRoutes + `)`, "${ns} name destination_service_name", vector{
		"payments/checkout/checkout": 2,
	}},
	{"Platform Engineer/Errors", `label_replace(label_replace(vector(2), "destination_service_name", "checkout", "", ""), "response_code", "503", "", "") ` +
		`* on(destination_service_name) group_left(name) (` + serviceRoutes + `)`, "name destination_service_name response_code", vector{
		"checkout/checkout/503": 2,
	}},
	{"App Developer/by deployment", `group without(instance, app_kubernetes_io_instance) (label_replace(gatewayapi_httproute_labels{deployment=~"catalog"}, ` +
		`"destination_service_name", "$1","service", "(.+)"))`, "${ns} name destination_service_name", rows("shop/catalog/catalog")},
	{"App Developer/by service", `group without(instance, app_kubernetes_io_instance) (label_replace(gatewayapi_httproute_labels{service=~"catalog"}, ` +
		`"destination_service_name", "$1","service", "(.+)"))`, "${ns} name destination_service_name", rows("shop/catalog/catalog")},
	{"App Developer/Gateways of an API", `gatewayapi_httproute_parent_info{name=~"storefront"}`, parentColumns, rows(
		"shop/storefront/Gateway/gateway-system/shop-public/https",
	)},
	{"DNS Operator/healthy probes", `count(kuadrant_dnshealthcheckprobe_healthy_status == 1)`, "", count(1)},
	{"DNS Operator/unhealthy probes", `count(kuadrant_dnshealthcheckprobe_healthy_status == 0)`, "", count(1)},
	{"DNS Operator/unhealthy probes or none", `count(kuadrant_dnshealthcheckprobe_healthy_status != 1) or vector(0)`, "", count(1)},
	{"DNS Operator/probes", `count(kuadrant_dnshealthcheckprobe_healthy_status)`, "", count(2)},
	// It takes a record to have one condition, as the suspicious one does.
	{"PossibleOrphanedDNSRecords", `sum by(rootDomain) (count by(rootDomain) (kuadrant_dnsrecord_status_root_domain_owners) / ` +
		`count by(rootDomain) (kuadrant_dnsrecord_status) - count by(rootDomain) (kuadrant_dnsrecord_status)) > 0`, "rootDomain", rows(
		"*.shop.example.com",
	)},
}

// serviceRoutes is what Kuadrant's dashboards join traffic with.
const serviceRoutes = `group without(cluster_id, instance, app_kubernetes_io_instance) (label_replace(` +
	`gatewayapi_httproute_labels{name=~"${route_name}",${ns}=~"${api_namespace}"}, "destination_service_name", "$1","service", "(.+)"))`

// missingPolicyAlert is an alert of kuadrant-operator on objects without a policy.
type missingPolicyAlert struct {
	name, object, policy, kind string
	want, all                  vector // the objects without a policy, and all
}

var missingPolicyAlerts = []missingPolicyAlert{
	{"GatewayWithoutDnsPolicy", "gatewayapi_gateway_info", "gatewayapi_dnspolicy_target_info", "Gateway",
		rows("gateway-system/shop-partners", "staging/shop-preview"), allGateways},
	{"GatewayWithoutTlsPolicy", "gatewayapi_gateway_info", "gatewayapi_tlspolicy_target_info", "Gateway",
		rows("gateway-system/shop-internal", "staging/shop-preview"), allGateways},
	{"HTTPRouteWithoutAuthPolicy", "gatewayapi_httproute_created", "gatewayapi_authpolicy_target_info", "HTTPRoute",
		rows("shop/catalog", "partners/partner-api", "staging/summer-sale"), allHTTPRoutes},
	{"HTTPRouteWithoutRateLimitPolicy", "gatewayapi_httproute_created", "gatewayapi_ratelimitpolicy_target_info", "HTTPRoute",
		rows("payments/checkout", "partners/partner-api", "staging/summer-sale"), allHTTPRoutes},
}

var (
	allGateways   = rows("gateway-system/shop-public", "gateway-system/shop-partners", "gateway-system/shop-internal", "staging/shop-preview")
	allHTTPRoutes = rows("shop/storefront", "shop/catalog", "payments/checkout", "partners/partner-api", "staging/summer-sale")
)

// queries returns the alert as it is in use, and in a form that joins by
// namespace too and does not fail when an object has several policies.
func (a missingPolicyAlert) queries() []query {
	const (
		inUse = `label_replace(<object>, "object", "$1", "name", "(.*)") unless (label_replace(<object>, "object", "$1", "name", "(.*)") ` +
			`* on(object) group_left label_replace(<policy>, "object", "$1", "target_name", "(.*)"))`
		fixed = `<object> unless on(${ns}, name) ` +
			`label_replace(group by(${ns}, target_name) (<policy>), "name", "$1", "target_name", "(.+)")`
		names = "${ns} name"
	)
	policy := a.policy + `{target_kind="` + a.kind + `"}`
	second := `(` + policy + ` or label_replace(` + policy + `, "name", "second", "", ""))`
	elsewhere := `label_replace(` + policy + `, "${ns}", "elsewhere", "", "")`
	with := func(text, policy string) string {
		// The values differ by kind and do not matter: 1 for each row.
		return "group by(" + strings.ReplaceAll(names, " ", ", ") + ") (" +
			strings.NewReplacer("<object>", a.object, "<policy>", policy).Replace(text) + ")"
	}
	return []query{
		{a.name, with(inUse, policy), names, a.want},
		{a.name + ", fixed", with(fixed, policy), names, a.want},
		{a.name + ", fixed, two policies each", with(fixed, second), names, a.want},
		{a.name + ", fixed, policies of another namespace", with(fixed, elsewhere), names, a.all},
	}
}
