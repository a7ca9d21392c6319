package source

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	utiljson "k8s.io/apimachinery/pkg/util/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// ReadObjects reads Kubernetes objects from files, folders and, for "-", from
// stdin. Manifests of any number of documents and what "kubectl get -o yaml" or
// "-o json" prints are understood; of a folder, all files below it that end in
// .yaml, .yml or .json. What cannot be read is told in the error, one line
// each, and does not keep the rest from being returned.
func ReadObjects(paths []string, stdin io.Reader) ([]map[string]any, error) {
	var objects []map[string]any
	var errs []error
	for _, path := range paths {
		files := []string{path}
		if info, err := os.Stat(path); path != "-" && err == nil && info.IsDir() {
			if files, err = manifests(path); err != nil {
				errs = append(errs, err)
			}
		}
		for _, file := range files {
			found, err := readFile(file, stdin)
			if err != nil {
				errs = append(errs, err)
			}
			objects = append(objects, found...)
		}
	}
	return objects, errors.Join(errs...)
}

// manifests returns the files of a folder that may hold objects.
func manifests(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		// Mounted ConfigMaps keep their files behind a hidden link.
		if strings.HasPrefix(d.Name(), "..") && d.IsDir() {
			return filepath.SkipDir
		}
		if !d.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)) {
			files = append(files, path)
		}
		return nil
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s: the folder has no .yaml, .yml or .json file", dir)
	}
	return files, err
}

func readFile(path string, stdin io.Reader) ([]map[string]any, error) {
	if path == "-" {
		return decodeObjects("stdin", stdin)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return decodeObjects(path, bytes.NewReader(data))
}

// decodeObjects reads a stream of YAML documents or JSON values.
func decodeObjects(name string, r io.Reader) ([]map[string]any, error) {
	var objects []map[string]any
	var errs []error
	documents := utilyaml.NewYAMLReader(bufio.NewReader(r))
	for n := 1; ; n++ {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects, errors.Join(errs...)
		}
		if err != nil {
			return objects, errors.Join(append(errs, fmt.Errorf("%s: reading document %d: %w", name, n, err))...)
		}
		found, err := decodeDocument(document)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: document %d: %w", name, n, err))
		}
		objects = append(objects, found...)
	}
}

func decodeDocument(document []byte) ([]map[string]any, error) {
	var v any
	// JSON is YAML, but much faster to read as what it is.
	if !bytes.HasPrefix(bytes.TrimSpace(document), []byte("{")) || utiljson.Unmarshal(document, &v) != nil {
		data, err := yaml.YAMLToJSON(document)
		if err != nil {
			return nil, fmt.Errorf("not valid YAML: %w", err)
		}
		if err := utiljson.Unmarshal(data, &v); err != nil {
			return nil, err
		}
	}
	if v == nil {
		return nil, nil // an empty document, or comments only
	}
	return flatten(v)
}

// flatten returns an object, or the objects of a list.
func flatten(v any) ([]map[string]any, error) {
	object, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("not a Kubernetes object but a %T", v)
	}
	kind, _ := object["kind"].(string)
	if items, isList := object["items"].([]any); isList && strings.HasSuffix(kind, "List") {
		var objects []map[string]any
		var errs []error
		for i, item := range items {
			found, err := flatten(item)
			if err != nil {
				errs = append(errs, fmt.Errorf("item %d: %w", i, err))
			}
			objects = append(objects, found...)
		}
		return objects, errors.Join(errs...)
	}
	if apiVersion, _ := object["apiVersion"].(string); kind == "" || apiVersion == "" {
		return nil, errors.New("not a Kubernetes object: it has no apiVersion or no kind")
	}
	return []map[string]any{object}, nil
}
