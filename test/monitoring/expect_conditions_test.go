package monitoring

// The catalog conditions is watched with few objects, of which one can say what is
// good for each condition: Stalled and NamespaceFinalizersRemaining are good when
// they are false, Ready when it is true.
var goodWhenFalse = map[string]bool{"Stalled": true, "NamespaceFinalizersRemaining": true}

// health is what kstatus says of these objects.
func health(o object) string {
	conditions := o.list("status", "conditions")
	seen, said := o.num("status", "observedGeneration")
	generation, _ := o.num("metadata", "generation")
	switch {
	case o.str("metadata", "deletionTimestamp") != "":
		return "Terminating"
	case is(conditions, "Stalled", "True"):
		return "Failed"
	case said && seen < generation, !is(conditions, "Ready", "True"):
		return "InProgress"
	}
	return "Current"
}

// everything are the objects that are chosen.
func (w *world) everything() []object {
	return where(w.conditions, func(o object) bool {
		return w.in("group", o.group()) && w.in("kind", o.kind()) && w.in("namespace", o.namespace())
	})
}

func healthy(o object) bool { return health(o) == "Current" }

func id(o object) string { return key(o.group(), o.kind(), o.id()) }

// conditionHealth is 1 if a condition is as it should be, 0 if not, -1 if that is
// unknown.
func conditionHealth(c object) float64 {
	if c.str("status") == "Unknown" {
		return -1
	}
	return one((c.str("status") == "True") != goodWhenFalse[c.str("type")])
}

// withHealth has a row for each condition that is so healthy.
func withHealth(w *world, value float64, row func(o, c object) (string, float64)) rows {
	out := rows{}
	for _, o := range w.everything() {
		for _, c := range o.list("status", "conditions") {
			if conditionHealth(c) == value {
				k, v := row(o, c)
				out[k] = v
			}
		}
	}
	return out
}

func plain(o, c object) (string, float64) { return key(id(o), c.str("type")), 1 }

// lag is by how many generations an object is behind.
func lag(o object) float64 {
	generation, _ := o.num("metadata", "generation")
	seen, ok := o.num("status", "observedGeneration")
	if !ok {
		return 0
	}
	return generation - seen
}

func deleting(o object) bool { return o.str("metadata", "deletionTimestamp") != "" }

// counted has the number of objects by some text.
func counted(objects []object, by func(object) string) rows {
	out := rows{}
	for _, o := range objects {
		out[by(o)]++
	}
	return out
}

var conditionPanels = expectations{
	"Unhealthy objects": exactly(func(w *world) rows { return size(where(w.everything(), func(o object) bool { return !healthy(o) })) }),
	"Failed": exactly(func(w *world) rows {
		return size(where(w.everything(), func(o object) bool { return health(o) == "Failed" }))
	}),
	"Bad conditions": exactly(func(w *world) rows { return size(keys(withHealth(w, 0, plain))) }),
	"Unknown conditions": exactly(func(w *world) rows {
		return size(keys(withHealth(w, -1, plain)))
	}),
	"Stuck deletions":   exactly(func(w *world) rows { return size(where(w.everything(), deleting)) }),
	"Behind their spec": exactly(func(w *world) rows { return size(where(w.everything(), func(o object) bool { return lag(o) > 0 })) }),
	"Objects":           exactly(func(w *world) rows { return size(w.everything()) }),
	"Kinds": exactly(func(w *world) rows {
		return size(keys(counted(w.everything(), func(o object) string { return key(o.group(), o.kind()) })))
	}),
	"Unhealthy objects by kind": exactly(func(w *world) rows {
		return counted(where(w.everything(), func(o object) bool { return !healthy(o) }), func(o object) string { return key(o.group(), o.kind(), health(o)) })
	}),
	"Unhealthy": exactly(func(w *world) rows {
		return table(where(w.everything(), func(o object) bool { return !healthy(o) }), id)
	}),
	"Conditions that are not as they should be": exactly(func(w *world) rows { return withHealth(w, 0, plain) }),
	"Why": exactly(func(w *world) rows {
		return withHealth(w, 0, func(o, c object) (string, float64) {
			return key(id(o), c.str("type"), c.str("status"), c.str("reason")), 1
		})
	}),
	"Since when": exactly(func(w *world) rows {
		return withHealth(w, 0, func(o, c object) (string, float64) {
			return key(id(o), c.str("type")), w.now() - c.unix("lastTransitionTime")
		})
	}),
	"Controllers behind": exactly(func(w *world) rows {
		return valued(where(w.everything(), func(o object) bool { return lag(o) > 0 }), func(o object) (string, float64) { return id(o), lag(o) })
	}),
	"Deletions": about(func(w *world) rows {
		return valued(where(w.everything(), deleting), func(o object) (string, float64) { return id(o), w.now() - o.unix("metadata", "deletionTimestamp") })
	}),
	"Finalizers that deletions wait for": exactly(func(w *world) rows {
		out := rows{}
		for _, o := range where(w.everything(), deleting) {
			for _, f := range o.texts("metadata", "finalizers") {
				out[key(id(o), f)] = 1
			}
		}
		return out
	}),
	"Phases": exactly(func(w *world) rows {
		return counted(where(w.everything(), func(o object) bool { return o.str("status", "phase") != "" }), func(o object) string { return key(o.group(), o.kind(), o.str("status", "phase")) })
	}),
	"States": exactly(func(w *world) rows {
		return counted(where(w.everything(), func(o object) bool { return o.str("status", "state") != "" }), func(o object) string { return key(o.group(), o.kind(), o.str("status", "state")) })
	}),
	"Unhealthy objects over time": exactly(func(w *world) rows {
		out := rows{}
		for _, o := range w.everything() {
			out[o.kind()] += one(!healthy(o))
		}
		return out
	}),
	"Conditions by status over time": exactly(func(w *world) rows {
		out := rows{}
		for _, c := range each(w.everything(), "status", "conditions") {
			out[c.part.str("status")]++
		}
		return out
	}),
	"Not ready for an hour": exactly(func(w *world) rows {
		return counted(where(w.everything(), func(o object) bool {
			for _, c := range o.list("status", "conditions") {
				if c.str("type") == "Ready" && c.str("status") != "True" && w.now()-c.unix("lastTransitionTime") > 3600 {
					return true
				}
			}
			return false
		}), func(o object) string { return key(o.group(), o.kind()) })
	}),
}
