package monitoring

import (
	"slices"
	"strconv"
	"strings"
)

// rows are what a panel shows: values by what tells them apart, which is the legend
// of a series, or the columns of a table. A table without a column of the value has 1,
// and the one number of a stat panel no name.
type rows map[string]float64

func key(parts ...string) string { return strings.Join(parts, "|") }

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// single is what a stat panel shows.
func single(v float64) rows { return rows{"": v} }

// size is a stat panel with the number of things.
func size[T any](list []T) rows { return single(float64(len(list))) }

// negative are the conditions of the Gateway API that are bad when they are true.
var negative = []string{"Conflicted", "Detached", "OverlappingTLSConfig", "PartiallyInvalid", "InsecureFrontendValidationMode"}

// place is where an object has conditions.
type place struct {
	object     object
	key        string
	conditions []object
}

func (p place) generation() float64 { v, _ := p.object.num("metadata", "generation"); return v }

// bad reports whether a condition is not as it should be.
func bad(c object) bool {
	return slices.Contains(negative, c.str("type")) == (c.str("status") == "True")
}

// truth is the value of a condition.
func truth(c object) float64 {
	if c.str("status") == "True" {
		return 1
	}
	return 0
}

// notMet are the conditions of some types that are not as they should be.
func notMet(places []place, types ...string) rows {
	out := rows{}
	for _, p := range places {
		for _, c := range p.conditions {
			if slices.Contains(types, c.str("type")) && bad(c) {
				out[key(p.key, c.str("type"))] = truth(c)
			}
		}
	}
	return out
}

// why are the reasons of all conditions that are not as they should be.
func why(places []place) rows {
	out := rows{}
	for _, p := range places {
		for _, c := range p.conditions {
			if bad(c) {
				out[key(p.key, c.str("type"), c.str("status"), c.str("reason"))] = 1
			}
		}
	}
	return out
}

// since is for how long conditions have been as they are.
func since(places []place, now float64) rows {
	out := rows{}
	for _, p := range places {
		for _, c := range p.conditions {
			if at := c.unix("lastTransitionTime"); at > 0 {
				out[key(p.key, c.str("type"))] = now - at
			}
		}
	}
	return out
}

// stale are the conditions that are about an older generation, and by how many.
func stale(places []place) rows {
	out := rows{}
	for _, p := range places {
		for _, c := range p.conditions {
			if seen, ok := c.num("observedGeneration"); ok && seen < p.generation() {
				out[key(p.key, c.str("type"))] = p.generation() - seen
			}
		}
	}
	return out
}

// objectsOf counts the objects of places of which some condition is as asked.
func objectsOf(places []place, asked func(place, object) bool) rows {
	found := map[string]bool{}
	for _, p := range places {
		for _, c := range p.conditions {
			if asked(p, c) {
				found[key(p.object.kind(), p.object.id())] = true
			}
		}
	}
	return single(float64(len(found)))
}

func isStale(p place, c object) bool {
	seen, ok := c.num("observedGeneration")
	return ok && seen < p.generation()
}

// isNot asks for conditions of some types that are not true.
func isNot(types ...string) func(place, object) bool {
	return func(_ place, c object) bool {
		return slices.Contains(types, c.str("type")) && c.str("status") != "True"
	}
}
