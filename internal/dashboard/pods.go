package dashboard

func pods() board {
	const sel = `k8s_namespace=~"$namespace",k8s_pod_name!=""`
	id := []column{label("k8s_namespace", "Namespace"), label("k8s_pod_name", "Pod"), label("container", "Container"), label("port", "Port"), label("path", "Path")}
	const legend = "{{k8s_namespace}}/{{k8s_pod_name}}"
	down := values(value(0, "Down", red), value(1, "Up", green))
	perSecond := func(title, description, metric, by, legend, unit string) panel {
		return graph(title, description, `sum by (`+by+`) (rate(`+metric+`[$__rate_interval]))`, legend, unit)
	}
	return board{
		family: "pods", file: "pods", uid: podsUID, title: "Kubevitals / Pods", tags: []string{"pods"},
		text:      "The pods whose metrics kubevitals pods merges: which are down and why, what they cost, and how the process itself is.",
		variables: []variable{{"namespace", "Namespace", `label_values(up{k8s_pod_name!=""}, k8s_namespace)`}},
		rows: []row{
			{panels: []panel{
				problem("Pods down", "Targets that could not be scraped, or sent something that is not valid.", `sum(up{`+sel+`} == bool 0)`),
				problem("Not scraped", "Targets that are known and not asked, such as those beyond a limit.",
					`sum(kubevitals_pods_targets{state!="active"}) or 0 * count(kubevitals_pods_targets)`),
				state("API server", "Whether the API server's last answer was good, and all pods have been listed.", `min(kubevitals_pods_watch_up)`),
				warning("Samples left out", "Samples that were left out as the pod had sent another with the same labels.", `sum(scrape_samples_duplicate{`+sel+`})`),
				warning("Type conflicts", "Families of whose type pods have different opinions.", `sum(kubevitals_pods_type_conflicts)`),
				total("Targets", "Targets, be they up or not.", `count(up{`+sel+`})`),
			}},
			{title: "Pods that are down", panels: []panel{
				table("Why pods are down", "The reason for each target that could not be scraped.", `scrape_error{`+sel+`}`, append(id[:5:5], label("reason", "Reason"))...).wide(12),
				table("Answers", "Status codes of answers that were not 200; 0 is none.", `scrape_response_code{`+sel+`} != 200`, append(id[:5:5], number("Code", unitPlain))...).wide(12),
				timeline("Up over time", "Whether each target could be scraped.", `min by (k8s_namespace, k8s_pod_name) (up{`+sel+`})`, legend, down).wide(12),
				perSecond("Failures", "Scrapes of single targets that have failed, by reason.", "kubevitals_pods_scrape_failures_total", "reason", "{{reason}}", unitRate),
			}},
			{title: "What pods cost", panels: []panel{
				graph("Slowest", "How long the scrapes of the ten slowest pods took.", `topk(10, max by (k8s_namespace, k8s_pod_name) (scrape_duration_seconds{`+sel+`}))`, legend, unitSeconds),
				graph("Most samples", "How many samples the ten pods with most of them sent.", `topk(10, sum by (k8s_namespace, k8s_pod_name) (scrape_samples_scraped{`+sel+`}))`, legend, unitNumber),
				graph("Largest", "How much the ten pods with the largest answers sent, uncompressed.", `topk(10, sum by (k8s_namespace, k8s_pod_name) (scrape_body_size_bytes{`+sel+`} > 0))`, legend, unitBytes),
				table("Duplicates", "Samples that were left out as the pod had sent another with the same labels.", `scrape_samples_duplicate{`+sel+`} > 0`, append(id[:5:5], number("Samples", unitNumber))...).wide(12),
			}},
			{title: "The process", panels: []panel{
				graph("Targets by state", "Targets by whether they are scraped, or why not.", `sum by (state) (kubevitals_pods_targets)`, "{{state}}", unitNumber),
				perSecond("Scrapes of targets", "Scrapes of single targets per second.", "kubevitals_pods_scrapes_total", "instance", "{{instance}}", unitRate),
				perSecond("Received", "What targets sent, uncompressed.", "kubevitals_pods_received_bytes_total", "instance", "{{instance}}", unitBytesPS),
				perSecond("Connections", "Connections that were opened to targets. Few, as long as pods keep them open.", "kubevitals_pods_connections_total", "instance", "{{instance}}", unitRate),
				graph("Memory for answers", "How much of the budget for the answers of pods is held.", `sum by (instance) (kubevitals_pods_body_bytes)`, "{{instance}}", unitBytes),
				graph("Budget", "How much memory the answers of pods may take.", `sum by (instance) (kubevitals_pods_body_budget_bytes)`, "{{instance}}", unitBytes),
				graph("Requests in flight", "Requests to targets that are under way.", `sum by (instance) (kubevitals_pods_requests_in_flight)`, "{{instance}}", unitNumber),
				table("Last heard of the API server", "How long ago the API server was last heard of.", `time() - kubevitals_pods_watch_last_contact_timestamp_seconds`,
					label("instance", "Instance"), namespaceColumn, label("resource", "Resource"), number("Ago", unitSeconds).aged(60, 300)).wide(12),
			}},
		},
	}
}
