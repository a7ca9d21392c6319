package dashboard

const (
	gatewaySelector    = `namespace=~"$namespace",name=~"$gateway"`
	listenerSetOf      = `namespace=~"$namespace"`
	listenerConditions = "gatewayapi_gateway_status_listeners_conditions"
)

func gateways() board {
	objects := conditionFamily{
		metric: "gatewayapi_gateway_status", generation: "gatewayapi_gateway_metadata_generation",
		selector: gatewaySelector, identity: []column{namespaceColumn, gatewayColumn}, join: "namespace, name",
	}
	listeners := objects
	listeners.metric = listenerConditions
	listeners.identity = []column{namespaceColumn, gatewayColumn, listenerColumn}
	sets := conditionFamily{
		metric: "gatewayapi_listenerset_status_listeners_conditions", selector: listenerSetOf,
		identity: []column{namespaceColumn, label("name", "ListenerSet"), listenerColumn},
	}
	return board{
		family: "gateway-api", file: "gateways", uid: gatewayUID, tags: []string{"gateway-api"},
		title: "Gateway API State / Gateways", text: "Gateways and their listeners: whether they work, why not, and which routes want to be attached to them.",
		variables: []variable{
			{"namespace", "Namespace", "label_values(gatewayapi_gateway_info, namespace)"},
			{"gateway", "Gateway", `label_values(gatewayapi_gateway_info{namespace=~"$namespace"}, name)`},
		},
		rows: []row{
			{panels: gatewayOverview(objects)},
			{title: "Gateways", panels: gatewayTables()},
			{title: "Problems", panels: gatewayProblems(objects, listeners)},
			{title: "ListenerSets", panels: []panel{
				table("ListenerSets", "ListenerSets and the parents that they add listeners to, whichever Gateway is chosen.", `gatewayapi_listenerset_info{`+listenerSetOf+`}`,
					namespaceColumn, label("name", "ListenerSet"), label("parent_kind", "Parent kind"), label("parent_namespace", "Parent namespace"), label("parent_name", "Parent")).wide(12),
				sets.reasons("Why listeners of ListenerSets do not work", "Conditions of listeners of ListenerSets that are not as they should be, and why.").wide(12),
			}},
			{title: "Routes (by Gateway)", panels: gatewayRoutes()},
			{title: "History", panels: []panel{
				timeline("Programmed over time", "Whether each Gateway was programmed into the data plane.",
					`max by (namespace, name) (gatewayapi_gateway_status{`+gatewaySelector+`,type="Programmed"})`, "{{namespace}}/{{name}}", isTrue).wide(12),
				graph("Attached routes over time", "Routes that are attached to the listeners of each Gateway.",
					`sum by (namespace, name) (max by (namespace, name, listener_name) (gatewayapi_gateway_status_listener_attached_routes{`+gatewaySelector+`}))`, "{{namespace}}/{{name}}", unitNumber),
				objects.since("Time since last transition", "For how long each condition of the Gateways has been as it is. One that was never set is left out.").wide(12),
				listeners.since("Time since last transition of listeners", "For how long each condition of the listeners has been as it is. One that was never set is left out.").wide(12),
			}},
		},
	}
}

func gatewayOverview(objects conditionFamily) []panel {
	return []panel{
		problem("Gateways with problems", "Gateways of which Accepted or Programmed is not true, each counted once.",
			`sum(max by (namespace, name) (gatewayapi_gateway_status{`+gatewaySelector+`,type=~"Accepted|Programmed"} == bool 0))`),
		problem("Listeners with problems", "Listeners that are not accepted, not programmed, lead to references that do not resolve, or are in conflict, each counted once.",
			`sum(max by (namespace, name, listener_name) (`+listenerConditions+`{`+gatewaySelector+`,type=~"Accepted|Programmed|ResolvedRefs"} == bool 0 or `+
				listenerConditions+`{`+gatewaySelector+`,type=~"`+negativeTypes+`"} == bool 1))`),
		problem("Listeners without a status", "Listeners of which no controller has said anything.",
			`count(gatewayapi_gateway_listener_info{`+gatewaySelector+`} unless on (namespace, name, listener_name) `+listenerConditions+`) or 0 * count(gatewayapi_gateway_listener_info{`+gatewaySelector+`})`),
		problem("ListenerSets with problems", "ListenerSets of which Accepted or Programmed is not true, whichever Gateway is chosen.",
			`sum(max by (namespace, name) (gatewayapi_listenerset_status{`+listenerSetOf+`,type=~"Accepted|Programmed"} == bool 0))`),
		objects.staleObjects("Gateways with conditions that are about an older generation of theirs."),
		warning("Listeners without TLS", "Listeners for plain HTTP: what is sent through them can be read on the way.",
			`count(gatewayapi_gateway_listener_info{`+gatewaySelector+`,protocol="HTTP"}) or 0 * count(gatewayapi_gateway_listener_info{`+gatewaySelector+`})`),
		total("Total", "Gateways.", `count(gatewayapi_gateway_info{`+gatewaySelector+`})`),
		total("Accepted", "Gateways that a controller has accepted.", `sum(gatewayapi_gateway_status{`+gatewaySelector+`,type="Accepted"} > bool 0)`),
		total("Programmed", "Gateways that are programmed into the data plane.", `sum(gatewayapi_gateway_status{`+gatewaySelector+`,type="Programmed"} > bool 0)`),
		total("Listeners", "Listeners of the Gateways, without those of ListenerSets.", `count(gatewayapi_gateway_listener_info{`+gatewaySelector+`})`),
		total("Att. Routes", "Attached routes, summed up over listeners: a route that is attached to two listeners counts twice.",
			`sum(gatewayapi_gateway_status_listener_attached_routes{`+gatewaySelector+`})`),
		problem("Unhealthy", "Conditions Accepted and Programmed that are not true, as gateway-api-state-metrics counts them: a Gateway may count twice.",
			`count((gatewayapi_gateway_status{`+gatewaySelector+`,type="Accepted"} == 0) or (gatewayapi_gateway_status{`+gatewaySelector+`,type="Programmed"} == 0)) or vector(0)`),
	}
}

