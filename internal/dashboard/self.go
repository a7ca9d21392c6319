package dashboard

func kubevitals() board {
	return board{
		family: "kubevitals", file: "kubevitals", uid: selfUID, title: "Kubevitals / Kubevitals", tags: []string{},
		text:      "Kubevitals itself: whether what it shows can be trusted, what it costs, and whether it pushes.",
		variables: []variable{{"instance", "Instance", "label_values(kubevitals_build_info, instance)"}},
		rows: []row{
			{panels: selfOverview()},
			{title: "State", panels: selfState()},
			{title: "Rules", panels: selfRules()},
			{title: "OTLP", panels: selfOTLP()},
			{title: "Election", panels: []panel{
				timeline("Leader", "Which replica leads.", `kubevitals_leader{`+instances+`}`, "{{instance}}", values(value(0, "Follows", gray), value(1, "Leads", green))).wide(12),
				graph("Failures of the Lease", "Requests for the Lease that have failed.", `sum by (instance) (rate(kubevitals_lease_failures_total{`+instances+`}[$__rate_interval]))`, "{{instance}}", unitRate),
			}},
			{title: "Process", panels: selfProcess()},
		},
	}
}

const instances = `instance=~"$instance"`

var instanceColumn = label("instance", "Instance")

var kindColumns = []column{label("group", "Group"), label("version", "Version"), label("kind", "Kind")}

func selfOverview() []panel {
	return []panel{
		state("Gateway API and Kuadrant", "Whether every installed kind of the catalogs gateway-api and kuadrant could be read.", `min(gateway_metrics_up{`+instances+`})`),
		state("Source", "Whether the cluster or the files could be read when last tried.", `min(kubevitals_state_source_up{`+instances+`})`),
		problem("Kinds down", "Kinds of which the last list or watch was not answered.", `sum(kubevitals_state_kind_up{`+instances+`} == bool 0)`),
		problem("Collectors down", "Collectors that gave nothing to the last scrape.", `sum(kubevitals_collector_up{`+instances+`} == bool 0)`),
		problem("Daemons that do not run", "Parts of the process that wait for their next start.", `sum(kubevitals_daemon_running{`+instances+`} == bool 0)`),
		problem("Rules not in use", "Rules that are not in use as they are now: the last good ones are.", `sum(kubevitals_rules_valid{`+instances+`} == bool 0)`),
		warning("Rule errors", "What rules asked for and objects could not give, since the process started.",
			`sum(kubevitals_state_rule_errors_total{`+instances+`}) or 0 * count(kubevitals_state_source_up{`+instances+`})`),
		warning("Samples left out", "Samples that could not be made or exposed, since the process started.",
			`sum({__name__=~"kubevitals_(state_)?samples_dropped_total",`+instances+`}) or 0 * count(kubevitals_build_info{`+instances+`})`),
		total("Objects", "Objects that are read.", `sum(kubevitals_state_kind_objects{`+instances+`})`),
		total("Series", "Series that objects give.", `sum(kubevitals_state_kind_series{`+instances+`})`),
		total("Processes", "Processes of Kubevitals that are scraped.", `count(kubevitals_build_info{`+instances+`})`),
		warning("OTLP: last push", "How long ago a receiver took a push. Red after an hour: nobody sees new values there.",
			`time() - max(kubevitals_otlp_last_success_timestamp_seconds{`+instances+`})`).unitOf(unitSeconds).after(300, 3600),
	}
}

// after colors a time that has passed.
func (p panel) after(orangeFrom, redFrom float64) panel {
	p.steps = []step{base(green), from(orangeFrom, orange), from(redFrom, red)}
	p.mappings = []mapping{noData}
	return p
}

func selfState() []panel {
	return []panel{
		table("Kinds that are not up", "Why kinds cannot be read. All others are served as they were last.", `kubevitals_state_kind_error_info{`+instances+`}`,
			append(append([]column{instanceColumn}, kindColumns...), label("reason", "Reason"))...).wide(12),
		table("Objects by kind", "Objects of each kind.", `sum by (group, version, kind) (kubevitals_state_kind_objects{`+instances+`})`, append(kindColumns[:3:3], number("Objects", unitNumber))...).wide(12),
		table("Series by kind", "Series that the objects of each kind give.", `sum by (group, version, kind) (kubevitals_state_kind_series{`+instances+`})`, append(kindColumns[:3:3], number("Series", unitNumber))...).wide(12),
		table("Last contact", "How long ago the source last answered for each kind.", `max by (group, version, kind) (kubevitals_state_kind_last_contact_age_seconds{`+instances+`})`,
			append(kindColumns[:3:3], number("Ago", unitSeconds).aged(300, 900))...).wide(12),
		graph("Requests to the API server", "By what they do and their status code. A watch costs a request every few minutes.",
			`sum by (verb, code) (rate(kubevitals_state_api_requests_total{`+instances+`}[$__rate_interval]))`, "{{verb}} {{code}}", unitRate),
		graph("Changes of objects", "Changes that were seen, by kind.", `sum by (kind) (rate(kubevitals_state_kind_events_total{`+instances+`}[$__rate_interval]))`, "{{kind}}", unitRate),
		graph("Duration of lists", "How long the last list of each kind took.", `max by (kind) (kubevitals_state_kind_list_duration_seconds{`+instances+`})`, "{{kind}}", unitSeconds),
		graph("Duration of collectors", "How long the last call of each collector took.", `max by (collector) (kubevitals_collector_duration_seconds{`+instances+`})`, "{{collector}}", unitSeconds),
	}
}

