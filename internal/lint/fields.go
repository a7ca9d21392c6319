package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// checkFields reports what rules read and schemas do not have.
func (l *linter) checkFields(readings []rule.Reading, kinds []Kind) {
	f := &fieldLinter{linter: l, kinds: kinds, fits: make(map[rule.Position]bool)}
	for i := range readings {
		f.check(&readings[i])
	}
	for _, m := range f.mistakes {
		if !f.fits[m.at] || !m.gap {
			l.warn(m.at, m.name, "%s", m.text(m.kinds))
		}
	}
}

// fieldLinter gathers mistakes, so that one that an alias repeats for several
// kinds is told once.
type fieldLinter struct {
	*linter
	kinds    []Kind
	mistakes []*mistake
	// fits are the positions of expressions whose fields some kind has: what
	// several kinds share need not fit them all.
	fits map[rule.Position]bool
}

// mistake is a finding about some kinds.
type mistake struct {
	at    rule.Position
	name  string // of the metric
	text  func(kinds []string) string
	kinds []string
	gap   bool // a field is missing
}

// mistake adds a kind to a mistake. What text says of one kind tells mistakes
// apart.
func (f *fieldLinter) mistake(k *Kind, m mistake) {
	kind := k.Kind + " " + k.Version
	for _, known := range f.mistakes {
		if known.at == m.at && known.text([]string{""}) == m.text([]string{""}) {
			if !slices.Contains(known.kinds, kind) {
				known.kinds = append(known.kinds, kind)
			}
			if known.name != m.name {
				known.name = "" // metrics have it in common
			}
			return
		}
	}
	m.kinds = []string{kind}
	f.mistakes = append(f.mistakes, &m)
}

// kindList names kinds, three of them at most.
func kindList(kinds []string) string {
	switch n := len(kinds); {
	case n == 1:
		return kinds[0]
	case n <= 3:
		return strings.Join(kinds[:n-1], ", ") + " and " + kinds[n-1]
	default:
		return fmt.Sprintf("%s, %s and %d more kinds", kinds[0], kinds[1], n-2)
	}
}

// check checks a metric against the kinds that it is about. Of one that is about
// whatever kinds there are, only what none of them has is a mistake.
func (f *fieldLinter) check(r *rule.Reading) {
	matching := matchingKinds(r, f.kinds)
	if len(matching) == 0 {
		f.unknownKind(r)
		return
	}
	groups := groupReads(r.Reads)
	gaps := make([][]gap, len(matching))
	for i, k := range matching {
		gaps[i] = gapsOf(k, groups)
		f.fit(groups, gaps[i])
	}
	open := r.Discovered || r.GVK.Kind == "*"
	for i, k := range matching {
		for _, g := range gaps[i] {
			everywhere := !slices.ContainsFunc(gaps, func(other []gap) bool {
				return !slices.ContainsFunc(other, func(o gap) bool { return o.read.Group == g.read.Group })
			})
			if !g.hidden && (!open || everywhere) {
				f.mistake(k, mistake{at: g.at(r), name: r.Name, text: g.text, gap: true})
			}
		}
		if !open {
			f.checkTypes(r, k, groups)
			f.checkStates(r, k)
		}
	}
}

// fit notes the expressions that have no gap.
func (f *fieldLinter) fit(groups [][]rule.Read, gaps []gap) {
	for _, group := range groups {
		if slices.ContainsFunc(gaps, func(g gap) bool { return g.read.Group == group[0].Group }) {
			continue
		}
		for _, read := range group {
			f.fits[read.At] = true
		}
	}
}

// matchingKinds returns the kinds that a metric is about.
func matchingKinds(r *rule.Reading, kinds []Kind) []*Kind {
	var out []*Kind
	for i := range kinds {
		if r.Matches(kinds[i].Served) {
			out = append(out, &kinds[i])
		}
	}
	return out
}

// unknownKind reports, once for each kind, that a metric is about none that has a
// schema.
func (f *fieldLinter) unknownKind(r *rule.Reading) {
	var versions, names []string
	for _, k := range f.kinds {
		switch {
		case k.Group != r.GVK.Group:
		case k.Kind == r.GVK.Kind:
			versions = append(versions, k.Version)
		case k.Best:
			names = append(names, k.Kind)
		}
	}
	severity, message := severityNote, fmt.Sprintf("there is no schema of %s: its fields are not checked%s", r.GVK, rule.Suggest(r.GVK.Kind, names))
	switch {
	case r.Discovered:
		message = "no kind that has a schema here matches discover: fields are not checked"
	case len(versions) > 0:
		severity = severityWarning
		message = fmt.Sprintf("%s has no version %s that is served: there are %s", r.GVK.Kind, r.GVK.Version, strings.Join(versions, ", "))
	}
	if !slices.ContainsFunc(f.findings, func(o finding) bool { return o.at.File == r.At.File && o.message == message }) {
		f.say(severity, r.At, r.Name, "%s", message)
	}
}

