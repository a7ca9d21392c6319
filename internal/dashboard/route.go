package dashboard

// routeKind is a kind of route.
type routeKind struct {
	name, metric, uid string
	hostnames         bool
}

var routeKinds = []routeKind{
	{"HTTPRoute", "httproute", "gatewayapihttproutes", true},
	{"GRPCRoute", "grpcroute", "gatewayapigrpcroutes", true},
	{"TLSRoute", "tlsroute", "gatewayapitlsroutes", true},
	{"TCPRoute", "tcproute", "gatewayapitcproutes", false},
	{"UDPRoute", "udproute", "gatewayapiudproutes", false},
}

// routes is the dashboard of a kind of route. In its texts KIND is the kind as metrics
// have it, NAME as people do, and SEL selects the routes.
func routes(k routeKind) board {
	fill := []string{"SEL", `namespace=~"$namespace",name=~"$` + k.metric + `"`, "KIND", k.metric, "NAME", k.name}
	b := board{
		family: "gateway-api", file: k.metric + "s", uid: k.uid, tags: []string{"gateway-api"},
		title: "Gateway API State / " + k.name + "s", text: k.name + "s: whether parents have accepted them, and whether what they refer to exists.",
		variables: []variable{
			{"namespace", "Namespace", "label_values(gatewayapi_" + k.metric + "_created, namespace)"},
			{k.metric, k.name, `label_values(gatewayapi_` + k.metric + `_created{namespace=~"$namespace"}, name)`},
		},
	}
	f := routeConditions(k)
	b.rows = []row{
		{panels: routeOverview(f)},
		{title: "Problems", panels: routeProblems(f)},
		{title: "NAMEs", panels: routeTables(k)},
		{title: "History", panels: []panel{
			graph("Parents over time", "References to parents, and those of them that are attached.",
				`label_replace(count(gatewayapi_KIND_parent_attached{SEL}), "parents", "all", "", "") or label_replace(sum(gatewayapi_KIND_parent_attached{SEL}), "parents", "attached", "", "")`, "{{parents}}", unitNumber),
			f.since("Time since last transition", "For how long each condition has been as it is.").wide(12),
		}},
		{title: "Rules", collapsed: true, panels: routeRules(k)},
	}
	for i := range b.rows {
		if b.rows[i].title == "NAMEs" {
			b.rows[i].title = k.name + "s"
		}
		for j, p := range b.rows[i].panels {
			b.rows[i].panels[j] = p.with(fill...)
		}
	}
	return b
}

func routeColumn(k routeKind) column {
	return label("name", k.name).opens(k.name, k.uid, "namespace", "namespace", k.metric, "name")
}

// parentColumns name a parent, with a link where it is a Gateway.
var parentColumns = []column{
	label("parent_kind", "Parent kind"), label("parent_namespace", "Parent namespace"),
	label("parent_name", "Parent").opens("Gateway", gatewayUID, "gateway", "parent_name"),
	label("parent_section_name", "Section"), label("parent_port", "Port"),
}

func routeConditions(k routeKind) conditionFamily {
	return conditionFamily{
		metric: "gatewayapi_KIND_status_parents_conditions", generation: "gatewayapi_KIND_metadata_generation", selector: "SEL",
		identity: append([]column{namespaceColumn, routeColumn(k), label("controller_name", "Controller")}, parentColumns[:4]...),
		join:     "namespace, name",
	}
}

func routeOverview(f conditionFamily) []panel {
	return []panel{
		problem("Orphan routes", "NAMEs that no parent has accepted, those without a status included.",
			`sum(min by (namespace, name) (gatewayapi_KIND_parent_attached{SEL} == bool 0))`),
		problem("Parents not attached", "References to parents that did not accept the NAME. A NAME may have several.",
			`sum(gatewayapi_KIND_parent_attached{SEL} == bool 0)`),
		problem("Without a status", "NAMEs of which no controller has said anything.",
			`count(gatewayapi_KIND_created{SEL} unless on (namespace, name) gatewayapi_KIND_status_parent_info) or 0 * count(gatewayapi_KIND_created{SEL})`),
		problem("References not resolved", "NAMEs with references, such as those to backends, that do not exist or are not permitted.",
			`sum(max by (namespace, name) (gatewayapi_KIND_status_parents_conditions{SEL,type="ResolvedRefs"} == bool 0))`),
		problem("Partially invalid", "NAMEs of which a part is ignored.",
			`count(group by (namespace, name) (gatewayapi_KIND_status_parents_conditions{SEL,type="PartiallyInvalid"} == 1)) or 0 * count(gatewayapi_KIND_created{SEL})`),
		f.staleObjects("NAMEs with conditions that are about an older generation of theirs: the data plane may do what they said before."),
		total("Total", "NAMEs.", `count(gatewayapi_KIND_created{SEL})`),
		total("Tar. Parents", "Parents that the NAMEs want to be attached to.", `count(gatewayapi_KIND_parent_info{SEL})`),
		total("Att. Parents", "Parents and controllers that have reported a status, also where the NAME was not accepted.", `count(gatewayapi_KIND_status_parent_info{SEL})`),
		total("Attached", "References to parents that have accepted the NAME.", `sum(gatewayapi_KIND_parent_attached{SEL})`),
		warning("Deleting", "NAMEs that are to be gone and are still there.", `sum(gatewayapi_KIND_deleted{SEL} > bool 0)`),
	}
}

