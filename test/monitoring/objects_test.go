package monitoring

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/yaml"
)

// object is a Kubernetes object, or a part of one.
type object map[string]any

// readObjects reads the objects of files.
func readObjects(t *testing.T, files ...string) (out []object) {
	t.Helper()
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		d := yaml.NewYAMLOrJSONDecoder(file, 4096)
		for {
			var o object
			if err := d.Decode(&o); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if len(o) > 0 {
				out = append(out, o)
			}
		}
		_ = file.Close()
	}
	return out
}

func (o object) at(path ...string) any {
	var v any = map[string]any(o)
	for _, key := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}

// str is a text, or a number as text; empty if there is none.
func (o object) str(path ...string) string {
	switch v := o.at(path...).(type) {
	case string:
		return v
	case float64:
		return number(v)
	case int64:
		return number(float64(v))
	}
	return ""
}

// num is a number, and whether there is one.
func (o object) num(path ...string) (float64, bool) {
	switch v := o.at(path...).(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	}
	return 0, false
}

// list is a list of objects.
func (o object) list(path ...string) (out []object) {
	items, _ := o.at(path...).([]any)
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// texts is a list of texts.
func (o object) texts(path ...string) (out []string) {
	items, _ := o.at(path...).([]any)
	for _, item := range items {
		if s, ok := item.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// or is a text, or another if there is none.
func (o object) or(other string, path ...string) string {
	if s := o.str(path...); s != "" {
		return s
	}
	return other
}

func (o object) kind() string      { return o.str("kind") }
func (o object) name() string      { return o.str("metadata", "name") }
func (o object) namespace() string { return o.str("metadata", "namespace") }
func (o object) id() string        { return key(o.namespace(), o.name()) }

// group and version are of apiVersion.
func (o object) group() string {
	group, _, found := strings.Cut(o.str("apiVersion"), "/")
	if !found {
		return ""
	}
	return group
}

func (o object) version() string {
	v := o.str("apiVersion")
	return v[strings.LastIndex(v, "/")+1:]
}

// unix is a time in seconds.
func (o object) unix(path ...string) float64 {
	at, err := time.Parse(time.RFC3339, o.str(path...))
	if err != nil {
		return 0
	}
	return float64(at.Unix())
}

func (o object) created() float64 { return o.unix("metadata", "creationTimestamp") }

// is reports whether a condition of those that follow has a type and a status.
func is(conditions []object, typ, status string) bool {
	for _, c := range conditions {
		if c.str("type") == typ && c.str("status") == status {
			return true
		}
	}
	return false
}
