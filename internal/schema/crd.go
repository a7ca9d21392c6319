package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// CRD is what a CustomResourceDefinition says of one version of its kind. It is
// immutable, and the versions of a kind share their Categories and Labels.
type CRD struct {
	Schema *Schema
	// Plural is what the kind is called in URLs.
	Plural     string
	Namespaced bool
	// Categories are the names that the kind is found by together with others.
	Categories []string
	// Labels are those of the CustomResourceDefinition.
	Labels map[string]string
	// Served is false when the API server does not offer this version.
	Served bool
}

// FromCRDs reads CustomResourceDefinitions of apiextensions.k8s.io/v1 out of YAML
// or JSON, which may be several documents and Lists, and returns every version of
// each. Other objects are left out; of two definitions of a kind the last is
// returned. What cannot be read is told in the error, one line each, and does not
// keep the rest from being returned.
//
// YAML aliases are not understood: a few bytes of them can stand for gigabytes.
func FromCRDs(manifests []byte) (map[Kind]*CRD, error) {
	if err := checkSize(manifests); err != nil {
		return nil, fmt.Errorf("reading CustomResourceDefinitions: %w", err)
	}
	out := make(map[Kind]*CRD)
	b := newBuilder()
	var errs []error
	for i, document := range documents(manifests) {
		err := eachObject(document, func(object []byte) error { return b.manifest(object, out) })
		if err != nil {
			errs = append(errs, fmt.Errorf("document %d: %w", i+1, err))
		}
	}
	return out, errors.Join(errs...)
}

const (
	crdKind  = "CustomResourceDefinition"
	crdGroup = "apiextensions.k8s.io/"
)

// manifest reads an object or a List from JSON. Items of a List are told one by
// one when they cannot be read.
func (b *builder) manifest(data []byte, out map[Kind]*CRD) error {
	var list struct {
		Kind  string
		Items json.RawMessage
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	kind, isList := strings.CutSuffix(list.Kind, "List")
	if !isList || !bytes.HasPrefix(list.Items, []byte("[")) {
		return b.crd(data, "", out)
	}
	var items []json.RawMessage
	if err := json.Unmarshal(list.Items, &items); err != nil {
		return err
	}
	var errs []error
	for i, item := range items {
		if err := b.crd(item, kind, out); err != nil {
			errs = append(errs, fmt.Errorf("item %d: %w", i+1, err))
		}
	}
	return errors.Join(errs...)
}

// crd reads an object and adds what it defines, if it is a
// CustomResourceDefinition. The items of a typed list do not name their kind,
// which is implied then.
func (b *builder) crd(data []byte, implied string, out map[Kind]*CRD) error {
	var head struct{ APIVersion, Kind string }
	if err := json.Unmarshal(data, &head); err != nil {
		return err
	}
	if head.Kind == "" && implied == crdKind {
		head.APIVersion, head.Kind = crdGroup+"v1", crdKind
	}
	if head.Kind != crdKind || !strings.HasPrefix(head.APIVersion, crdGroup) {
		return nil
	}
	var d definition
	err := json.Unmarshal(data, &d)
	switch {
	case err != nil:
	case head.APIVersion != crdGroup+"v1":
		err = fmt.Errorf("%s is not supported: use %sv1", head.APIVersion, crdGroup)
	default:
		err = b.define(&d, out)
	}
	if err != nil {
		return fmt.Errorf("%s %q: %w", crdKind, d.Metadata.Name, err)
	}
	return nil
}

// definition is a CustomResourceDefinition.
type definition struct {
	Metadata struct {
		Name   string
		Labels map[string]string
	}
	Spec struct {
		Group, Scope string
		Names        struct {
			Kind, Plural string
			Categories   []string
		}
		Versions []struct {
			Name   string
			Served bool
			Schema struct{ OpenAPIV3Schema any }
		}
	}
}

// define adds each version of a CustomResourceDefinition.
func (b *builder) define(d *definition, out map[Kind]*CRD) error {
	spec := &d.Spec
	switch {
	case spec.Group == "":
		return errors.New("it has no spec.group")
	case spec.Names.Kind == "":
		return errors.New("it has no spec.names.kind")
	case spec.Names.Plural == "":
		return errors.New("it has no spec.names.plural")
	}
	for i, v := range spec.Versions {
		if v.Name == "" {
			return fmt.Errorf("spec.versions[%d] has no name", i)
		}
		out[Kind{spec.Group, v.Name, spec.Names.Kind}] = &CRD{
			Schema: &Schema{object(b.node(v.Schema.OpenAPIV3Schema, 0))},
			Plural: spec.Names.Plural, Namespaced: spec.Scope == "Namespaced",
			Categories: spec.Names.Categories, Labels: d.Metadata.Labels, Served: v.Served,
		}
	}
	return nil
}
