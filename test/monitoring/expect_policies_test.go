package monitoring

import (
	"slices"
)

// policyKinds are those with panels of their own, and the condition that says that
// one is in force in releases before Kuadrant 1.0.
var policyKinds = []struct{ kind, plural, metric, old string }{
	{"TLSPolicy", "TLSPolicies", "tlspolicy", "Ready"},
	{"DNSPolicy", "DNSPolicies", "dnspolicy", "Ready"},
	{"RateLimitPolicy", "RateLimitPolicies", "ratelimitpolicy", "Available"},
	{"AuthPolicy", "AuthPolicies", "authpolicy", "Available"},
}

// kuadrant are the policies of Kuadrant, extensions included.
func (w *world) kuadrant() []object {
	return where(w.all("TLSPolicy", "DNSPolicy", "RateLimitPolicy", "AuthPolicy", "TokenRateLimitPolicy", "PlanPolicy", "OIDCPolicy", "TelemetryPolicy", "ThreatPolicy"),
		func(o object) bool { return w.in("namespace", o.namespace()) })
}

func withKind(o object) string { return key(o.kind(), o.id()) }

func (w *world) policyPlaces() []place { return status(w.kuadrant(), withKind) }

// allTypes asks for conditions of any type that are not true.
func notTrue(_ place, c object) bool { return c.str("status") != "True" }

var policyPanels = merged(expectations{
	"BackendTLSPolicies with problems": exactly(func(w *world) rows {
		return objectsOf(ancestors(w), isNot("Accepted", "ResolvedRefs"))
	}),
	"Addresses that do not answer": exactly(func(w *world) rows {
		probes := w.of("DNSHealthCheckProbe", "")
		if len(probes) == 0 {
			return rows{}
		}
		return size(where(probes, func(o object) bool { return o.at("status", "healthy") == false }))
	}),
	"BackendTLSPolicies": exactly(func(w *world) rows { return size(w.of("BackendTLSPolicy", "backendtlspolicy")) }),
	// Those that every catalog has conditions with a generation of: a BackendTLSPolicy
	// has its conditions elsewhere.
	"Stale status": exactly(func(w *world) rows { return objectsOf(w.policyPlaces(), isStale) }),
	"Conditions that are not met": exactly(func(w *world) rows {
		out := rows{}
		for _, p := range w.policyPlaces() {
			for _, c := range p.conditions {
				if notTrue(p, c) {
					out[key(p.key, c.str("type"))] = 0
				}
			}
		}
		return out
	}),
	"Why": exactly(func(w *world) rows { return why(w.policyPlaces()) }),
	"Conditions of BackendTLSPolicies that are not met": exactly(func(w *world) rows {
		return notMet(ancestors(w), "Accepted", "ResolvedRefs")
	}),
	"Stale conditions": exactly(func(w *world) rows { return stale(w.policyPlaces()) }),
	"Targets of BackendTLSPolicies": exactly(func(w *world) rows {
		return table(each(w.of("BackendTLSPolicy", "backendtlspolicy"), "spec", "targetRefs"), func(p part) string {
			return key(p.of.id(), p.part.str("kind"), p.part.str("name"), p.part.str("sectionName"))
		})
	}),
	"Gateways without a TLSPolicy":         exactly(without("Gateway", "TLSPolicy")),
	"Gateways without a DNSPolicy":         exactly(without("Gateway", "DNSPolicy")),
	"HTTPRoutes without an AuthPolicy":     exactly(without("HTTPRoute", "AuthPolicy")),
	"HTTPRoutes without a RateLimitPolicy": exactly(without("HTTPRoute", "RateLimitPolicy")),
	"Conditions of DNSRecords that are not met": exactly(func(w *world) rows {
		return notMet(status(w.of("DNSRecord", ""), func(o object) string { return key(o.id(), o.str("spec", "rootHost")) }), "Ready", "Healthy")
	}),
	"Health checks": exactly(func(w *world) rows {
		return valued(w.of("DNSHealthCheckProbe", ""), func(o object) (string, float64) { return o.id(), one(o.at("status", "healthy") == true) })
	}),
	"Owners of domains": exactly(func(w *world) rows {
		out := rows{}
		for _, o := range w.of("DNSRecord", "") {
			out[o.str("spec", "rootHost")] += float64(len(o.texts("status", "domainOwners")))
		}
		return out
	}),
	"Failures in a row": exactly(func(w *world) rows {
		out := rows{}
		for _, o := range w.of("DNSHealthCheckProbe", "") {
			if n, _ := o.num("status", "consecutiveFailures"); n > 0 {
				out[o.id()] = n
			}
		}
		return out
	}),
	"Policies in force over time": exactly(func(w *world) rows {
		out := rows{}
		for _, o := range w.kuadrant() {
			if slices.ContainsFunc([]string{"Enforced", "Ready", "Available"}, func(typ string) bool { return is(o.list("status", "conditions"), typ, "True") }) {
				out[o.kind()]++
			}
		}
		return out
	}),
	"Time since last transition": exactly(func(w *world) rows {
		return since(where(w.policyPlaces(), func(p place) bool {
			return slices.Contains([]string{"TLSPolicy", "DNSPolicy", "RateLimitPolicy", "AuthPolicy"}, p.object.kind())
		}), w.now())
	}),
}, policiesByKind())