// groupReads puts the reads of each expression together.
func groupReads(reads []rule.Read) [][]rule.Read {
	return slices.Collect(func(yield func([]rule.Read) bool) {
		for start := 0; start < len(reads); {
			end := start + 1
			for end < len(reads) && reads[end].Group == reads[start].Group {
				end++
			}
			if !yield(reads[start:end]) {
				return
			}
			start = end
		}
	})
}

// gap is a read of a field that does not exist.
type gap struct {
	read rule.Read
	way
	// hidden says that the field is below a list that does not exist, which is
	// told.
	hidden bool
}

// gapsOf returns the gaps of all expressions for a kind.
func gapsOf(k *Kind, groups [][]rule.Read) []gap {
	var out []gap
	scopes := make(map[string]bool)
	for _, group := range groups {
		for _, g := range gapsOfGroup(k, group) {
			relative := g.read.Legacy || !strings.HasPrefix(g.read.Source, "object.")
			g.hidden = scopes[g.prefix()] && relative
			if g.read.Scope {
				scopes[g.prefix()] = true
			}
			out = append(out, g)
		}
	}
	return out
}

// gapsOfGroup returns the gaps of an expression: none when an alternative of it
// may exist, and else one at each position.
func gapsOfGroup(k *Kind, group []rule.Read) []gap {
	gaps := make(map[int][]gap)
	for _, read := range group {
		gaps[read.Alternative] = slices.Clip(gaps[read.Alternative])
		if w := follow(k.Schema, read.Path); w.Missing {
			gaps[read.Alternative] = append(gaps[read.Alternative], gap{read: read, way: w})
		}
	}
	var out []gap
	for i := 0; len(gaps) > 0; i++ {
		found, ok := gaps[i]
		if !ok {
			continue
		}
		delete(gaps, i)
		if len(found) == 0 {
			return nil
		}
		for _, g := range found {
			at := slices.IndexFunc(out, func(o gap) bool { return o.read.At == g.read.At && o.read.Alternative != g.read.Alternative })
			switch {
			case at < 0:
				out = append(out, g)
			case g.named() && (!out[at].named() || !g.read.Legacy && len(g.At) > len(out[at].At)):
				out[at] = g
			}
		}
	}
	return out
}

// at returns where a gap is.
func (g gap) at(r *rule.Reading) rule.Position { return cmp.Or(g.read.At, r.At) }

// text says what is missing.
func (g gap) text(kinds []string) string {
	path := g.read.Source
	if g.read.Computed {
		path = shownPath(append([]string{"object"}, g.read.Path...))
	} else if g.read.Legacy {
		path = shownPath(g.read.Path)
	}
	place := shownPath(g.At)
	switch {
	case g.Type == "list" && g.Step != rule.Element && g.read.Legacy:
		return fmt.Sprintf("path %s: %s is a list in %s: a path of this form does not go through lists; name an element, such as [type=Ready], or write the metric with forEach",
			path, place, kindList(kinds))
	case g.Type == "list" && g.Step != rule.Element:
		return fmt.Sprintf("path %s: %s is a list in %s: go through it with forEach, or name an element, such as [0]", path, place, kindList(kinds))
	case g.Type != "object" && g.Type != "map":
		return fmt.Sprintf("path %s: %s is %s in %s: it has nothing below", path, place, aType(g.Type), kindList(kinds))
	case g.Step == rule.Element:
		return fmt.Sprintf("path %s: %s is no list in %s", path, place, kindList(kinds))
	}
	has, in, hint := "has", "", ""
	if len(kinds) > 1 {
		has = "have"
	}
	if place != "" {
		in = " in " + place
	}
	if g.Suggestion != "" {
		hint = fmt.Sprintf(", did you mean %q?", g.Suggestion)
	}
	return fmt.Sprintf("path %s: %s %s no field %q%s%s", path, kindList(kinds), has, g.Step, in, hint)
}
