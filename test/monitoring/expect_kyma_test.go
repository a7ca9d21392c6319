package monitoring

import "strings"

// module is a module of Kyma: as a Kyma names it, or an object that none names.
type module struct {
	kyma, name, namespace, object, state string
	conditions                           []object
}

func (m module) key() string { return key(m.kyma, m.name, m.namespace, m.object) }

const moduleGroup = "operator.kyma-project.io"

// modules are those that are chosen.
func (w *world) modules() []module {
	var out []module
	named := map[string]bool{}
	for _, k := range w.all("Kyma") {
		for _, m := range k.list("status", "modules") {
			ref := object(m.at("resource").(map[string]any))
			found := module{kyma: k.name(), name: m.str("name"), namespace: ref.namespace(), object: ref.name(), state: m.str("state")}
			for _, o := range w.all(ref.kind()) {
				if o.id() == ref.id() {
					named[key(o.kind(), o.id())] = true
					found.state, found.conditions = o.str("status", "state"), o.list("status", "conditions")
				}
			}
			out = append(out, found)
		}
	}
	for _, o := range w.state {
		if o.group() == moduleGroup && o.kind() != "Kyma" && !named[key(o.kind(), o.id())] {
			out = append(out, module{
				name: strings.ToLower(o.kind()), namespace: o.namespace(), object: o.name(),
				state: o.str("status", "state"), conditions: o.list("status", "conditions"),
			})
		}
	}
	return where(out, func(m module) bool { return w.in("module", m.name) })
}

func inState(state string) expectation {
	return exactly(func(w *world) rows { return size(where(w.modules(), func(m module) bool { return m.state == state })) })
}

func ready(m module) bool { return m.state == "Ready" }

// byState counts modules by their states, those of zero modules included if asked.
func byState(zero bool) func(*world) rows {
	return func(w *world) rows {
		out := rows{}
		if zero {
			out = rows{"Ready": 0, "Processing": 0, "Warning": 0, "Error": 0, "Deleting": 0}
		}
		for _, m := range w.modules() {
			out[m.state]++
		}
		return out
	}
}

var kymaPanels = expectations{
	"Unhealthy modules": exactly(func(w *world) rows { return size(where(w.modules(), func(m module) bool { return !ready(m) })) }),
	"In Error":          inState("Error"),
	"In Warning":        inState("Warning"),
	"Kymas not ready": exactly(func(w *world) rows {
		return size(where(w.all("Kyma"), func(o object) bool { return o.str("status", "state") != "Ready" }))
	}),
	"Modules total": exactly(func(w *world) rows { return size(w.modules()) }),
	"Without a Kyma": exactly(func(w *world) rows {
		return size(where(w.modules(), func(m module) bool { return m.kyma == "" }))
	}),
	"Modules": exactly(func(w *world) rows { return table(w.modules(), func(m module) string { return key(m.key(), m.state) }) }),
	"Conditions that are not true": exactly(func(w *world) rows {
		out := rows{}
		for _, m := range w.modules() {
			for _, c := range m.conditions {
				if c.str("status") != "True" {
					out[key(m.key(), c.str("type"), c.str("status"), c.str("reason"))] = 1
				}
			}
		}
		return out
	}),
	"Kymas": exactly(func(w *world) rows {
		return table(w.all("Kyma"), func(o object) string { return key(o.id(), o.str("status", "state")) })
	}),
	"Modules by state": exactly(byState(false)),
	"Healthy over time": exactly(func(w *world) rows {
		return valued(w.modules(), func(m module) (string, float64) { return m.name + " " + m.namespace + "/" + m.object, one(ready(m)) })
	}),
	"Modules by state over time": exactly(byState(true)),
	"Pipelines and telemetry": exactly(func(w *world) rows {
		out := rows{}
		for _, kind := range []struct{ one, many string }{{"Telemetry", "telemetries"}, {"MetricPipeline", "metricpipelines"}} {
			for _, o := range w.all(kind.one) {
				for _, c := range o.list("status", "conditions") {
					if c.str("status") != "True" {
						out[key(kind.many, o.id(), c.str("type"), c.str("status"), c.str("reason"))] = 1
					}
				}
			}
		}
		return out
	}),
}
