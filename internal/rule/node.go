package rule

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxNodes bounds how many YAML nodes a file may expand to through aliases.
const maxNodes = 1_000_000

// resolve follows an alias.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Tag == "!!null"
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	default:
		if isNull(n) {
			return "nothing"
		}
		return "the " + strings.TrimPrefix(n.ShortTag(), "!!") + " " + strconv.Quote(n.Value)
	}
}

// Fields calls the function of each key of a mapping with the key's value.
// Unknown keys are errors, or warnings when lenient; a null value is as good as
// an absent key.
func (r Reporter) Fields(n *yaml.Node, lenient bool, known map[string]func(*yaml.Node)) {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		r.Errorf(n, "expected a map, found %s", kindName(n))
		return
	}
	r.Pairs(n, func(key, value *yaml.Node) {
		fn := known[key.Value]
		switch {
		case fn != nil && !isNull(value):
			fn(value)
		case fn != nil:
		case lenient:
			r.Warnf(key, "unknown field %q is ignored%s", key.Value, suggest(key.Value, slices.Sorted(maps.Keys(known))))
		default:
			r.Errorf(key, "unknown field %q%s", key.Value, suggest(key.Value, slices.Sorted(maps.Keys(known))))
		}
	})
}

// Text stores a scalar as it is written.
func (r Reporter) Text(dst *string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode {
			r.Errorf(n, "expected text, found %s", kindName(n))
			return
		}
		*dst = n.Value
		if isNull(n) {
			*dst = ""
		}
	}
}

// Bool stores true or false.
func (r Reporter) Bool(dst *bool) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if err := n.Decode(dst); err != nil || n.Kind != yaml.ScalarNode {
			r.Errorf(n, "expected true or false, found %s", kindName(n))
		}
	}
}

// Texts stores a list of scalars. A scalar of another type than string (the 0
// of a path) is taken as it is written; nulls are left out.
func (r Reporter) Texts(dst *[]string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		list := []string{}
		r.Each(n, func(item *yaml.Node) {
			if isNull(item) {
				return
			}
			var s string
			r.Text(&s)(item)
			list = append(list, s)
		})
		*dst = list
	}
}

// Each calls a function for each element of a list.
func (r Reporter) Each(n *yaml.Node, fn func(*yaml.Node)) {
	if n.Kind != yaml.SequenceNode {
		r.Errorf(n, "expected a list, found %s", kindName(n))
		return
	}
	for _, item := range n.Content {
		fn(resolve(item))
	}
}

// Pairs calls a function for each key and value of a map, in the order of the
// file. A key that is there twice is an error.
func (r Reporter) Pairs(n *yaml.Node, fn func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		r.Errorf(n, "expected a map, found %s", kindName(n))
		return
	}
	seen := make(map[string]bool)
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key := n.Content[i]; seen[key.Value] {
			r.Errorf(key, "field %q is there twice", key.Value)
		} else {
			seen[key.Value] = true
		}
	}
	for _, p := range pairs(n, 0) {
		fn(p.key, p.value)
	}
}

type pair struct{ key, value *yaml.Node }

// pairs returns the keys and values of a map, those of YAML's merge keys
// included: what the map says itself goes before what it merges.
func pairs(n *yaml.Node, depth int) []pair {
	var own []pair
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], resolve(n.Content[i+1])
		switch {
		case key.Tag != "!!merge":
			own = append(own, pair{key, value})
		case value.Kind == yaml.SequenceNode:
			merged = append(merged, value.Content...)
		default:
			merged = append(merged, value)
		}
	}
	for _, m := range merged {
		if m = resolve(m); m.Kind != yaml.MappingNode || depth > maxMergeDepth {
			continue
		}
		for _, p := range pairs(m, depth+1) {
			if !slices.ContainsFunc(own, func(o pair) bool { return o.key.Value == p.key.Value }) {
				own = append(own, p)
			}
		}
	}
	return own
}

// maxMergeDepth ends maps that merge maps that merge maps.
const maxMergeDepth = 8

// Number stores a number.
func (r Reporter) Number(dst **float64) func(*yaml.Node) {
	return func(n *yaml.Node) {
		var v float64
		if err := n.Decode(&v); err != nil || n.Kind != yaml.ScalarNode {
			r.Errorf(n, "expected a number, found %s", kindName(n))
			return
		}
		*dst = &v
	}
}

// size counts the nodes below n, aliases expanded, up to a bound.
func size(n *yaml.Node, budget int) int {
	if budget <= 0 {
		return math.MaxInt32
	}
	n = resolve(n)
	total := 1
	for _, c := range n.Content {
		total += size(c, budget-total)
		if total > budget {
			return math.MaxInt32
		}
	}
	return total
}
