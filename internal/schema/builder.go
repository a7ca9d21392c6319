package schema

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
)

// maxDepth is how deep schemas are read. What is below may be anything.
const maxDepth = 100

// builder makes nodes of the schemas of one document. Nodes that say the same are
// one node: CRDs repeat the same types over and over.
type builder struct {
	// loose is true when an object without fields may have any.
	loose bool
	// resolve returns the node that a $ref leads to.
	resolve func(ref string) *node

	nodes map[string]*node
	ids   map[*node]int
	names map[string]string
	key   []byte // of the node that is looked for; kept to be used again
}

func newBuilder() *builder {
	b := &builder{nodes: make(map[string]*node), ids: make(map[*node]int), names: make(map[string]string)}
	b.resolve = func(string) *node { return b.anything() }
	return b
}

// node returns the node of a schema, as JSON has it.
func (b *builder) node(v any, depth int) *node {
	m, ok := v.(map[string]any)
	if !ok || depth > maxDepth {
		return b.anything()
	}
	if ref, ok := m["$ref"].(string); ok {
		return b.resolve(ref)
	}
	n := b.read(m, depth)
	bare := len(n.fields) == 0 && len(n.parts) == 0 && n.element == nil && m["additionalProperties"] != any(false)
	if bare && (n.kind == kindAny || n.kind == kindObject && b.loose) {
		n.open = true
	}
	if embedded, _ := m["x-kubernetes-embedded-resource"].(bool); embedded {
		n = *object(b.canonical(n))
	}
	if len(n.parts) == 1 && n.empty() {
		return n.parts[0]
	}
	return b.canonical(n)
}

// part returns the node of what allOf has. What it does not say, others do: that
// it names no fields does not mean that there may be any.
func (b *builder) part(v any, depth int) *node {
	m, ok := v.(map[string]any)
	if _, isRef := m["$ref"]; !ok || isRef || depth > maxDepth {
		return b.node(v, depth)
	}
	return b.canonical(b.read(m, depth))
}

// anything returns the node of a value of which nothing is known.
func (b *builder) anything() *node { return b.canonical(node{open: true}) }

// read reads a schema that is no $ref.
func (b *builder) read(m map[string]any, depth int) node {
	n := node{kind: kindOf(m), enum: b.enum(m["enum"])}
	n.open, _ = m["x-kubernetes-preserve-unknown-fields"].(bool)
	parts, _ := m["allOf"].([]any)
	for _, part := range parts {
		n.parts = append(n.parts, b.part(part, depth+1))
	}
	switch n.kind {
	case kindObject:
		b.object(&n, m, depth)
	case kindList:
		n.element, n.max = b.node(m["items"], depth+1), limit(m["maxItems"])
	}
	return n
}

// object reads what a schema says of an object's fields.
func (b *builder) object(n *node, m map[string]any, depth int) {
	properties, _ := m["properties"].(map[string]any)
	n.fields = make([]field, 0, len(properties))
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		n.fields = append(n.fields, field{b.name(name), b.node(properties[name], depth+1)})
	}
	switch more := m["additionalProperties"].(type) {
	case bool:
		if more {
			n.element = b.anything()
		}
	case map[string]any:
		n.element = b.node(more, depth+1)
	}
	n.max = limit(m["maxProperties"])
}

// kindOf returns the type of a schema. Where none is named, it is seen by what
// else is there.
func kindOf(m map[string]any) kind {
	has := func(key string) bool { _, ok := m[key].(map[string]any); return ok }
	if either, _ := m["x-kubernetes-int-or-string"].(bool); either || m["format"] == "int-or-string" {
		return kindAny
	}
	switch t := m["type"].(type) {
	case string:
		return kinds[t]
	case []any: // OpenAPI 3.1
		t = slices.DeleteFunc(slices.Clone(t), func(v any) bool { return v == "null" })
		if len(t) != 1 {
			return kindAny
		}
		name, _ := t[0].(string)
		return kinds[name]
	}
	switch {
	case has("properties"), has("additionalProperties"):
		return kindObject
	case has("items"):
		return kindList
	}
	return kindAny
}

// limit returns a maxItems or maxProperties.
func limit(v any) int32 {
	f, _ := v.(float64)
	return int32(max(0, min(f, math.MaxInt32)))
}

// enum returns listed values as text. A null, which says that a value may be
// missing, is left out.
func (b *builder) enum(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, v := range list {
		switch v := v.(type) {
		case nil:
		case string:
			out = append(out, b.name(v))
		default:
			if text, err := json.Marshal(v); err == nil {
				out = append(out, b.name(string(text)))
			}
		}
	}
	return out
}

// name returns the one copy of a string.
func (b *builder) name(s string) string {
	if known, ok := b.names[s]; ok {
		return known
	}
	b.names[s] = s
	return s
}

// canonical returns the one node that says what n does.
func (b *builder) canonical(n node) *node {
	k := append(b.key[:0], byte(n.kind), flag(n.open))
	k = strconv.AppendInt(k, int64(n.max), 10)
	k = b.appendID(k, ':', n.element)
	for _, f := range n.fields {
		k = b.appendID(strconv.AppendQuote(k, f.name), '.', f.node)
	}
	for _, part := range n.parts {
		k = b.appendID(k, '&', part)
	}
	for _, v := range n.enum {
		k = strconv.AppendQuote(append(k, '='), v)
	}
	b.key = k
	if known := b.nodes[string(k)]; known != nil {
		return known
	}
	b.nodes[string(k)] = &n
	return &n
}

// appendID appends the number of a node.
func (b *builder) appendID(k []byte, mark byte, n *node) []byte {
	id, known := b.ids[n]
	if !known {
		id = len(b.ids)
		b.ids[n] = id
	}
	return strconv.AppendInt(append(k, mark), int64(id), 10)
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// empty reports whether a node says nothing besides what its parts say.
func (n *node) empty() bool {
	return n.kind == kindAny && !n.open && len(n.enum) == 0 && n.element == nil && len(n.fields) == 0
}
