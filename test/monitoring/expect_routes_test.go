package monitoring

import "time"

// routePanels are those of the dashboard of a kind of route.
func routePanels(k routeKind) expectations {
	routes := func(w *world) []object { return w.of(k.kind, k.metric) }
	places := func(w *world) []place { return parents(routes(w)) }
	count := func(asked func(object) bool) expectation {
		return exactly(func(w *world) rows { return size(where(routes(w), asked)) })
	}
	orphan := func(o object) bool {
		for _, r := range references([]object{o}) {
			if r.attached {
				return false
			}
		}
		return true
	}
	unreported := func(o object) bool { return len(o.list("status", "parents")) == 0 }
	refs := func(o, ref object) string {
		return key(o.id(), ref.str("kind"), ref.str("namespace"), ref.str("name"), ref.str("sectionName"), ref.str("port"))
	}
	statusRefs := func(w *world) []part { return each(routes(w), "status", "parents") }
	out := expectations{
		"Orphan routes":           count(orphan),
		"Without a status":        count(unreported),
		"References not resolved": exactly(func(w *world) rows { return objectsOf(places(w), isNot("ResolvedRefs")) }),
		"Partially invalid": exactly(func(w *world) rows {
			return objectsOf(places(w), func(_ place, c object) bool { return c.str("type") == "PartiallyInvalid" && c.str("status") == "True" })
		}),
		"Stale status": exactly(func(w *world) rows { return objectsOf(places(w), isStale) }),
		"Parents not attached": exactly(func(w *world) rows {
			return size(where(references(routes(w)), func(r reference) bool { return !r.attached }))
		}),
		"Attached": exactly(func(w *world) rows {
			return size(where(references(routes(w)), func(r reference) bool { return r.attached }))
		}),
		"Total":        count(func(object) bool { return true }),
		"Tar. Parents": exactly(func(w *world) rows { return size(each(routes(w), "spec", "parentRefs")) }),
		"Att. Parents": exactly(func(w *world) rows { return size(statusRefs(w)) }),
		"Deleting":     count(func(o object) bool { return o.str("metadata", "deletionTimestamp") != "" }),
		"Not attached": exactly(func(w *world) rows {
			out := rows{}
			for _, r := range references(routes(w)) {
				if !r.attached {
					out[key(r.route.id(), key(r.parent[:]...))] = 0
				}
			}
			return out
		}).shown(),
		"Routes without a status": exactly(func(w *world) rows {
			return valued(where(routes(w), unreported), func(o object) (string, float64) { return o.id(), 1000 * o.created() })
		}),
		"Conditions that are not met": exactly(func(w *world) rows {
			return notMet(places(w), append([]string{"Accepted", "ResolvedRefs"}, negative...)...)
		}),
		"Why":              exactly(func(w *world) rows { return why(places(w)) }),
		"Stale conditions": exactly(func(w *world) rows { return stale(places(w)) }),
		"References not resolved, by reason": exactly(func(w *world) rows {
			out, seen := rows{}, map[string]bool{}
			for _, p := range places(w) {
				for _, c := range p.conditions {
					id := key(p.object.id(), c.str("reason"))
					if c.str("type") == "ResolvedRefs" && c.str("status") != "True" && !seen[id] {
						seen[id] = true
						out[c.str("reason")]++
					}
				}
			}
			return out
		}),
		k.kind + "s": exactly(func(w *world) rows {
			return valued(routes(w), func(o object) (string, float64) { return key(o.version(), o.id()), 1000 * o.created() })
		}),
		"Targeted Parents": exactly(func(w *world) rows {
			return table(each(routes(w), "spec", "parentRefs"), func(p part) string { return refs(p.of, p.part) })
		}),
		"Attached Parents": exactly(func(w *world) rows {
			return table(statusRefs(w), func(p part) string {
				ref := object(p.part.at("parentRef").(map[string]any))
				return key(p.of.id(), p.part.str("controllerName"), ref.str("kind"), ref.str("namespace"), ref.str("name"), ref.str("sectionName"), ref.str("port"))
			})
		}),
		"Parents over time": exactly(func(w *world) rows {
			all := references(routes(w))
			return rows{"all": float64(len(all)), "attached": float64(len(where(all, func(r reference) bool { return r.attached })))}
		}),
		"Time since last transition": exactly(func(w *world) rows { return since(places(w), w.now()) }),
		"Backends": exactly(func(w *world) rows {
			out := rows{}
			for _, o := range routes(w) {
				for i, r := range o.list("spec", "rules") {
					for _, b := range r.list("backendRefs") {
						weight, ok := b.num("weight")
						if !ok {
							weight = 1
						}
						out[key(o.id(), number(float64(i)), b.or("Service", "kind"), b.or(o.namespace(), "namespace"), b.str("name"), b.str("port"))] = weight
					}
				}
			}
			return out
		}),
	}
	if k.kind == "HTTPRoute" || k.kind == "GRPCRoute" || k.kind == "TLSRoute" {
		out["Hostnames"] = exactly(func(w *world) rows {
			out := rows{}
			for _, o := range routes(w) {
				for _, h := range o.texts("spec", "hostnames") {
					out[key(o.id(), h)] = 1
				}
			}
			return out
		})
	}
	if k.kind == "HTTPRoute" {
		out["Matches"], out["Timeouts"] = exactly(matches), exactly(timeouts)
	}
	return out
}

// shown gives rows the value of a table without a column for it.
func (e expectation) shown() expectation {
	inner := e.rows
	e.rows = func(w *world) rows {
		out := inner(w)
		for k := range out {
			out[k] = 1
		}
		return out
	}
	return e
}

// matches are those of the rules of HTTPRoutes.
func matches(w *world) rows {
	out := rows{}
	for _, o := range w.of("HTTPRoute", "httproute") {
		for i, r := range o.list("spec", "rules") {
			for j, m := range r.list("matches") {
				out[key(o.id(), number(float64(i)), number(float64(j)), m.str("method"), m.str("path", "type"), m.str("path", "value"))] = 1
			}
		}
	}
	return out
}

// timeouts are those of the rules of HTTPRoutes, in seconds.
func timeouts(w *world) rows {
	out := rows{}
	for _, o := range w.of("HTTPRoute", "httproute") {
		for i, r := range o.list("spec", "rules") {
			for _, of := range []string{"request", "backendRequest"} {
				if d, err := time.ParseDuration(r.str("timeouts", of)); err == nil {
					out[key(o.id(), number(float64(i)), of)] = d.Seconds()
				}
			}
		}
	}
	return out
}