func routeProblems(f conditionFamily) []panel {
	id := []column{namespaceColumn, f.identity[1]}
	return []panel{
		table("Not attached", "References to parents that no controller has accepted the NAME for. What the NAME leaves out is filled in.",
			`gatewayapi_KIND_parent_attached{SEL} == 0`, append(id[:2:2], parentColumns...)...).wide(12),
		table("Routes without a status", "NAMEs of which no controller has said anything, and since when they exist.",
			`1000 * (gatewayapi_KIND_created{SEL} unless on (namespace, name) gatewayapi_KIND_status_parent_info)`, append(id[:2:2], createdColumn)...).wide(12),
		table("Conditions that are not met", "Conditions that are not as they should be, by parent and controller.",
			f.metric+`{SEL,type=~"Accepted|ResolvedRefs"} == 0 or `+f.metric+`{SEL,type=~"`+negativeTypes+`"} == 1`,
			append(f.identity[:len(f.identity):len(f.identity)], label("type", "Condition"), number("Status", unitPlain).colored(unmet))...).wide(12),
		f.reasons("Why", "Conditions that are not as they should be, and the reason that the controller gives.").wide(12),
		f.stale("Stale conditions", "Conditions that are about an older generation of the NAME: the controller has not seen the last change.").wide(12),
		table("References not resolved, by reason", "Which kind of reference does not resolve: BackendNotFound, RefNotPermitted, InvalidKind.",
			`count by (reason) (group by (namespace, name, reason) (`+f.metric+`_reason_info{SEL,type="ResolvedRefs",status!="True"}))`,
			label("reason", "Reason"), number("NAMEs", unitNumber)).wide(12).needs("reasons"),
	}
}

func routeTables(k routeKind) []panel {
	id := []column{namespaceColumn, routeColumn(k)}
	out := []panel{
		table("NAMEs", "All NAMEs, since when they exist.", `1000 * gatewayapi_KIND_created{SEL}`, append([]column{versionColumn}, append(id[:2:2], createdColumn)...)...).wide(12),
		table("Targeted Parents", "Parents that the NAMEs want to be attached to, as they are specified.", `gatewayapi_KIND_parent_info{SEL}`, append(id[:2:2], parentColumns...)...).wide(12),
		table("Attached Parents", "Parents for which a controller has reported a status.", `gatewayapi_KIND_status_parent_info{SEL}`,
			append(append(id[:2:2], label("controller_name", "Controller")), parentColumns...)...).wide(12),
	}
	if k.hostnames {
		out = append(out, table("Hostnames", "Hostnames that the NAMEs match. One without any takes those of its listeners.", `gatewayapi_KIND_hostname_info{SEL}`,
			append(id[:2:2], label("hostname", "Hostname"))...).wide(12))
	}
	return out
}

func routeRules(k routeKind) []panel {
	id := []column{namespaceColumn, routeColumn(k)}
	out := []panel{
		table("Backends", "Where the rules lead, with the weight of each backend.", `gatewayapi_KIND_backend_ref_weight{SEL}`,
			append(id[:2:2], label("rule_index", "Rule"), label("backend_kind", "Kind"), label("backend_namespace", "Backend namespace"), label("backend_name", "Backend"), label("backend_port", "Port"), number("Weight", unitNumber))...).needs("backends"),
	}
	if k.metric == "httproute" {
		out = append(out,
			table("Matches", "What the rules match. Headers and query parameters are not shown.", `gatewayapi_httproute_rule_match_info{SEL}`,
				append(id[:2:2], label("rule_index", "Rule"), label("match_index", "Match"), label("method", "Method"), label("path_type", "Type"), label("path", "Path"))...).wide(12).needs("matches"),
			table("Timeouts", "How long rules wait; 0 is as long as it takes.", `gatewayapi_httproute_rule_timeout_seconds{SEL}`,
				append(id[:2:2], label("rule_index", "Rule"), label("timeout", "Of"), number("Timeout", unitSeconds))...).wide(12).needs("matches"))
	}
	return out
}
