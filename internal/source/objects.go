package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"
)

// ReadObjects reads Kubernetes objects from files, folders and, for "-", from
// stdin. Manifests of any number of documents and what "kubectl get -o yaml" or
// "-o json" prints are understood, streams of JSON as well; of a folder, all
// files below it that end in .yaml, .yml or .json. What cannot be read is told in
// the error, one line each, and does not keep the rest from being returned.
func ReadObjects(paths []string, stdin io.Reader) ([]map[string]any, error) {
	var objects []map[string]any
	files, err := listFiles(paths)
	errs := []error{err}
	for _, file := range files {
		found, err := readFile(file, stdin)
		errs = append(errs, err)
		objects = append(objects, found...)
	}
	return objects, errors.Join(errs...)
}

// listFiles returns the files that paths stand for.
func listFiles(paths []string) ([]string, error) {
	var files []string
	var errs []error
	for _, path := range paths {
		if info, err := os.Stat(path); path == "-" || err != nil || !info.IsDir() {
			files = append(files, path)
			continue
		}
		found, err := manifests(path)
		files, errs = append(files, found...), append(errs, err)
	}
	return files, errors.Join(errs...)
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
		data, err := io.ReadAll(stdin)
		if err != nil {
			return nil, fmt.Errorf("reading stdin: %w", err)
		}
		return decodeObjects("stdin", data)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return decodeObjects(path, data)
}

// decodeObjects reads YAML documents, each of which may be JSON values.
func decodeObjects(name string, data []byte) ([]map[string]any, error) {
	var objects []map[string]any
	var errs []error
	for i, document := range documents(data) {
		found, err := decodeDocument(document)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: document %d: %w", name, i+1, err))
		}
		objects = append(objects, found...)
	}
	return objects, errors.Join(errs...)
}

// documents splits a YAML stream at its document markers, so that one broken
// document does not take the others with it.
func documents(data []byte) [][]byte {
	var out [][]byte
	start := 0
	for at := 0; at < len(data); {
		end := len(data)
		if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		if line := data[at:end]; bytes.HasPrefix(line, []byte("---")) && (len(line) == 3 || strings.IndexByte(" \t\r\n", line[3]) >= 0) {
			if len(bytes.TrimSpace(data[start:at])) > 0 {
				out = append(out, data[start:at])
			}
			start = at + 3
		}
		at = end
	}
	return append(out, data[start:])
}

func decodeDocument(document []byte) ([]map[string]any, error) {
	// JSON is YAML, but much faster to read as what it is.
	if values, err := decodeJSON(document); err == nil || len(values) > 0 {
		var objects []map[string]any
		errs := []error{err}
		for _, v := range values {
			found, err := flatten(v)
			objects, errs = append(objects, found...), append(errs, err)
		}
		return objects, errors.Join(errs...)
	}
	data, err := yaml.YAMLToJSON(document)
	if err != nil {
		return nil, fmt.Errorf("not valid YAML: %w", err)
	}
	var v any
	if err := utiljson.Unmarshal(data, &v); err != nil {
		return nil, err
	}
	if v == nil {
		return nil, nil // an empty document, or comments only
	}
	return flatten(v)
}

// decodeJSON reads a stream of JSON objects, as far as it is one.
func decodeJSON(data []byte) ([]any, error) {
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return nil, errors.New("not JSON")
	}
	var values []any
	for decoder := json.NewDecoder(bytes.NewReader(data)); ; {
		var raw json.RawMessage
		err := decoder.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return values, nil
		}
		var v any
		if err == nil {
			err = utiljson.Unmarshal(raw, &v)
		}
		if err != nil {
			return values, fmt.Errorf("not valid JSON after %d values: %w", len(values), err)
		}
		values = append(values, v)
	}
}

// flatten returns an object, or the objects of a list.
func flatten(v any) ([]map[string]any, error) {
	object, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("not a Kubernetes object: expected a map")
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
