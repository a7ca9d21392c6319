package dashboard

// healthStates are the states of kstatus, by how good they are.
var healthStates = texts(map[string]string{"Current": green, "InProgress": blue, "Failed": red, "Terminating": "purple", "Unknown": gray})

func conditions() board {
	const (
		kinds   = `group=~"$group",kind=~"$kind"`
		objects = kinds + `,namespace=~"$namespace"`
	)
	id := []column{label("group", "Group"), label("kind", "Kind"), namespaceColumn, label("name", "Name")}
	return board{
		family: "conditions", file: "conditions", uid: conditionsUID, title: "Kubernetes / Conditions of everything", tags: []string{"conditions"},
		text: "Every object that says in its status how it is: which are not healthy, why, and since when.",
		variables: []variable{
			{"group", "Group", "label_values(kube_objects_by_health, group)"},
			{"kind", "Kind", `label_values(kube_objects_by_health{group=~"$group"}, kind)`},
			{"namespace", "Namespace", `label_values(kube_object_healthy{` + kinds + `}, namespace)`},
		},
		rows: []row{
			{panels: []panel{
				problem("Unhealthy objects", "Objects that are not as their spec says, or say so themselves.", `sum(kube_object_healthy{`+objects+`} == bool 0)`),
				problem("Failed", "Objects that have failed for good, in the chosen kinds and all namespaces: a person must do something.",
					`sum(kube_objects_by_health{`+kinds+`,health="Failed"}) or 0 * count(kube_objects_by_health{`+kinds+`})`),
				problem("Bad conditions", "Conditions that are not as they are when all is well, whatever is good for each of them.", `sum(kube_object_condition_healthy{`+objects+`} == bool 0)`),
				warning("Unknown conditions", "Conditions whose status is unknown.", `sum(kube_object_condition_healthy{`+objects+`} == bool -1)`),
				problem("Stuck deletions", "Objects that were to be gone an hour ago.",
					`count(kube_object_deletion_age_seconds{`+objects+`} > 3600) or 0 * count(kube_object_healthy{`+objects+`})`),
				warning("Behind their spec", "Objects whose controller has not seen the newest generation.",
					`count(kube_object_generation_lag{`+objects+`} > 0) or 0 * count(kube_object_healthy{`+objects+`})`).needs("generations"),
				total("Objects", "Objects that say how they are.", `count(kube_object_healthy{`+objects+`})`),
				total("Kinds", "Kinds of these objects.", `count(group by (group, kind) (kube_object_healthy{`+objects+`}))`),
			}},
			{title: "Unhealthy", panels: []panel{
				table("Unhealthy objects by kind", "How many objects of each kind are in which state that is not Current.",
					`sum by (group, kind, health) (kube_objects_by_health{`+kinds+`,health!="Current"})`,
					id[0], id[1], label("health", "Health").colored(healthStates), number("Objects", unitNumber)).wide(12),
				table("Unhealthy", "Objects that are not healthy.", `kube_object_healthy{`+objects+`} == 0`, id...).wide(12),
				table("Conditions that are not as they should be", "Of each object, with what is good for each condition taken into account.",
					`kube_object_condition_healthy{`+objects+`} == 0`, append(id[:4:4], label("type", "Condition"))...).wide(12),
				table("Why", "Status and reason of these conditions.",
					`kube_object_condition_reason_info{`+objects+`} and on (group, kind, namespace, name, type) (kube_object_condition_healthy == 0)`,
					append(id[:4:4], label("type", "Condition"), label("status", "Status"), label("reason", "Reason"))...).wide(12).needs("reasons"),
				table("Since when", "For how long conditions have been as they should not be.",
					`sort_desc((time() - kube_object_condition_last_transition_timestamp_seconds{`+objects+`}) and on (group, kind, namespace, name, type) (kube_object_condition_healthy == 0))`,
					append(id[:4:4], label("type", "Condition"), number("For", unitSeconds).aged(900, 86400))...).wide(12).needs("transitions"),
				table("Controllers behind", "By how many generations the status of objects is out of date.", `kube_object_generation_lag{`+objects+`} > 0`,
					append(id[:4:4], number("Generations behind", unitNumber).aged(1, 2))...).wide(12).needs("generations"),
			}},
			{title: "Deletions", panels: []panel{
				table("Deletions", "Objects that are being deleted, and since when.", `sort_desc(kube_object_deletion_age_seconds{`+objects+`})`,
					append(id[:4:4], number("For", unitSeconds).aged(900, 3600))...).wide(12),
				table("Finalizers that deletions wait for", "Who has to do something before the object goes.", `kube_object_deletion_finalizer_info{`+objects+`}`,
					append(id[:4:4], label("finalizer", "Finalizer"))...).wide(12),
			}},
			{title: "Phases and states", panels: []panel{
				table("Phases", "How many objects of each kind are in which phase.", `sum by (group, kind, phase) (kube_object_phase{`+objects+`}) > 0`,
					id[0], id[1], label("phase", "Phase"), number("Objects", unitNumber)).wide(12),
				table("States", "How many objects of each kind are in which state.", `sum by (group, kind, state) (kube_object_state{`+objects+`}) > 0`,
					id[0], id[1], label("state", "State").colored(moduleStates), number("Objects", unitNumber)).wide(12),
			}},
			{title: "History", panels: []panel{
				graph("Unhealthy objects over time", "Objects that are not healthy, by kind.", `sum by (kind) (kube_object_healthy{`+objects+`} == bool 0)`, "{{kind}}", unitNumber),
				graph("Conditions by status over time", "How many conditions have which status.", `sum by (status) (kube_objects_by_condition{`+kinds+`})`, "{{status}}", unitNumber),
				table("Not ready for an hour", "Objects of each kind of which Ready has not been true for an hour and more.",
					`sum by (group, kind) (kube_objects_condition_age_seconds_count{`+kinds+`,type="Ready",status!="True"}) - sum by (group, kind) (kube_objects_condition_age_seconds_bucket{`+kinds+`,type="Ready",status!="True",le=~"3600|3600.0"}) > 0`,
					id[0], id[1], number("Objects", unitNumber)).wide(12).needs("ages"),
			}},
		},
	}
}
