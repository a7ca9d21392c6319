package source

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// names reads objects of a text and returns their kinds and names.
func names(t *testing.T, text string) (string, error) {
	t.Helper()
	objects, err := ReadObjects([]string{"-"}, strings.NewReader(text))
	var out []string
	for _, o := range objects {
		out = append(out, fmt.Sprint(o["kind"], "/", keyName(o)))
	}
	return strings.Join(out, " "), err
}

func keyName(o map[string]any) any {
	metadata, _ := o["metadata"].(map[string]any)
	return metadata["name"]
}

func TestReadObjects(t *testing.T) {
	f := func(text, want, wantErr string) {
		t.Helper()
		got, err := names(t, text)
		if got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", text, got, want)
		}
		if err == nil && wantErr != "" || err != nil && (wantErr == "" || !strings.Contains(err.Error(), wantErr)) {
			t.Errorf("%s: error %v, want %q", text, err, wantErr)
		}
	}
	const a, b = "{apiVersion: v1, kind: A, metadata: {name: a}}", "{apiVersion: v1, kind: B, metadata: {name: b}}"
	f("", "", "")
	f("# a comment\n", "", "")
	f(a, "A/a", "")
	f("---\n"+a+"\n---\n\n---\n"+b+"\n", "A/a B/b", "")
	f(`{"apiVersion": "v1", "kind": "List", "items": [`+`{"apiVersion": "v1", "kind": "A", "metadata": {"name": "a"}}`+`]}`, "A/a", "")
	f("apiVersion: v1\nkind: List\nitems:\n- "+a+"\n- "+b, "A/a B/b", "")
	f("apiVersion: x/v1\nkind: FooList\nitems: [{apiVersion: v1, kind: List, items: ["+a+"]}]", "A/a", "")
	f("kind: Foo\n---\n"+b, "B/b", "stdin: document 1: not a Kubernetes object: it has no apiVersion or no kind")
	f("[1, 2]\n---\n"+b, "B/b", "document 1: not a Kubernetes object: expected a map")
	const j1, j2 = `{"apiVersion": "v1", "kind": "J", "metadata": {"name": "1"}}`, `{"apiVersion": "v1", "kind": "J", "metadata": {"name": "2"}}`
	f(j1+"\n"+j2, "J/1 J/2", "")
	f(j1+j2+"\n---\n"+a, "J/1 J/2 A/a", "")
	f(j1+"\n{broken", "J/1", "document 1: not valid JSON after 1 values")
	f("--- "+a+"\n--- # second\n"+b, "A/a B/b", "")
	f("---\r\n"+a+"\r\n---\r\n"+b, "A/a B/b", "")
	f("apiVersion: v1\nkind: List\nitems: ["+a+", 7, "+b+"]", "A/a B/b", "item 1: not a Kubernetes object")
	f("a: [\n---\n"+b, "B/b", "document 1: not valid YAML")
	f(`{"apiVersion": "v1",`, "", "document 1")
}

// TestIntegersStay keeps large integers exact, as the API machinery does.
func TestIntegersStay(t *testing.T) {
	objects, err := ReadObjects([]string{"-"}, strings.NewReader("apiVersion: v1\nkind: A\nbig: 9007199254740993\nhalf: 1.5\n"))
	if err != nil {
		t.Fatal(err)
	}
	if n, f := objects[0]["big"], objects[0]["half"]; n != int64(9007199254740993) || f != 1.5 {
		t.Errorf("n is the %T %v, f the %T %v", n, n, f, f)
	}
}

func TestReadFolder(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.yaml": "{apiVersion: v1, kind: A, metadata: {name: a}}", "sub/b.json": `{"apiVersion": "v1", "kind": "B"}`,
		"notes.txt": "no objects", "..data/c.yaml": "{apiVersion: v1, kind: C}",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	objects, err := ReadObjects([]string{dir}, nil)
	if err != nil || len(objects) != 2 {
		t.Errorf("%d objects, error %v", len(objects), err)
	}
	if _, err := ReadObjects([]string{t.TempDir()}, nil); err == nil || !strings.Contains(err.Error(), "has no .yaml, .yml or .json file") {
		t.Errorf("an empty folder gives %v", err)
	}
}

func FuzzReadObjects(f *testing.F) {
	f.Add("apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: A}]\n---\n{}")
	f.Add(`{"apiVersion": "v1", "kind": "A", "n": 1e400}`)
	f.Add("a: &a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		objects, _ := ReadObjects([]string{"-"}, strings.NewReader(text))
		for _, o := range objects {
			if o["kind"] == "" || o["apiVersion"] == "" {
				t.Errorf("%q gives an object without kind or version", text)
			}
			gvkOf(o)
		}
	})
}
