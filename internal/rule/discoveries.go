package rule

// Discovery is what a discover field says about the kinds it may find.
type Discovery struct {
	// Document is the name of the rule document.
	Document string
	// Groups are globs of the groups; "*" for all.
	Groups []string
	// Labels says that labels of CustomResourceDefinitions decide.
	Labels bool
}

// Discoveries returns what the discover fields of the set say, in rule order.
func (s *Set) Discoveries() []Discovery {
	var out []Discovery
	for _, r := range s.resources {
		if r.discover == nil || len(r.metrics) == 0 {
			continue
		}
		d := Discovery{Document: r.document, Groups: r.discover.groups, Labels: r.discover.byLabel()}
		if !r.discover.hasGroups {
			d.Groups = []string{"*"}
		}
		out = append(out, d)
	}
	return out
}
