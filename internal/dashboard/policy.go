package dashboard

// policyKind is a kind of Kuadrant's policies.
type policyKind struct {
	name, metric string
	// good is the condition that says that the policy is in force, in releases before
	// Kuadrant 1.0, which had no Enforced.
	good string
}

var policyKinds = []policyKind{
	{"TLSPolicy", "tlspolicy", "Ready"},
	{"DNSPolicy", "dnspolicy", "Ready"},
	{"RateLimitPolicy", "ratelimitpolicy", "Available"},
	{"AuthPolicy", "authpolicy", "Available"},
}

// plural is what several of the kind are called.
func (k policyKind) plural() string { return k.name[:len(k.name)-1] + "ies" }

// allPolicies are the conditions of every kind of policy of Kuadrant.
const allPolicies = `__name__=~"gatewayapi_[a-z]+policy_status",namespace=~"$namespace"`

func policies() board {
	b := board{
		family: "kuadrant", file: "policies", uid: policyUID, tags: []string{"gateway-api"},
		title: "Gateway API State / Policies", text: "Policies of Kuadrant and BackendTLSPolicies: whether they are in force, what they apply to, and what has none.",
		variables: []variable{{"namespace", "Namespace", `label_values({__name__=~"gatewayapi_[a-z]+policy_created"}, namespace)`}},
	}
	for _, k := range append(policyKinds[:len(policyKinds):len(policyKinds)], policyKind{"BackendTLSPolicy", "backendtlspolicy", ""}) {
		b.variables = append(b.variables, variable{k.metric, k.name, "label_values(gatewayapi_" + k.metric + "_created, name)"})
	}
	b.rows = []row{
		{panels: policyOverview()},
		{title: "Problems", panels: policyProblems()},
		{title: "Targets", panels: policyTargets()},
		{title: "Without a policy", panels: []panel{
			without("Gateways without a TLSPolicy", "Gateway", "gatewayapi_gateway_info", "tlspolicy"),
			without("Gateways without a DNSPolicy", "Gateway", "gatewayapi_gateway_info", "dnspolicy"),
			without("HTTPRoutes without an AuthPolicy", "HTTPRoute", "gatewayapi_httproute_created", "authpolicy"),
			without("HTTPRoutes without a RateLimitPolicy", "HTTPRoute", "gatewayapi_httproute_created", "ratelimitpolicy"),
		}},
		{title: "DNS", panels: policyDNS()},
		{title: "History", panels: []panel{
			graph("Policies in force over time", "Policies of Kuadrant that are in force, by kind.",
				`count by (customresource_kind) (group by (customresource_kind, namespace, name) ({`+allPolicies+`,type=~"Enforced|Ready|Available"} == 1))`,
				"{{customresource_kind}}", unitNumber),
			since("tlspolicy|dnspolicy|ratelimitpolicy|authpolicy"),
		}},
		{title: "As gateway-api-state-metrics counts", collapsed: true, panels: policyCompat()},
	}
	return b
}

func policyOverview() []panel {
	var out []panel
	for _, k := range policyKinds {
		out = append(out, problem(k.plural()+" with problems", k.plural()+" with a condition that is not true, each counted once.",
			`sum(max by (namespace, name) (gatewayapi_`+k.metric+`_status{namespace=~"$namespace",name=~"$`+k.metric+`"} == bool 0))`))
	}
	out = append(out,
		problem("BackendTLSPolicies with problems", "BackendTLSPolicies that an ancestor has not accepted, or with references that do not resolve.",
			`sum(max by (namespace, name) (gatewayapi_backendtlspolicy_status_ancestors_conditions{namespace=~"$namespace",name=~"$backendtlspolicy",type=~"Accepted|ResolvedRefs"} == bool 0))`),
		problem("Addresses that do not answer", "Addresses behind DNS records of which the health check fails.",
			`sum(kuadrant_dnshealthcheckprobe_healthy_status{namespace=~"$namespace"} == bool 0)`))
	for _, k := range policyKinds {
		out = append(out, total(k.plural(), k.plural()+", each counted once.", `count(gatewayapi_`+k.metric+`_created{namespace=~"$namespace",name=~"$`+k.metric+`"})`))
	}
	return append(out,
		total("BackendTLSPolicies", "BackendTLSPolicies.", `count(gatewayapi_backendtlspolicy_created{namespace=~"$namespace",name=~"$backendtlspolicy"})`),
		warning("Stale status", "Policies of Kuadrant with conditions that are about an older generation of theirs.",
			`sum(max by (customresource_kind, namespace, name) (`+policyLag+` > bool 0))`).needs("generations"))
}

// policyLag compares the generations of one object, whatever its kind.
const policyLag = `{__name__=~"gatewayapi_[a-z]+policy_metadata_generation",namespace=~"$namespace"}` +
	` - on (customresource_kind, namespace, name, instance) group_right () ` +
	`{__name__=~"gatewayapi_[a-z]+policy_status_observed_generation",namespace=~"$namespace"}`

var kindColumn = label("customresource_kind", "Kind")

var policyColumn = label("name", "Policy")

