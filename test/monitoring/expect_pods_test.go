package monitoring

// podTarget is a target of a pod.
type podTarget struct {
	pod labPod
	labTarget
}

func (w *world) targets() (out []podTarget) {
	for _, p := range w.pods {
		for _, t := range p.targets {
			out = append(out, podTarget{p, t})
		}
	}
	return out
}

// key is what tells targets apart in tables.
func (t podTarget) key() string {
	if t.path == "" {
		return key(podNamespace, t.pod.name, "", "", "")
	}
	return key(podNamespace, t.pod.name, "main", t.pod.server.Port(), t.path)
}

func (t podTarget) legend() string { return podNamespace + "/" + t.pod.name }

func down(t podTarget) bool { return t.reason != "" }

// each pod has its name as a legend, and the sum of some number of its targets.
func summed(number func(podTarget) float64) func(*world) rows {
	return func(w *world) rows {
		out := rows{}
		for _, t := range w.targets() {
			out[t.legend()] += number(t)
		}
		return out
	}
}

// ofPods has a row with a value that is not known for the process that scrapes pods.
func ofPods(w *world) rows { return rows{w.instance("pods"): 0} }

var podPanels = expectations{
	"Pods down":   exactly(func(w *world) rows { return size(where(w.targets(), down)) }),
	"Not scraped": exactly(func(*world) rows { return single(0) }),
	"API server":  exactly(func(*world) rows { return single(1) }),
	"Samples left out": exactly(func(w *world) rows {
		n := 0.0
		for _, t := range w.targets() {
			n += t.duplicates
		}
		return single(n)
	}),
	"Type conflicts": exactly(func(*world) rows { return single(2) }), // jobs and tasks are gauges and counters
	"Targets":        exactly(func(w *world) rows { return size(w.targets()) }),
	"Why pods are down": exactly(func(w *world) rows {
		return table(where(w.targets(), down), func(t podTarget) string { return key(t.key(), t.reason) })
	}),
	"Answers": exactly(func(w *world) rows {
		return valued(where(w.targets(), func(t podTarget) bool { return t.code != 200 }), func(t podTarget) (string, float64) { return t.key(), t.code })
	}),
	"Up over time": exactly(func(w *world) rows {
		out := rows{}
		for _, t := range w.targets() {
			if v, ok := out[t.legend()]; !ok || v > one(!down(t)) {
				out[t.legend()] = one(!down(t))
			}
		}
		return out
	}),
	"Failures":     named(func(w *world) rows { return rows{"content_type": 0, "http": 0} }).atLeast(),
	"Slowest":      named(summed(func(podTarget) float64 { return 0 })),
	"Most samples": exactly(summed(func(t podTarget) float64 { return t.samples })),
	"Largest": named(func(w *world) rows {
		return table(where(w.targets(), func(t podTarget) bool { return t.samples > 0 && t.path != "/late" }), podTarget.legend)
	}),
	"Duplicates": exactly(func(w *world) rows {
		return valued(where(w.targets(), func(t podTarget) bool { return t.duplicates > 0 }), func(t podTarget) (string, float64) { return t.key(), t.duplicates })
	}),
	"Targets by state": exactly(func(w *world) rows {
		return rows{"active": float64(len(w.targets()))}
	}).atLeast(),
	"Scrapes of targets": named(ofPods),
	"Received":           named(ofPods),
	"Connections":        named(ofPods),
	"Memory for answers": exactly(func(w *world) rows { return rows{w.instance("pods"): 0} }).upTo(16 << 20),
	"Budget":             exactly(func(w *world) rows { return rows{w.instance("pods"): 512 << 20} }),
	"Requests in flight": named(ofPods),
	"Last heard of the API server": about(func(w *world) rows {
		return rows{key(w.instance("pods"), podNamespace, "pods"): 0}
	}),
}

// atLeast says that rows with the value 0 may be there besides.
func (e expectation) atLeast() expectation {
	e.more = true
	return e
}

// upTo says by how much values may differ.
func (e expectation) upTo(by float64) expectation {
	e.within = by
	return e
}
