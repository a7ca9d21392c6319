package rule

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parameter is a value that the user of a document may choose. In expressions
// it is param.NAME, a list of texts.
type parameter struct {
	pos      *yaml.Node
	fallback []string
}

// parameters reads spec.parameters.
func (r Reporter) parameters(n *yaml.Node) map[string]parameter {
	out := make(map[string]parameter)
	r.Pairs(n, func(key, value *yaml.Node) {
		if identifier(key.Value) != len(key.Value) || key.Value == "" {
			r.Errorf(key, "parameter %q does not match [a-zA-Z_][a-zA-Z0-9_]*", key.Value)
		}
		p := parameter{pos: key}
		var help string
		r.Fields(value, false, map[string]func(*yaml.Node){"help": r.Text(&help), "default": r.Texts(&p.fallback)})
		out[key.Value] = p
	})
	return out
}

// params returns the values of a document's parameters.
func (c *compiler) params(d *Document) map[string]any {
	out := make(map[string]any, len(d.parameters))
	for name, p := range d.parameters {
		values := p.fallback
		if given, ok := c.opts.Params[d.Name+"."+name]; ok {
			c.given[d.Name+"."+name] = true
			values = given
		}
		list := make([]any, len(values))
		for i, v := range values {
			list[i] = v
		}
		out[name] = list
	}
	c.parameters, c.values = slices.Sorted(maps.Keys(d.parameters)), out
	for name := range d.parameters {
		c.known = append(c.known, d.Name+"."+name)
	}
	return out
}

// checkParameter reports a parameter that the document does not have.
func (c *compiler) checkParameter(a *alternative) error {
	var names []string
	switch {
	case a.literal != nil:
	case a.computed != nil:
		for _, p := range a.computed.Paths() {
			if p[0] == "param" && len(p) > 1 {
				names = append(names, p[1])
			}
		}
	case a.slot == slotParam && len(a.path) > 0:
		names = append(names, a.path[0].key)
	}
	for _, name := range names {
		if !slices.Contains(c.parameters, name) {
			return fmt.Errorf("the document has no parameter %q: it has %s%s", name, orNone(c.parameters), suggest(name, c.parameters))
		}
	}
	return nil
}

// checkParams reports values for parameters that no document has.
func (c *compiler) checkParams() {
	slices.Sort(c.known)
	for _, name := range slices.Sorted(maps.Keys(c.opts.Params)) {
		if !c.given[name] {
			c.list = append(c.list, Diagnostic{
				Position: Position{File: "--param"},
				Message:  fmt.Sprintf("no rule document has the parameter %q: the loaded rules have %s%s", name, orNone(c.known), suggest(name, c.known)),
			})
		}
	}
}

// ParseParam reads NAME=VALUE[,VALUE...], where the name is that of a document,
// a dot, and that of its parameter.
func ParseParam(s string) (name string, values []string, err error) {
	name, list, ok := strings.Cut(s, "=")
	if document, parameter, dotted := strings.Cut(name, "."); !ok || !dotted || document == "" || parameter == "" {
		return "", nil, fmt.Errorf("%q: expected DOCUMENT.PARAMETER=VALUE[,VALUE...], such as kyma.modules=istio,telemetry", s)
	}
	for v := range strings.SplitSeq(list, ",") {
		if v = strings.TrimSpace(v); v != "" {
			values = append(values, v)
		}
	}
	return name, values, nil
}

// paramName returns the name of a parameter in a list of texts that is given as
// param.NAME.
func paramName(s string) (string, bool) {
	name, ok := strings.CutPrefix(s, "param.")
	return name, ok && name != "" && identifier(name) == len(name)
}

// expand replaces param.NAME in a list of texts by the values of the parameter.
func (c *compiler) expand(r Reporter, n *yaml.Node, texts []string) []string {
	out := make([]string, 0, len(texts))
	for _, s := range texts {
		if name, ok := paramName(s); ok {
			out = append(out, c.paramTexts(r, n, name)...)
			continue
		}
		out = append(out, s)
	}
	return out
}

// paramTexts returns the values of a parameter of the document at work.
func (c *compiler) paramTexts(r Reporter, n *yaml.Node, name string) []string {
	if !slices.Contains(c.parameters, name) {
		r.Errorf(n, "the document has no parameter %q: it has %s%s", name, orNone(c.parameters), suggest(name, c.parameters))
		return nil
	}
	var out []string
	for _, v := range c.values[name].([]any) {
		out = append(out, v.(string))
	}
	return out
}

// discover puts the values of parameters into a discover field. A condition that
// consists of parameters without values is none.
func (c *compiler) discover(r Reporter, s *discoverSpec) *discoverSpec {
	if s == nil {
		return nil
	}
	out := *s
	for _, list := range []*[]string{&out.groups, &out.kinds, &out.exclude, &out.categories} {
		*list = c.expand(r, s.pos, *list)
		for _, g := range *list {
			if err := checkGlob(g); err != nil {
				r.Errorf(s.pos, "discover: pattern %q: %v", g, err)
			}
		}
	}
	onlyParams := len(s.groups) > 0 && !slices.ContainsFunc(s.groups, func(g string) bool { _, ok := paramName(g); return !ok })
	out.hasGroups = s.hasGroups && (len(out.groups) > 0 || !onlyParams)
	out.labels = c.paramCRDLabels(r, s.labels, s.paramLabels)
	out.excludeLabels = c.paramCRDLabels(r, s.excludeLabels, s.paramExcludeLabels)
	return &out
}

// paramCRDLabels adds labels that parameters say.
func (c *compiler) paramCRDLabels(r Reporter, labels []crdLabel, params []*yaml.Node) []crdLabel {
	labels = slices.Clip(labels)
	for _, n := range params {
		name, _ := paramName(n.Value)
		for _, text := range c.paramTexts(r, n, name) {
			labels = append(labels, parseCRDLabel(text))
		}
	}
	return labels
}
