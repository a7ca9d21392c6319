package schema

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var order = Kind{"shop.example", "v1", "Order"}

func TestFromOpenAPI(t *testing.T) {
	schemas, err := FromOpenAPI(load(t, "openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Kind{order}, slices.Collect(maps.Keys(schemas))); diff != "" {
		t.Fatalf("kinds (-want +got):\n%s", diff)
	}
	spec := []string{"anything", "closed", "count", "either", "limits", "loop", "lost", "merged", "port", "raw", "tree"}
	tree := []string{"children", "not", "weight"}
	checkFind(t, schemas[order], map[string]Result{
		"":                             found(0, "object", "apiVersion", "kind", "metadata", "spec", "status"),
		"kind":                         found(1, "string"),
		"metadata.labels":              found(2, "map"),
		"metadata.labels.app":          found(3, "string"),
		"metadata.newcomer":            found(2, "boolean"),
		"metadata.ownerReferences[]":   found(3, "object", "apiVersion", "blockOwnerDeletion", "controller", "kind", "name", "uid"),
		"spec":                         found(1, "object", spec...),
		"status.conditions":            found(2, "list"),
		"status.conditions[].status":   found(4, "string").withEnum("True", "False", "Unknown"),
		"status.conditions.type":       missing(2, "list", ""),
		"status.conditions[].typ":      missing(3, "object", "type", "status", "type"),
		"status.conditions[].type.x":   missing(4, "string", ""),
		"status.conditions[].type[]":   missing(4, "string", ""),
		"Status.conditions":            missing(0, "object", "status", "apiVersion", "kind", "metadata", "spec", "status"),
		"spec[]":                       unknown(1, "object", spec...),
		"spec.anything":                found(2, ""),
		"spec.anything.x":              unknown(2, ""),
		"spec.anything[]":              unknown(2, ""),
		"spec.closed.x":                missing(2, "object", ""),
		"spec.closed[]":                missing(2, "object", ""),
		"spec.count":                   found(2, "integer"),
		"spec.either":                  found(2, "string").withEnum("b", "c"),
		"spec.either.x":                missing(2, "string", ""),
		"spec.limits":                  found(2, "map").withMax(8),
		"spec.limits.cpu":              found(3, ""),
		"spec.limits[].x":              unknown(3, ""),
		"spec.loop.x":                  unknown(2, ""),
		"spec.lost.x":                  unknown(2, ""),
		"spec.merged":                  found(2, "list").withMax(10),
		"spec.merged[]":                found(3, "string"),
		"spec.port":                    found(2, ""),
		"spec.port.x":                  unknown(2, ""),
		"spec.raw":                     found(2, "object"),
		"spec.raw.x":                   unknown(2, "object"),
		"spec.tree.not.children[].not": found(6, "object", tree...),
		"spec.tree.not.not.Waight":     missing(4, "object", "weight", tree...),
	})
}

// TestRecursion goes far down a type that refers to itself.
func TestRecursion(t *testing.T) {
	schemas, err := FromOpenAPI(load(t, "openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	path := "spec.tree" + strings.Repeat(".children[].not", 1000)
	if r := schemas[order].Find(steps(path)); !r.Found || r.Depth != 3002 {
		t.Errorf("found %v at depth %d", r.Found, r.Depth)
	}
}

func TestFromOpenAPIErrors(t *testing.T) {
	f := func(document, want string) {
		t.Helper()
		if _, err := FromOpenAPI([]byte(document)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: got error %v, want %q", document, err, want)
		}
	}
	f(``, "unexpected end of JSON input")
	f(`[]`, "cannot unmarshal array")
	f(`{}`, "not of OpenAPI v3")
	f(`{"swagger": "2.0", "definitions": {}}`, "not of OpenAPI v3")
	f(`{"openapi": "3.0.0", "components": {"schemas": 1}}`, "cannot unmarshal number")
}

// TestDeepSchema reads schemas that are nested far deeper than any real one.
func TestDeepSchema(t *testing.T) {
	const deep = 3000
	document := func(open, end string) []byte {
		return fmt.Appendf(nil, `{"openapi": "3.0.0", "components": {"schemas": {"a": {
			"x-kubernetes-group-version-kind": [{"group": "g", "version": "v1", "kind": "K"}],
			"properties": {"spec": %s{"type": "string"}%s}}}}}`, strings.Repeat(open, deep), strings.Repeat(end, deep))
	}
	f := func(open, end, step string) {
		t.Helper()
		schemas, err := FromOpenAPI(document(open, end))
		if err != nil {
			t.Fatal(err)
		}
		s := schemas[Kind{"g", "v1", "K"}]
		if r := s.Find(steps("spec" + strings.Repeat(step, 50))); !r.Found {
			t.Errorf("%s: not found: %+v", open, r)
		}
		if r := s.Find(steps("spec" + strings.Repeat(step, deep))); r.Known {
			t.Errorf("%s: known: %+v", open, r)
		}
	}
	f(`{"items": `, `}`, "[]")
	f(`{"additionalProperties": `, `}`, "[]")
	f(`{"properties": {"x": `, `}}`, ".x")
	if _, err := FromOpenAPI(document(`{"allOf": [`, `]}`)); err != nil {
		t.Error(err)
	}
}

// TestManyParts has a value of which more nodes say something than are put
// together.
func TestManyParts(t *testing.T) {
	parts := make([]string, viewLimit+10)
	for i := range parts {
		parts[i] = fmt.Sprintf(`{"type": "object", "properties": {"f%d": {"type": "string"}}}`, i)
	}
	schemas, err := FromOpenAPI(fmt.Appendf(nil, `{"openapi": "3.0.0", "components": {"schemas": {"a": {
		"x-kubernetes-group-version-kind": [{"version": "v1", "kind": "K"}],
		"properties": {"spec": {"allOf": [%s]}}}}}}`, strings.Join(parts, ",")))
	if err != nil {
		t.Fatal(err)
	}
	s := schemas[Kind{"", "v1", "K"}]
	if r := s.Find(steps("spec.f0")); !r.Found {
		t.Errorf("first: %+v", r)
	}
	if r := s.Find(steps("spec.f109")); r.Known {
		t.Errorf("last: %+v", r)
	}
}

func FuzzFromOpenAPI(f *testing.F) {
	f.Add(load(f, "openapi.json"), "spec.tree.not.children[].not")
	f.Add([]byte(`{"openapi": "3.0.0", "components": {"schemas": {"a": {"$ref": "#/components/schemas/a"}}}}`), "a")
	f.Fuzz(func(t *testing.T, document []byte, path string) {
		schemas, err := FromOpenAPI(document)
		if err != nil && schemas != nil {
			t.Error("schemas and an error")
		}
		for _, s := range schemas {
			checkAny(t, s, path)
		}
	})
}

// checkAny checks what holds for any schema and path.
func checkAny(t *testing.T, s *Schema, path string) {
	t.Helper()
	way := steps(path)
	r := s.Find(way)
	if r.Found && (!r.Known || r.Depth != len(way) || r.Suggestion != "") || !r.Found && r.Depth >= len(way) {
		t.Errorf("%s: %+v", path, r)
	}
	if !slices.IsSorted(r.Fields) || r.Suggestion != "" && !slices.Contains(r.Fields, r.Suggestion) {
		t.Errorf("%s: %+v", path, r)
	}
	// The way that was found is found again, and each field there.
	if at := s.Find(way[:r.Depth]); !at.Found {
		t.Errorf("%s: found to depth %d and then not: %+v", path, r.Depth, at)
	}
	for _, name := range r.Fields[:min(len(r.Fields), 3)] {
		if at := s.Find(append(slices.Clone(way[:r.Depth]), Step{Field: name})); !at.Found && r.Type == "object" {
			t.Errorf("%s: no field %q: %+v", path, name, at)
		}
	}
	for _, always := range []string{"apiVersion", "kind", "metadata.name", "metadata.labels"} {
		if at := s.Find(steps(always)); !at.Found {
			t.Errorf("no %s", always)
		}
	}
}
