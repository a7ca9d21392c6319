package dashboard

func gatewayClasses() board {
	f := conditionFamily{
		metric: "gatewayapi_gatewayclass_status", generation: "gatewayapi_gatewayclass_metadata_generation",
		selector: `name=~"$gatewayclass"`, identity: []column{classColumn}, join: "name",
	}
	return board{
		family: "gateway-api", file: "gatewayclasses", uid: gatewayClassUID, tags: []string{"gateway-api"},
		title: "Gateway API State / GatewayClasses", text: "GatewayClasses: whether controllers have accepted them, what they support, and which Gateways they have.",
		variables: []variable{{"gatewayclass", "GatewayClass", "label_values(gatewayapi_gatewayclass_info, name)"}},
		rows: []row{
			{panels: []panel{
				problem("Not accepted", "GatewayClasses whose condition Accepted is not true. No controller looks at their Gateways.",
					`sum(max by (name) (gatewayapi_gatewayclass_status{name=~"$gatewayclass",type="Accepted"} == bool 0))`),
				problem("Gateways without a controller", "Gateways of GatewayClasses that are not accepted, or do not exist.",
					`count(gatewayapi_gateway_info{gatewayclass_name=~"$gatewayclass"} unless on (gatewayclass_name) label_replace(gatewayapi_gatewayclass_status{type="Accepted"} == 1, "gatewayclass_name", "$1", "name", "(.+)")) or 0 * count(gatewayapi_gateway_info)`).opens("Gateways", gatewayUID),
				f.staleObjects("GatewayClasses with conditions that are about an older generation of theirs."),
				total("Total", "GatewayClasses, whatever is chosen above.", `count(gatewayapi_gatewayclass_info)`),
				total("Accepted", "GatewayClasses that a controller has accepted, whatever is chosen above.", `sum(gatewayapi_gatewayclass_status{type="Accepted"} > bool 0)`),
				total("Gateways", "Gateways of the GatewayClasses.", `count(gatewayapi_gateway_info{gatewayclass_name=~"$gatewayclass"})`).opens("Gateways", gatewayUID),
			}},
			{title: "GatewayClasses", panels: []panel{
				table("GatewayClasses", "All GatewayClasses, with their controllers, since when they exist.",
					`1000 * gatewayapi_gatewayclass_created * on (name, instance) group_right () gatewayapi_gatewayclass_info`,
					versionColumn, classColumn, label("controller_name", "Controller"), createdColumn).wide(12),
				table("Gateways (by GatewayClass)", "All Gateways with their GatewayClass. A click opens the Gateway.",
					`gatewayapi_gateway_info{gatewayclass_name=~"$gatewayclass"}`,
					label("gatewayclass_name", "GatewayClass"), namespaceColumn, gatewayColumn).wide(12),
				table("Supported Features", "What the controllers say that they support.",
					`gatewayapi_gatewayclass_status_supported_features{name=~"$gatewayclass"}`,
					classColumn, label("features", "Feature")).wide(12),
				table("Conditions", "All conditions of the GatewayClasses.",
					`gatewayapi_gatewayclass_status{name=~"$gatewayclass"}`, classColumn, label("type", "Condition"), truthColumn).wide(12),
			}},
			{title: "Problems", panels: []panel{
				f.reasons("Why", "Conditions that are not true, and the reason that the controller gives.").wide(12),
				f.stale("Stale conditions", "Conditions that are about an older generation of the GatewayClass: its controller has not seen the last change.").wide(12),
			}},
			{title: "History", panels: []panel{
				timeline("Accepted over time", "Whether each GatewayClass was accepted.",
					`max by (name) (gatewayapi_gatewayclass_status{name=~"$gatewayclass",type="Accepted"})`, "{{name}}", isTrue).wide(12),
				f.since("Time since last transition", "For how long each condition has been as it is. One that was never set is left out.").wide(12),
			}},
		},
	}
}
