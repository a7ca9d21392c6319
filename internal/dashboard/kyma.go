package dashboard

// moduleStates are the states of a module, by how good they are.
var moduleStates = texts(map[string]string{"Ready": green, "Processing": blue, "Warning": orange, "Error": red, "Deleting": "purple"})

func kymaModules() board {
	const sel = `kyma=~"$kyma",name=~"$module"`
	id := []column{label("kyma", "Kyma"), label("name", "Module"), namespaceColumn, label("resource_name", "Object")}
	in := func(state, description string) panel {
		return problem("In "+state, description, `sum(kyma_module_state{`+sel+`,state="`+state+`"})`)
	}
	return board{
		family: "kyma", file: "modules", uid: kymaUID, title: "Kyma / Modules", tags: []string{"kyma"},
		text: "The modules of Kyma: which are not ready, and what their objects say about it.",
		variables: []variable{
			{"kyma", "Kyma", "label_values(kyma_module_healthy, kyma)"},
			{"module", "Module", `label_values(kyma_module_healthy{kyma=~"$kyma"}, name)`},
		},
		rows: []row{
			{panels: []panel{
				problem("Unhealthy modules", "Modules that are in no good state, or in none.", `sum(kyma_module_healthy{`+sel+`} == bool 0)`),
				in("Error", "Modules in the state Error."),
				in("Warning", "Modules in the state Warning."),
				problem("Kymas not ready", "Kymas that are not in the state Ready.", `sum(kyma_status_state{kyma=~"$kyma",state="Ready"} == bool 0)`),
				total("Modules total", "Modules, with those that no Kyma names.", `count(kyma_module_healthy{`+sel+`})`),
				total("Without a Kyma", "Modules whose object no Kyma names, such as those that were installed by hand.",
					`count(kyma_module_healthy{kyma="",name=~"$module"}) or 0 * count(kyma_module_healthy)`),
			}},
			{title: "Modules", panels: []panel{
				table("Modules", "The state of each module.", `kyma_module_state{`+sel+`} == 1`,
					append(id[:4:4], label("state", "State").colored(moduleStates))...).wide(12),
				table("Conditions that are not true", "Conditions of the objects of modules that are not true, and why.", `kyma_module_status_condition{`+sel+`} == 0`,
					append(id[:4:4], label("type", "Condition"), label("status", "Status").colored(statuses), label("reason", "Reason"))...).wide(12),
				table("Kymas", "The state of each Kyma.", `kyma_status_state{kyma=~"$kyma"} == 1`, namespaceColumn, label("kyma", "Kyma"), label("state", "State").colored(moduleStates)).wide(12),
				table("Modules by state", "How many modules are in which state.", `sum by (state) (kyma_module_state{`+sel+`}) > 0`,
					label("state", "State").colored(moduleStates), number("Modules", unitNumber)).wide(12),
			}},
			{title: "History", panels: []panel{
				timeline("Healthy over time", "Whether each module was in a good state.", `kyma_module_healthy{`+sel+`}`, "{{name}} {{namespace}}/{{resource_name}}",
					values(value(0, "Not healthy", red), value(1, "Healthy", green))),
				graph("Modules by state over time", "How many modules were in which state.", `sum by (state) (kyma_module_state{`+sel+`})`, "{{state}}", unitNumber),
				table("Pipelines and telemetry", "Conditions of the objects that Kyma itself sends metrics of that are not true.", `kyma_resource_status_conditions != 1`,
					label("kind", "Kind"), namespaceColumn, label("name", "Name"), label("type", "Condition"), label("status", "Status").colored(statuses), label("reason", "Reason")).wide(12).needs("resources"),
			}},
		},
	}
}