func policiesByKind() expectations {
	out := expectations{}
	for _, k := range policyKinds {
		chosen := func(w *world) []object { return w.of(k.kind, k.metric) }
		places := func(w *world) []place { return status(chosen(w), object.id) }
		// As gateway-api-state-metrics counts, whatever the namespace.
		conditions := func(types ...string) expectation {
			return exactly(func(w *world) rows {
				n := 0.0
				for _, o := range w.all(k.kind) {
					for _, c := range o.list("status", "conditions") {
						if len(types) == 0 || slices.Contains(types, c.str("type")) {
							n++
						}
					}
				}
				return single(n)
			})
		}
		out[k.plural+" with problems"] = exactly(func(w *world) rows { return objectsOf(places(w), notTrue) }).ifAny(chosen)
		out[k.plural] = exactly(func(w *world) rows { return size(chosen(w)) }).orNone()
		out[k.plural+": Total"] = conditions()
		out[k.plural+": "+k.old] = conditions(k.old)
		out["Targets of "+k.plural] = exactly(func(w *world) rows {
			return table(chosen(w), func(o object) string {
				return key(o.id(), o.str("spec", "targetRef", "kind"), o.str("spec", "targetRef", "name"), o.str("spec", "targetRef", "sectionName"))
			})
		})
	}
	return out
}

// ifAny is for numbers that are unknown, and not 0, when there are no objects.
func (e expectation) ifAny(objects func(*world) []object) expectation {
	inner := e.rows
	e.rows = func(w *world) rows {
		if len(objects(w)) == 0 {
			return rows{}
		}
		return inner(w)
	}
	return e
}

// ancestors are the conditions of BackendTLSPolicies.
func ancestors(w *world) (out []place) {
	for _, o := range w.of("BackendTLSPolicy", "backendtlspolicy") {
		for _, a := range o.list("status", "ancestors") {
			out = append(out, place{o, key(o.id(), a.str("controllerName"), a.str("ancestorRef", "kind"), a.str("ancestorRef", "name")), a.list("conditions")})
		}
	}
	return out
}

// without are the objects of a kind that no policy of another targets.
func without(kind, policy string) func(*world) rows {
	return func(w *world) rows {
		targeted := map[string]bool{}
		for _, p := range w.all(policy) {
			if p.str("spec", "targetRef", "kind") == kind {
				targeted[key(p.namespace(), p.str("spec", "targetRef", "name"))] = true
			}
		}
		return table(where(w.of(kind, ""), func(o object) bool { return !targeted[o.id()] }), object.id)
	}
}
