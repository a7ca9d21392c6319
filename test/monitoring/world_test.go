package monitoring

import (
	"slices"
)

// world is what a dashboard can show: the objects of a lab, of which some are chosen.
type world struct {
	*lab
	// chosen are the variables of the dashboard that are not All.
	chosen map[string]string
}

// routeKind is a kind of route, and what metrics call it.
type routeKind struct{ kind, metric string }

var routeKinds = []routeKind{
	{"HTTPRoute", "httproute"}, {"GRPCRoute", "grpcroute"}, {"TLSRoute", "tlsroute"}, {"TCPRoute", "tcproute"}, {"UDPRoute", "udproute"},
}

// now is when queries are evaluated, in Unix seconds.
func (w *world) now() float64 { return float64(w.at.Unix()) }

// in reports whether a value is chosen.
func (w *world) in(variable, value string) bool {
	chosen, ok := w.chosen[variable]
	return !ok || chosen == value
}

// all are the objects of some kinds.
func (w *world) all(kinds ...string) (out []object) {
	for _, o := range w.state {
		if slices.Contains(kinds, o.kind()) {
			out = append(out, o)
		}
	}
	return out
}

// of are the objects of a kind that are chosen by namespace and name.
func (w *world) of(kind, variable string) (out []object) {
	for _, o := range w.all(kind) {
		if w.in("namespace", o.namespace()) && w.in(variable, o.name()) {
			out = append(out, o)
		}
	}
	return out
}

func (w *world) gateways() []object { return w.of("Gateway", "gateway") }

// status are the conditions of objects themselves. With identity their key is that,
// else their namespace and name.
func status(objects []object, identity func(object) string) (out []place) {
	for _, o := range objects {
		out = append(out, place{o, identity(o), o.list("status", "conditions")})
	}
	return out
}

// listeners are the conditions of listeners.
func listeners(objects []object) (out []place) {
	for _, o := range objects {
		for _, l := range o.list("status", "listeners") {
			out = append(out, place{o, key(o.id(), l.str("name")), l.list("conditions")})
		}
	}
	return out
}

// parents are the conditions of routes for each parent and controller.
func parents(routes []object) (out []place) {
	for _, o := range routes {
		for _, p := range o.list("status", "parents") {
			ref := object(p.at("parentRef").(map[string]any))
			out = append(out, place{o, key(o.id(), p.str("controllerName"), ref.str("kind"), ref.str("namespace"), ref.str("name"), ref.str("sectionName")), p.list("conditions")})
		}
	}
	return out
}

// parentOf is a reference to a parent with what it leaves out filled in.
func parentOf(route, ref object) [5]string {
	return [5]string{ref.or("Gateway", "kind"), ref.or(route.namespace(), "namespace"), ref.str("name"), ref.str("sectionName"), ref.str("port")}
}

// reference is a reference of a route to a parent.
type reference struct {
	route, ref object
	parent     [5]string
	attached   bool
}

func (r reference) value() float64 {
	if r.attached {
		return 1
	}
	return 0
}

// references are those of routes to their parents.
func references(routes []object) (out []reference) {
	for _, o := range routes {
		for _, ref := range o.list("spec", "parentRefs") {
			r := reference{route: o, ref: ref, parent: parentOf(o, ref)}
			for _, p := range o.list("status", "parents") {
				if parentOf(o, p.at("parentRef").(map[string]any)) == r.parent && is(p.list("conditions"), "Accepted", "True") {
					r.attached = true
				}
			}
			out = append(out, r)
		}
	}
	return out
}

// table has a row with the value 1 for each thing.
func table[T any](things []T, row func(T) string) rows {
	out := rows{}
	for _, t := range things {
		out[row(t)] = 1
	}
	return out
}

// valued has a row for each thing.
func valued[T any](things []T, row func(T) (string, float64)) rows {
	out := rows{}
	for _, t := range things {
		k, v := row(t)
		out[k] = v
	}
	return out
}

// where are the things for which something is true.
func where[T any](things []T, asked func(T) bool) (out []T) {
	for _, t := range things {
		if asked(t) {
			out = append(out, t)
		}
	}
	return out
}

// each are the parts of objects, with the object that they are of.
type part struct{ of, part object }

func each(objects []object, path ...string) (out []part) {
	for _, o := range objects {
		for _, p := range o.list(path...) {
			out = append(out, part{o, p})
		}
	}
	return out
}
