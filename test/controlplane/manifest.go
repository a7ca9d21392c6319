package controlplane

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// ParseManifests returns the objects of a stream of YAML or JSON documents.
// Lists are taken apart and empty documents are left out.
func ParseManifests(manifests []byte) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifests), 4096)
	for number := 1; ; number++ {
		var document runtime.RawExtension
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", number, err)
		}
		if text := bytes.TrimSpace(document.Raw); len(text) == 0 || bytes.Equal(text, []byte("null")) {
			continue
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(document.Raw); err != nil {
			return nil, fmt.Errorf("document %d: %w", number, err)
		}
		parts := []*unstructured.Unstructured{object}
		if object.IsList() {
			parts = nil
			err = object.EachListItem(func(item runtime.Object) error {
				parts = append(parts, item.(*unstructured.Unstructured))
				return nil
			})
			if err != nil {
				return nil, fmt.Errorf("document %d: %s: %w", number, object.GetKind(), err)
			}
		}
		for _, part := range parts {
			if part.GetAPIVersion() == "" || part.GetKind() == "" {
				return nil, fmt.Errorf("document %d: object %q: no apiVersion or no kind", number, part.GetName())
			}
		}
		objects = append(objects, parts...)
	}
}

// readManifests returns the objects of files, and of the YAML and JSON files
// that are directly in folders.
func readManifests(paths []string) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for _, path := range paths {
		files, err := manifestFiles(path)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("reading manifests: %w", err)
			}
			parsed, err := ParseManifests(content)
			if err != nil {
				return nil, fmt.Errorf("reading manifests of %s: %w", file, err)
			}
			objects = append(objects, parsed...)
		}
	}
	return objects, nil
}

// manifestFiles returns path itself if it is a file and else the manifests in
// the folder. A kustomization.yaml is none.
func manifestFiles(path string) ([]string, error) {
	if !isFolder(path) {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("reading manifests: %w", err)
	}
	var files []string
	for _, entry := range entries {
		name := entry.Name()
		isManifest := slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name))
		if entry.Type().IsRegular() && isManifest && name != "kustomization.yaml" {
			files = append(files, filepath.Join(path, name))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("reading manifests: folder %s has no .yaml, .yml or .json file", path)
	}
	return files, nil
}

// stripServerFields removes what an API server writes into the metadata of an
// object itself, and would refuse or ignore.
func stripServerFields(object *unstructured.Unstructured) {
	for _, field := range []string{
		"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp",
		"generation", "managedFields", "resourceVersion", "selfLink", "uid",
	} {
		unstructured.RemoveNestedField(object.Object, "metadata", field)
	}
}

// describe names an object for an error.
func describe(object *unstructured.Unstructured) string {
	name := object.GetName()
	if namespace := object.GetNamespace(); namespace != metav1.NamespaceNone {
		name = namespace + "/" + name
	}
	return fmt.Sprintf("%s %s %q", object.GetAPIVersion(), object.GetKind(), name)
}
