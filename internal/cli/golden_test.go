package cli_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/catalog"
	"github.com/kubevitals/kubevitals/internal/rule"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestCatalogs evaluates each catalog's inputs and compares the exposition with
// the golden file beside it.
//
//	go test ./internal/cli -run TestCatalogs -update
func TestCatalogs(t *testing.T) {
	for _, name := range catalog.Names() {
		inputs, err := filepath.Glob(filepath.Join("..", "..", "catalog", name, "testdata", "*.input.yaml"))
		if err != nil || len(inputs) == 0 {
			t.Fatalf("catalog %s has no inputs (%v)", name, err)
		}
		for _, input := range inputs {
			t.Run(name+"/"+strings.TrimSuffix(filepath.Base(input), ".input.yaml"), func(t *testing.T) {
				got := run(t, nil, "eval", "--catalog", name, input).ok(t)
				compareGolden(t, strings.TrimSuffix(input, ".input.yaml")+".output.prom", got)
			})
		}
	}
}

// TestEveryKindHasGolden makes sure that no kind of a catalog is forgotten, and
// that each family has a sample in some golden file.
func TestEveryKindHasGolden(t *testing.T) {
	for _, name := range catalog.Names() {
		dir := filepath.Join("..", "..", "catalog", name, "testdata")
		set := compileCatalog(t, name)
		for _, kind := range set.Kinds() {
			file := filepath.Join(dir, strings.ToLower(kind.Kind)+".output.prom")
			if _, err := os.Stat(file); err != nil {
				t.Errorf("kind %s: %v", kind, err)
			}
		}
		outputs, err := filepath.Glob(filepath.Join(dir, "*.output.prom"))
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, file := range outputs {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(data)
		}
		for _, f := range set.Families() {
			if !strings.Contains(all.String(), "\n"+f.Name+"{") {
				t.Errorf("catalog %s: no golden file has a sample of %s", name, f.Name)
			}
		}
	}
}

func compileCatalog(t *testing.T, name string) *rule.Set {
	t.Helper()
	file, data, err := catalog.Rules(name)
	if err != nil {
		t.Fatal(err)
	}
	docs, findings := rule.Parse(file, data, rule.ParseOptions{})
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	set, findings := rule.Compile([]rule.Source{{File: file, Documents: docs}}, rule.CompileOptions{})
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	return set
}

func compareGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (run with -update to write it)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", file, diff)
	}
}