func selfRules() []panel {
	return []panel{
		table("Rule sources", "Whether the rules of the flags' files, and of each ConfigMap, are in use as they are now.", `kubevitals_rules_valid{`+instances+`}`,
			instanceColumn, label("rules", "Rules"), number("In use", unitPlain).colored(values(value(0, "No", red), value(1, "Yes", green)))).wide(12),
		table("Rules changed", "When the rules in use took over.", `1000 * kubevitals_rules_last_reload_success_timestamp_seconds{`+instances+`}`, instanceColumn, number("Since", unitDate)).wide(12),
		table("Errors of rules", "What rules asked for and objects could not give.", `sum by (rule, reason) (kubevitals_state_rule_errors_total{`+instances+`}) > 0`,
			label("rule", "Family"), label("reason", "Reason"), number("Errors", unitNumber)).wide(12),
		graph("Reloads", "Changes of rules, by whether they were accepted.", `sum by (result) (rate(kubevitals_rules_reloads_total{`+instances+`}[$__rate_interval]))`, "{{result}}", unitRate),
	}
}

func selfOTLP() []panel {
	perSecond := func(title, description, metric string) panel {
		return graph(title, description, `sum by (result) (rate(kubevitals_otlp_`+metric+`{`+instances+`}[$__rate_interval]))`, "{{result}}", unitRate)
	}
	return []panel{
		perSecond("Pushes", "Snapshots that were pushed, by what became of them.", "pushes_total"),
		perSecond("Points", "Data points, by what became of them. A tombstone ends a series that is gone.", "points_total"),
		perSecond("Requests", "Requests to the receiver, by what it said.", "requests_total"),
		graph("Duration of pushes", "How long the last push took.", `max by (instance) (kubevitals_otlp_push_duration_seconds{`+instances+`})`, "{{instance}}", unitSeconds),
		graph("Series that are remembered", "Series that are remembered, to end them when they are gone.", `sum by (instance) (kubevitals_otlp_tracked_series{`+instances+`})`, "{{instance}}", unitNumber),
		graph("Tombstones that wait", "Series that are gone and not yet acknowledged as such.", `sum by (instance) (kubevitals_otlp_queue_tombstones{`+instances+`})`, "{{instance}}", unitNumber),
	}
}

func selfProcess() []panel {
	const of = ` and on (job, instance) kubevitals_build_info{` + instances + `}`
	return []panel{
		graph("Memory", "Resident memory of each process.", `process_resident_memory_bytes`+of, "{{instance}}", unitBytes),
		graph("CPU", "Share of a CPU that each process takes.", `rate(process_cpu_seconds_total[$__rate_interval])`+of, "{{instance}}", unitCPU),
		graph("Goroutines", "Goroutines of each process.", `go_goroutines`+of, "{{instance}}", unitNumber),
		table("Versions", "Which version each process is, and the Go that built it.", `kubevitals_build_info{`+instances+`}`,
			instanceColumn, label("version", "Version"), label("goversion", "Go")).wide(12),
		table("Certificates", "For how long the certificate is still valid that the server shows.", `kubevitals_cert_expiry_timestamp_seconds{`+instances+`} - time()`,
			instanceColumn, number("Left", unitSeconds).leaving(1209600, 259200)).wide(12),
		graph("Requests for protected routes", "By what became of them.", `sum by (result) (rate(kubevitals_auth_decisions_total{`+instances+`}[$__rate_interval]))`, "{{result}}", unitRate),
		graph("Restarts of daemons", "Restarts after an error or a panic.", `sum by (daemon) (rate(kubevitals_daemon_restarts_total{`+instances+`}[$__rate_interval]))`, "{{daemon}}", unitRate),
		graph("Failures of collectors", "Calls of collectors that gave nothing.", `sum by (collector, reason) (rate(kubevitals_collector_failures_total{`+instances+`}[$__rate_interval]))`, "{{collector}}: {{reason}}", unitRate),
	}
}

// leaving colors a time that is left.
func (c column) leaving(orangeBelow, redBelow float64) column {
	c.steps = []step{base(red), from(redBelow, orange), from(orangeBelow, green)}
	return c
}
