package source

import (
	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/schema"
)

// readSchemas reads an OpenAPI document. Of a field that a schema does not speak
// of, such as one below preserved unknown fields, it is not known that objects
// have it: it counts as missing.
func readSchemas(document []byte) (map[rule.GVK]hasField, error) {
	found, err := schema.FromOpenAPI(document)
	if err != nil {
		return nil, err
	}
	out := make(map[rule.GVK]hasField, len(found))
	for kind, s := range found {
		out[rule.GVK{Group: kind.Group, Version: kind.Version, Kind: kind.Name}] = fieldsOf(s)
	}
	return out, nil
}

func fieldsOf(s *schema.Schema) hasField {
	return func(path []string) bool {
		steps := make([]schema.Step, len(path))
		for i, field := range path {
			steps[i].Field = field
		}
		return s.Find(steps).Found
	}
}