func gatewayTables() []panel {
	return []panel{
		table("Gateways", "All Gateways, with their GatewayClass, since when they exist.",
			`1000 * gatewayapi_gateway_created{`+gatewaySelector+`} * on (name, namespace, instance) group_right () gatewayapi_gateway_info{`+gatewaySelector+`}`,
			versionColumn, label("gatewayclass_name", "GatewayClass").opens("GatewayClass", gatewayClassUID, "gatewayclass", "gatewayclass_name"), namespaceColumn, gatewayColumn, createdColumn).wide(12),
		table("Gateway Listeners", "Listeners as they are specified.", `gatewayapi_gateway_listener_info{`+gatewaySelector+`}`,
			namespaceColumn, gatewayColumn, listenerColumn, label("port", "Port"), label("protocol", "Protocol"), label("hostname", "Hostname"),
			label("tls_mode", "TLS"), label("allowed_routes_namespaces_from", "Routes from")).wide(12),
		table("Status Addresses", "Addresses that are bound to the Gateways.", `gatewayapi_gateway_status_address_info{`+gatewaySelector+`}`,
			namespaceColumn, gatewayColumn, label("type", "Type"), label("value", "Address")).wide(12),
		table("Attached Routes", "How many routes are attached to each listener.", `gatewayapi_gateway_status_listener_attached_routes{`+gatewaySelector+`}`,
			namespaceColumn, gatewayColumn, listenerColumn, number("Routes", unitNumber)).wide(12),
	}
}

func gatewayProblems(objects, listeners conditionFamily) []panel {
	return []panel{
		table("Conditions of Gateways that are not met", "Accepted, Programmed and ResolvedRefs of Gateways that are not true.",
			`gatewayapi_gateway_status{`+gatewaySelector+`,type=~"Accepted|Programmed|ResolvedRefs"} == 0`,
			namespaceColumn, gatewayColumn, label("type", "Condition"), truthColumn).wide(12),
		objects.reasons("Why Gateways do not work", "Conditions of Gateways that are not as they should be, and why.").wide(12),
		table("Conditions of listeners that are not met", "Listeners that are not accepted, not programmed, lead to references that do not resolve, or are in conflict.",
			listenerConditions+`{`+gatewaySelector+`,type=~"Accepted|Programmed|ResolvedRefs"} == 0 or `+listenerConditions+`{`+gatewaySelector+`,type=~"`+negativeTypes+`"} == 1`,
			namespaceColumn, gatewayColumn, listenerColumn, label("type", "Condition"), number("Status", unitPlain).colored(unmet)).wide(12),
		listeners.reasons("Why listeners do not work", "Conditions of listeners that are not as they should be, and why: why a listener is not programmed is the row with Programmed, and those of the same listener.").wide(12),
		table("Accepted, with invalid listeners", "Gateways that are accepted although some of their listeners are not valid.",
			`gatewayapi_gateway_status_reason_info{`+gatewaySelector+`,type="Accepted",status="True",reason="ListenersNotValid"}`,
			namespaceColumn, gatewayColumn, label("reason", "Reason")).wide(12).needs("reasons"),
		objects.stale("Stale conditions", "Conditions that are about an older generation of the Gateway: its controller has not seen the last change.").wide(12),
	}
}

// gatewayRoutes are the routes of all kinds. The namespace that a route leaves out
// is filled in, so that Gateways of the same name are not taken for each other.
func gatewayRoutes() []panel {
	var out []panel
	for _, k := range routeKinds {
		out = append(out, table(k.name+"s (by Gateway)", k.name+"s that want to be attached to the Gateways, and whether a controller has accepted them there.",
			`gatewayapi_`+k.metric+`_parent_attached{parent_kind="Gateway",parent_namespace=~"$namespace",parent_name=~"$gateway"}`,
			namespaceColumn, label("name", k.name).opens(k.name, k.uid, "namespace", "namespace", k.metric, "name"),
			label("parent_namespace", "Gateway namespace"), label("parent_name", "Gateway"), label("parent_section_name", "Listener"),
			number("Attached", unitPlain).colored(attached)).wide(12))
	}
	return out
}

// attached is the meaning of parent_attached.
var attached = values(value(0, "No", red), value(1, "Yes", green))
