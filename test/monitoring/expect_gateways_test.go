package monitoring

import "slices"

// met are the conditions without which a Gateway or a listener does not work.
var met = []string{"Accepted", "Programmed", "ResolvedRefs"}

// wrong are all types of conditions that a problem panel looks at.
var wrong = slices.Concat(met, negative)

func (w *world) classes() (out []object) {
	return where(w.all("GatewayClass"), func(o object) bool { return w.in("gatewayclass", o.name()) })
}

// ofClasses are the Gateways of the chosen classes.
func (w *world) ofClasses() []object {
	return where(w.all("Gateway"), func(o object) bool { return w.in("gatewayclass", o.str("spec", "gatewayClassName")) })
}

func (w *world) classPlaces() []place { return status(w.classes(), object.name) }

func accepted(o object) bool { return is(o.list("status", "conditions"), "Accepted", "True") }

var gatewayClassPanels = expectations{
	"Not accepted": exactly(func(w *world) rows {
		return size(where(w.classes(), func(o object) bool { return !accepted(o) }))
	}),
	"Gateways without a controller": exactly(func(w *world) rows {
		good := map[string]bool{}
		for _, c := range w.all("GatewayClass") {
			good[c.name()] = accepted(c)
		}
		return size(where(w.ofClasses(), func(o object) bool { return !good[o.str("spec", "gatewayClassName")] }))
	}),
	"Stale status": exactly(func(w *world) rows { return objectsOf(w.classPlaces(), isStale) }),
	"Total":        exactly(func(w *world) rows { return size(w.all("GatewayClass")) }),
	"Accepted":     exactly(func(w *world) rows { return size(where(w.all("GatewayClass"), accepted)) }),
	"Gateways":     exactly(func(w *world) rows { return size(w.ofClasses()) }),
	"GatewayClasses": exactly(func(w *world) rows {
		return valued(w.all("GatewayClass"), func(o object) (string, float64) {
			return key(o.version(), o.name(), o.str("spec", "controllerName")), 1000 * o.created()
		})
	}),
	"Gateways (by GatewayClass)": exactly(func(w *world) rows {
		return table(w.ofClasses(), func(o object) string { return key(o.str("spec", "gatewayClassName"), o.id()) })
	}),
	"Supported Features": exactly(func(w *world) rows {
		out := rows{}
		for _, o := range w.classes() {
			for _, f := range o.list("status", "supportedFeatures") {
				out[key(o.name(), f.str("name"))] = 1
			}
			for _, f := range o.texts("status", "supportedFeatures") {
				out[key(o.name(), f)] = 1
			}
		}
		return out
	}),
	"Conditions": exactly(func(w *world) rows {
		out := rows{}
		for _, p := range w.classPlaces() {
			for _, c := range p.conditions {
				out[key(p.key, c.str("type"))] = truth(c)
			}
		}
		return out
	}),
	"Why":              exactly(func(w *world) rows { return why(w.classPlaces()) }),
	"Stale conditions": exactly(func(w *world) rows { return stale(w.classPlaces()) }),
	"Accepted over time": exactly(func(w *world) rows {
		return valued(w.classes(), func(o object) (string, float64) { return o.name(), one(accepted(o)) })
	}),
	"Time since last transition": exactly(func(w *world) rows { return since(w.classPlaces(), w.now()) }),
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

func (w *world) gatewayPlaces() []place  { return status(w.gateways(), object.id) }
func (w *world) listenerPlaces() []place { return listeners(w.gateways()) }
func (w *world) listenerSets() []object  { return w.of("ListenerSet", "") }

func programmed(o object) bool { return is(o.list("status", "conditions"), "Programmed", "True") }

var gatewayPanels = merged(expectations{
	"Gateways with problems": exactly(func(w *world) rows { return objectsOf(w.gatewayPlaces(), isNot("Accepted", "Programmed")) }),
	"Listeners with problems": exactly(func(w *world) rows {
		return size(where(w.listenerPlaces(), func(p place) bool { return len(notMet([]place{p}, wrong...)) > 0 }))
	}),
	"Listeners without a status": exactly(func(w *world) rows {
		known := map[string]bool{}
		for _, p := range w.listenerPlaces() {
			known[p.key] = len(p.conditions) > 0
		}
		return size(where(each(w.gateways(), "spec", "listeners"), func(l part) bool { return !known[key(l.of.id(), l.part.str("name"))] }))
	}),
	"ListenerSets with problems": exactly(func(w *world) rows {
		return objectsOf(status(w.listenerSets(), object.id), isNot("Accepted", "Programmed"))
	}).ifAny((*world).listenerSets),
	"Stale status": exactly(func(w *world) rows { return objectsOf(w.gatewayPlaces(), isStale) }),
	"Listeners without TLS": exactly(func(w *world) rows {
		return size(where(each(w.gateways(), "spec", "listeners"), func(l part) bool { return l.part.str("protocol") == "HTTP" }))
	}),
	"Total":      exactly(func(w *world) rows { return size(w.gateways()) }),
	"Accepted":   exactly(func(w *world) rows { return size(where(w.gateways(), accepted)) }),
	"Programmed": exactly(func(w *world) rows { return size(where(w.gateways(), programmed)) }),
	"Listeners":  exactly(func(w *world) rows { return size(each(w.gateways(), "spec", "listeners")) }),
	"Att. Routes": exactly(func(w *world) rows {
		sum := 0.0
		for _, l := range each(w.gateways(), "status", "listeners") {
			n, _ := l.part.num("attachedRoutes")
			sum += n
		}
		return single(sum)
	}),
	"Unhealthy": exactly(func(w *world) rows { return size(keys(notMet(w.gatewayPlaces(), "Accepted", "Programmed"))) }),
	"Gateways": exactly(func(w *world) rows {
		return valued(w.gateways(), func(o object) (string, float64) {
			return key(o.version(), o.str("spec", "gatewayClassName"), o.id()), 1000 * o.created()
		})
	}),
	"Gateway Listeners": exactly(func(w *world) rows {
		return table(each(w.gateways(), "spec", "listeners"), func(l part) string {
			return key(l.of.id(), l.part.str("name"), l.part.str("port"), l.part.str("protocol"), l.part.str("hostname"),
				l.part.str("tls", "mode"), l.part.str("allowedRoutes", "namespaces", "from"))
		})
	}),
	"Status Addresses": exactly(func(w *world) rows {
		return table(each(w.gateways(), "status", "addresses"), func(a part) string { return key(a.of.id(), a.part.str("type"), a.part.str("value")) })
	}),
	"Attached Routes": exactly(func(w *world) rows {
		return valued(each(w.gateways(), "status", "listeners"), func(l part) (string, float64) {
			n, _ := l.part.num("attachedRoutes")
			return key(l.of.id(), l.part.str("name")), n
		})
	}),
	"Conditions of Gateways that are not met":  exactly(func(w *world) rows { return notMet(w.gatewayPlaces(), met...) }),
	"Why Gateways do not work":                 exactly(func(w *world) rows { return why(w.gatewayPlaces()) }),
	"Conditions of listeners that are not met": exactly(func(w *world) rows { return notMet(w.listenerPlaces(), wrong...) }),
	"Why listeners do not work":                exactly(func(w *world) rows { return why(w.listenerPlaces()) }),
	"Accepted, with invalid listeners": exactly(func(w *world) rows {
		out := rows{}
		for _, p := range w.gatewayPlaces() {
			for _, c := range p.conditions {
				if c.str("type") == "Accepted" && c.str("status") == "True" && c.str("reason") == "ListenersNotValid" {
					out[key(p.key, "ListenersNotValid")] = 1
				}
			}
		}
		return out
	}),
	"Stale conditions": exactly(func(w *world) rows { return stale(w.gatewayPlaces()) }),
	"ListenerSets": exactly(func(w *world) rows {
		return table(w.listenerSets(), func(o object) string {
			return key(o.id(), o.str("spec", "parentRef", "kind"), o.str("spec", "parentRef", "namespace"), o.str("spec", "parentRef", "name"))
		})
	}),
	"Why listeners of ListenerSets do not work": exactly(func(w *world) rows { return why(listeners(w.listenerSets())) }),
	"Programmed over time": exactly(func(w *world) rows {
		return valued(w.gateways(), func(o object) (string, float64) { return o.namespace() + "/" + o.name(), one(programmed(o)) })
	}),
	"Attached routes over time": exactly(func(w *world) rows {
		out := rows{}
		for _, l := range each(w.gateways(), "status", "listeners") {
			n, _ := l.part.num("attachedRoutes")
			out[l.of.namespace()+"/"+l.of.name()] += n
		}
		return out
	}),
	"Time since last transition":              exactly(func(w *world) rows { return since(w.gatewayPlaces(), w.now()) }),
	"Time since last transition of listeners": exactly(func(w *world) rows { return since(w.listenerPlaces(), w.now()) }),
}, routesByGateway())

// routesByGateway are the tables of routes that want to be attached to Gateways.
func routesByGateway() expectations {
	out := expectations{}
	for _, k := range routeKinds {
		out[k.kind+"s (by Gateway)"] = exactly(func(w *world) rows {
			found := where(references(w.all(k.kind)), func(r reference) bool {
				return r.parent[0] == "Gateway" && w.in("namespace", r.parent[1]) && w.in("gateway", r.parent[2])
			})
			return valued(found, func(r reference) (string, float64) {
				return key(r.route.id(), r.parent[1], r.parent[2], r.parent[3]), r.value()
			})
		})
	}
	return out
}

// orNone is for counts that have no number, and not 0, when there is nothing to count.
func (e expectation) orNone() expectation {
	inner := e.rows
	e.rows = func(w *world) rows {
		out := inner(w)
		if out[""] == 0 {
			return rows{}
		}
		return out
	}
	return e
}

// merged puts expectations together.
func merged(all ...expectations) expectations {
	out := expectations{}
	for _, some := range all {
		for title, e := range some {
			out[title] = e
		}
	}
	return out
}

func keys(r rows) (out []string) {
	for k := range r {
		out = append(out, k)
	}
	return out
}
