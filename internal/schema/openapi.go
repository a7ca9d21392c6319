package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// FromOpenAPI reads an OpenAPI v3 document of one group and version, as an API
// server has it under /openapi/v3/apis/GROUP/VERSION, and returns the kinds that
// the document names. Those are more than can be listed: Scale and TokenRequest
// are some. Lists and kinds that all groups share, DeleteOptions for example, are
// left out.
//
// An object for which the document lists no fields may have any: for built-in
// kinds that is what it means. [FromCRDs] is more exact there.
func FromOpenAPI(document []byte) (map[Kind]*Schema, error) {
	if err := checkSize(document); err != nil {
		return nil, fmt.Errorf("reading an OpenAPI document: %w", err)
	}
	var content struct {
		OpenAPI    string
		Components struct{ Schemas map[string]json.RawMessage }
	}
	err := json.Unmarshal(document, &content)
	if err == nil && !strings.HasPrefix(content.OpenAPI, "3.") {
		err = errors.New("it is not of OpenAPI v3")
	}
	if err != nil {
		return nil, fmt.Errorf("reading an OpenAPI document: %w", err)
	}
	d := &definitions{raw: content.Components.Schemas, known: make(map[string]*node), builder: newBuilder()}
	d.builder.loose, d.builder.resolve = true, d.resolve

	out := make(map[Kind]*Schema)
	for _, name := range slices.Sorted(maps.Keys(d.raw)) {
		for _, k := range kindsOf(name, d.raw[name]) {
			if out[k] == nil {
				out[k] = &Schema{object(d.define(name))}
			}
		}
	}
	d.finish()
	return out, nil
}

// definitions are the named schemas of a document. A schema is read when another
// first refers to it, and those that no kind needs are not read at all.
type definitions struct {
	raw     map[string]json.RawMessage
	known   map[string]*node
	waiting []string
	builder *builder
}

// resolve returns the node that a $ref leads to.
func (d *definitions) resolve(ref string) *node {
	name, ok := strings.CutPrefix(ref, "#/components/schemas/")
	if _, defined := d.raw[name]; !ok || !defined {
		return d.builder.anything()
	}
	return d.define(name)
}

// define returns the node of a definition, which gets its content in finish: a
// definition may refer to itself.
func (d *definitions) define(name string) *node {
	if n := d.known[name]; n != nil {
		return n
	}
	n := &node{}
	d.known[name] = n
	d.waiting = append(d.waiting, name)
	return n
}

// finish reads the definitions that are needed.
func (d *definitions) finish() {
	for len(d.waiting) > 0 {
		name := d.waiting[len(d.waiting)-1]
		d.waiting = d.waiting[:len(d.waiting)-1]
		var schema any
		// The document was read as a whole, so this is JSON.
		_ = json.Unmarshal(d.raw[name], &schema)
		d.known[name].parts = []*node{d.builder.node(schema, 0)}
	}
}

// metaPrefix is what the definitions of the types that all groups share have in
// front.
const metaPrefix = "io.k8s.apimachinery.pkg.apis.meta."

// kindsOf returns the kinds that a definition is the schema of.
func kindsOf(name string, raw json.RawMessage) []Kind {
	if strings.HasPrefix(name, metaPrefix) {
		return nil
	}
	var head struct {
		Kinds      []struct{ Group, Version, Kind string } `json:"x-kubernetes-group-version-kind"`
		Properties struct {
			Metadata struct {
				Ref   string `json:"$ref"`
				AllOf []struct {
					Ref string `json:"$ref"`
				}
			}
		}
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return nil
	}
	refs := []string{head.Properties.Metadata.Ref}
	for _, part := range head.Properties.Metadata.AllOf {
		refs = append(refs, part.Ref)
	}
	if slices.ContainsFunc(refs, func(ref string) bool { return strings.HasSuffix(ref, ".ListMeta") }) {
		return nil
	}
	var out []Kind
	for _, k := range head.Kinds {
		if k.Kind != "" && k.Version != "" {
			out = append(out, Kind{k.Group, k.Version, k.Kind})
		}
	}
	return out
}
