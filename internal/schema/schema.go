// Package schema tells what fields the objects of a kind have, by the OpenAPI v3
// documents of an API server and by CustomResourceDefinitions. Of a schema only
// what says where values can be is kept: no descriptions, formats or validations.
package schema

import "fmt"

// Kind names a kind of object in one version. Name is the kind itself, Pod for
// example, and Group is empty for the core group.
type Kind struct{ Group, Version, Name string }

// String returns the kind as apiVersion and kind, apps/v1 Deployment for example.
func (k Kind) String() string {
	if k.Group == "" {
		return k.Version + " " + k.Name
	}
	return k.Group + "/" + k.Version + " " + k.Name
}

// Schema is what is known of the objects of one kind. It is immutable, and may
// share memory with other schemas of the same document.
type Schema struct {
	root *node
}

// Step is one step of a path from an object's root: to a field of an object, or
// to a key of a map, or, with Element, to any element of a list or value of a
// map.
type Step struct {
	Field   string
	Element bool
}

// Result says what a schema knows of a path.
type Result struct {
	// Known is false when the schema does not say whether the path exists: at a
	// step into a value of any type, into unknown fields that are preserved, and
	// from an object to any one of its fields.
	Known bool
	// Found is true when the path exists. It is known then, too.
	Found bool
	// Depth is how many steps were found.
	Depth int
	// Suggestion is the field at Depth whose name is nearest to the one that was
	// not found, or empty when none is near.
	Suggestion string
	// Fields are the fields of the value at Depth, sorted: of the value that was
	// found, or of the last one on the way.
	Fields []string
	// Type is the type of the value at Depth: object, list, map, string, integer,
	// number or boolean, or empty when it can be of several.
	Type string
	// MaxItems is how many elements the list or map that was found can have, or 0
	// when that is not known.
	MaxItems int
	// Enum are the values that were listed for what was found, in their order.
	Enum []string
}

// maxSize is the size of the largest document that is read.
const maxSize = 256 << 20

func checkSize(data []byte) error {
	if len(data) > maxSize {
		return fmt.Errorf("%d bytes are more than the limit of %d", len(data), maxSize)
	}
	return nil
}
