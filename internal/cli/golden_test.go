package cli_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/kubevitals/kubevitals/catalog"
	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/rule/cel"
	"github.com/kubevitals/kubevitals/internal/rule/crs"
	"github.com/kubevitals/kubevitals/operator/metric"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestCatalogs runs the tests of each catalog, as a user would run them.
//
//	go test ./internal/cli -run TestCatalogs -update
func TestCatalogs(t *testing.T) {
	for _, name := range catalog.Names() {
		for _, file := range catalogTests(t, name) {
			t.Run(name+"/"+strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
				args := []string{"test", file}
				if *update {
					args = append(args, "--update")
				}
				if r := run(t, nil, args...); r.code != 0 {
					t.Errorf("%s%s", r.out, r.stderr)
				}
			})
		}
	}
}

// catalogTests returns the test files of a catalog.
func catalogTests(t *testing.T, name string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "catalog", name, "testdata", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("catalog %s has no tests (%v)", name, err)
	}
	return files
}

// TestExampleRules runs the tests of the rules that newcomers copy.
//
//	go test ./internal/cli -run TestExampleRules -update
func TestExampleRules(t *testing.T) {
	for _, file := range exampleFiles(t, "*.txtar") {
		folder, name := filepath.Split(file)
		t.Run(filepath.Base(folder)+"/"+strings.TrimSuffix(name, ".txtar"), func(t *testing.T) {
			args := []string{"test", file}
			if *update {
				args = append(args, "--update")
			}
			if r := run(t, nil, args...); r.code != 0 {
				t.Errorf("%s%s", r.out, r.stderr)
			}
		})
	}
}

// TestExampleRulesAreGood makes sure that the rule files compile without a
// warning, and that each of their families has a sample in the test that is
// called like the file, and a help. Changes need a second version of an object,
// which tests do not have.
func TestExampleRulesAreGood(t *testing.T) {
	for _, file := range exampleFiles(t, "*.yaml") {
		folder, name := filepath.Split(file)
		t.Run(filepath.Base(folder)+"/"+name, func(t *testing.T) {
			legacy := name == "crs.yaml"
			flag := "--rules"
			if legacy {
				flag = "--custom-resource-state-config-file"
			}
			if r := run(t, nil, "eval", flag, file, "-"); r.code != 0 || r.stderr != "" {
				t.Fatalf("exit code %d: %s", r.code, r.stderr)
			}
			golden, err := os.ReadFile(strings.TrimSuffix(file, ".yaml") + ".txtar")
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range compileExample(t, file, legacy).Families() {
				if f.Type != metric.Counter && !strings.Contains(string(golden), "\n# TYPE "+f.Name+" ") {
					t.Errorf("the test has no sample of %s", f.Name)
				}
				if f.Help == "" {
					t.Errorf("%s has no help", f.Name)
				}
			}
		})
	}
}

func exampleFiles(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "examples", "rules", "*", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no examples %s (%v)", pattern, err)
	}
	return files
}

func compileExample(t *testing.T, file string, legacy bool) *rule.Set {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	env, err := cel.New(cel.Options{})
	if err != nil {
		t.Fatal(err)
	}
	docs, findings := rule.Parse(file, data, rule.ParseOptions{Legacy: legacy})
	set, more := rule.Compile([]rule.Source{{File: file, Documents: docs}}, rule.CompileOptions{
		Legacy: crs.Compile, Expression: env.Compiler(), Identity: true, Enable: enabled[filepath.ToSlash(file)],
	})
	if findings = append(findings, more...); len(findings) > 0 {
		t.Fatal(findings)
	}
	return set
}

// enabled are the opt-in groups of the examples.
var enabled = map[string][]string{"../../examples/rules/argo-cd/rules.yaml": {"resources"}}

// TestEveryKindHasGolden makes sure that no kind of a catalog is forgotten, and
// that each family, of whatever group, has a sample in some golden file.
func TestEveryKindHasGolden(t *testing.T) {
	for _, name := range catalog.Names() {
		set := compileCatalog(t, name, catalogGroups(t, name)...)
		for _, kind := range set.Kinds() {
			file := filepath.Join("..", "..", "catalog", name, "testdata", strings.ToLower(kind.Kind)+".txtar")
			if _, err := os.Stat(file); err != nil {
				t.Errorf("kind %s: %v", kind, err)
			}
		}
		var all strings.Builder
		for _, file := range catalogTests(t, name) {
			all.WriteString(output(t, name, file))
		}
		for _, f := range set.Families() {
			series := f.Name
			if f.Type == metric.GaugeHistogram {
				series += "_bucket"
			}
			if !strings.Contains(all.String(), "\n"+series+"{") {
				t.Errorf("catalog %s: no golden file has a sample of %s", name, f.Name)
			}
		}
	}
}

// output returns the whole exposition that a test of a catalog expects.
func output(t *testing.T, name, file string) string {
	t.Helper()
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if flags := "flags: --catalog " + name + "\n"; !strings.Contains("\n"+string(a.Comment), "\n"+flags) {
		t.Errorf("%s has no line %q", file, flags)
	}
	for _, f := range a.Files {
		if f.Name == "output.prom" {
			return string(f.Data)
		}
	}
	t.Errorf("%s has no output.prom", file)
	return ""
}

// compileCatalog compiles a catalog with some of its groups.
func compileCatalog(t *testing.T, name string, groups ...string) *rule.Set {
	t.Helper()
	file, data, err := catalog.Rules(name)
	if err != nil {
		t.Fatal(err)
	}
	docs, findings := rule.Parse(file, data, rule.ParseOptions{})
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	env, err := cel.New(cel.Options{})
	if err != nil {
		t.Fatal(err)
	}
	set, findings := rule.Compile([]rule.Source{{File: file, Documents: docs}},
		rule.CompileOptions{Enable: groups, Identity: true, Expression: env.Compiler()})
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	return set
}

var enableField = regexp.MustCompile(`(?m)^ +enable: (\S+)$`)

// catalogGroups returns the opt-in groups of a catalog, in order.
func catalogGroups(t *testing.T, name string) []string {
	t.Helper()
	_, data, err := catalog.Rules(name)
	if err != nil {
		t.Fatal(err)
	}
	var groups []string
	for _, m := range enableField.FindAllSubmatch(data, -1) {
		groups = append(groups, string(m[1]))
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

// TestCatalogGroups makes sure that the guide has a row for each opt-in group.
func TestCatalogGroups(t *testing.T) {
	for _, name := range catalog.Names() {
		file := name + ".md"
		if name == "kuadrant" {
			file = "gateway-api.md"
		}
		page, err := os.ReadFile(filepath.Join("..", "..", "docs", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, group := range catalogGroups(t, name) {
			if !strings.Contains(string(page), "\n| `"+group+"` |") {
				t.Errorf("docs/%s has no row for the group %s of the catalog %s", file, group, name)
			}
		}
	}
}

// familyGroups returns the groups that each family of a set needs, by its name.
func familyGroups(set *rule.Set) map[string][]string {
	groups := make(map[string][]string)
	for _, m := range set.Readings() {
		if before, ok := groups[m.Desc.Name]; !ok || len(m.Enable) < len(before) {
			groups[m.Desc.Name] = m.Enable
		}
	}
	return groups
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

// exampleOutput returns the whole exposition that the test of an example expects.
func exampleOutput(t *testing.T, folder, file string) string {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join("..", "..", "examples", "rules", folder, file))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range a.Files {
		if f.Name == "output.prom" {
			return string(f.Data)
		}
	}
	t.Fatalf("%s/%s has no output.prom", folder, file)
	return ""
}