func policyProblems() []panel {
	return []panel{
		table("Conditions that are not met", "Conditions of Kuadrant's policies that are not true, extensions included.",
			`{`+allPolicies+`} == 0`, kindColumn, namespaceColumn, policyColumn, label("type", "Condition"), truthColumn).wide(12),
		table("Why", "The reason that the controller gives.",
			`{__name__=~"gatewayapi_[a-z]+policy_status_reason_info",namespace=~"$namespace",status!="True"}`,
			kindColumn, namespaceColumn, policyColumn, label("type", "Condition"), label("status", "Status").colored(statuses), label("reason", "Reason")).wide(12).needs("reasons"),
		table("Conditions of BackendTLSPolicies that are not met", "By ancestor, which is usually a Gateway, and controller.",
			`gatewayapi_backendtlspolicy_status_ancestors_conditions{namespace=~"$namespace",name=~"$backendtlspolicy",type=~"Accepted|ResolvedRefs"} == 0`,
			namespaceColumn, policyColumn, label("controller_name", "Controller"), label("ancestor_kind", "Ancestor kind"), label("ancestor_name", "Ancestor"), label("type", "Condition"), truthColumn).wide(12),
		table("Stale conditions", "Conditions that are about an older generation of the policy.", policyLag+` > 0`,
			kindColumn, namespaceColumn, policyColumn, label("type", "Condition"), number("Generations behind", unitNumber).aged(1, 2)).wide(12).needs("generations"),
	}
}

func policyTargets() []panel {
	var out []panel
	for _, k := range append(policyKinds[:len(policyKinds):len(policyKinds)], policyKind{name: "BackendTLSPolicy", metric: "backendtlspolicy"}) {
		out = append(out, table("Targets of "+k.plural(), "What each "+k.name+" applies to.",
			`gatewayapi_`+k.metric+`_target_info{namespace=~"$namespace",name=~"$`+k.metric+`"}`,
			namespaceColumn, label("name", k.name), label("target_kind", "Target kind"), label("target_name", "Target").opens("Gateway", gatewayUID, "gateway", "target_name"),
			label("target_section_name", "Section")).wide(12))
	}
	return out
}

// without is a table of objects that no policy of a kind targets.
func without(title, kind, object, policy string) panel {
	return table(title, kind+"s that no policy of this kind targets, in their own namespace. One that is protected by a policy of its Gateway is here as well.",
		object+`{namespace=~"$namespace"} unless on (namespace, name) label_replace(group by (namespace, target_name) (gatewayapi_`+policy+`_target_info{target_kind="`+kind+`"}), "name", "$1", "target_name", "(.+)")`,
		namespaceColumn, label("name", kind)).wide(12)
}

func policyDNS() []panel {
	return []panel{
		table("Conditions of DNSRecords that are not met", "DNSRecords that are not published, or with addresses that do not answer.",
			`kuadrant_dnsrecord_status{namespace=~"$namespace"} == 0`, namespaceColumn, label("name", "DNSRecord"), label("rootDomain", "Domain"), label("type", "Condition"), truthColumn).wide(12),
		table("Health checks", "Whether the addresses behind DNS records answer.", `kuadrant_dnshealthcheckprobe_healthy_status{namespace=~"$namespace"}`,
			namespaceColumn, label("name", "Probe"), number("Healthy", unitPlain).colored(values(value(0, "No", red), value(1, "Yes", green)))).wide(12),
		table("Owners of domains", "How many owners each domain has. One that no cluster of yours is called may be left over.",
			`count by (rootDomain) (group by (rootDomain, owner) (kuadrant_dnsrecord_status_root_domain_owners{namespace=~"$namespace"}))`,
			label("rootDomain", "Domain"), number("Owners", unitNumber)).wide(12),
		table("Failures in a row", "How often in a row an address has not answered as it should.", `kuadrant_dnshealthcheckprobe_consecutive_failures{namespace=~"$namespace"} > 0`,
			namespaceColumn, label("name", "Probe"), number("Failures", unitNumber).aged(1, 3)).wide(12).needs("dns"),
	}
}

// since is a table of how long conditions of policies have been as they are.
func since(kinds string) panel {
	return table("Time since last transition", "For how long each condition has been as it is.",
		`sort_desc(time() - ({__name__=~"gatewayapi_(`+kinds+`)_status_last_transition_timestamp_seconds",namespace=~"$namespace"} > 0))`,
		kindColumn, namespaceColumn, policyColumn, label("type", "Condition"), number("For", unitSeconds)).wide(12).needs("transitions")
}

// policyCompat are the counts of gateway-api-state-metrics, which are of conditions.
func policyCompat() []panel {
	var out []panel
	for _, k := range policyKinds {
		sel := `name=~"$` + k.metric + `"`
		out = append(out,
			total(k.plural()+": Total", "Conditions of "+k.plural()+", not policies: one with two conditions counts twice.", `count(gatewayapi_`+k.metric+`_status{`+sel+`})`).wide(6),
			total(k.plural()+": "+k.good, "Conditions "+k.good+" of "+k.plural()+", true or not. Kuadrant 1.0 and later have Accepted and Enforced in their place.",
				`count(gatewayapi_`+k.metric+`_status{type="`+k.good+`",`+sel+`})`).wide(6))
	}
	return out
}
