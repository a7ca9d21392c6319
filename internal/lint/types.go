package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// checkTypes reports fields that exist, but are of a type that the rule cannot
// use. The legacy form has its own way with each type.
func (f *fieldLinter) checkTypes(r *rule.Reading, k *Kind, groups [][]rule.Read) {
	for _, group := range groups {
		if len(group) != 1 || group[0].Computed || group[0].Legacy {
			continue
		}
		read := group[0]
		w := follow(k.Schema, read.Path)
		if !w.Found || w.Type == "" {
			continue
		}
		many := slices.Contains([]string{"list", "map", "object"}, w.Type)
		var problem string
		switch {
		case read.Label != "" && many:
			problem = fmt.Sprintf("label %q needs one value", read.Label)
		case read.Value && many:
			problem = "a value is one number or text"
		case read.Scope && !many && !slices.ContainsFunc(r.Scopes, func(s rule.Scope) bool { return s.Lone && s.Source == read.Source }):
			problem = "forEach needs a list or a map"
		default:
			continue
		}
		f.mistake(k, mistake{at: read.At, name: r.Name, text: func(kinds []string) string {
			return fmt.Sprintf("path %s: it is %s in %s: %s", read.Source, aType(w.Type), kindList(kinds), problem)
		}})
	}
}

// aType returns the name of a type with its article.
func aType(name string) string {
	if name == "object" || name == "integer" {
		return "an " + name
	}
	return "a " + name
}

// checkStates compares the states of a stateSet with those that the schema
// allows.
func (f *fieldLinter) checkStates(r *rule.Reading, k *Kind) {
	if len(r.States) == 0 {
		return
	}
	for _, read := range r.Reads {
		if !read.Value || read.Computed {
			continue
		}
		w := follow(k.Schema, read.Path)
		if len(w.Enum) == 0 {
			continue
		}
		place := shownPath(read.Path)
		for _, state := range r.States {
			if !slices.Contains(w.Enum, state) {
				f.mistake(k, mistake{at: r.At, name: r.Name, text: func(kinds []string) string {
					return fmt.Sprintf("state %q: %s of %s is one of %s%s", state, place, kindList(kinds), strings.Join(w.Enum, ", "), rule.Suggest(state, w.Enum))
				}})
			}
		}
		unlisted := slices.DeleteFunc(slices.Clone(w.Enum), func(v string) bool { return slices.Contains(r.States, v) })
		if len(unlisted) > 0 {
			f.mistake(k, mistake{at: r.At, name: r.Name, text: func(kinds []string) string {
				return fmt.Sprintf("states: %s of %s can also be %s", place, kindList(kinds), strings.Join(unlisted, ", "))
			}})
		}
	}
}
