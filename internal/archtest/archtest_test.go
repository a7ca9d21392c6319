package archtest

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/kubevitals/kubevitals"

// allowed says which packages of ours, and which modules of others, a package
// may import. A trailing "/..." stands for everything below.
var allowed = map[string][]string{
	"operator":                     {"operator/metric", "operator/exposition", "operator/internal/selfmetric"},
	"operator/internal/selfmetric": {},
	"operator/metric":              {},
	"operator/exposition":          {"operator/metric"},
	"operator/kopf":                {"operator/metric"},
	"operator/kubeauth":            {},
	"operator/operatortest":        {"operator", "operator/metric", "operator/exposition", "operator/internal/selfmetric"},

	"catalog":            {},
	"cmd/kubevitals":     {"internal/cli"},
	"deploy":             {},
	"internal/archtest":  {},
	"internal/rule":      {"operator/metric", "go.yaml.in/yaml/v3", "k8s.io/apimachinery/pkg/api/resource", "k8s.io/apimachinery/pkg/fields", "k8s.io/apimachinery/pkg/labels", "k8s.io/apimachinery/pkg/selection"},
	"internal/health":    {"github.com/fluxcd/cli-utils/pkg/kstatus/status", "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"},
	"internal/rule/cel":  {"internal/health", "internal/rule", "github.com/google/cel-go/...", "k8s.io/apiserver/pkg/cel/..."},
	"internal/rule/crs":  {"internal/rule", "operator/metric", "go.yaml.in/yaml/v3"},
	"internal/engine":    {"internal/rule", "internal/rulebook", "internal/shard", "internal/source", "internal/store", "operator", "operator/metric", "k8s.io/client-go/rest"},
	"internal/explain":   {"internal/rule", "operator/exposition", "operator/metric"},
	"internal/dashboard": {},
	"internal/lint": {
		"internal/rule", "internal/rulebook", "internal/schema", "operator/metric",
		"github.com/prometheus/client_golang/prometheus/testutil/promlint", "go.yaml.in/yaml/v3",
	},
	"internal/rbac":     {"internal/rule"},
	"internal/rulebook": {"catalog", "internal/rule", "internal/rule/cel", "internal/rule/crs"},
	"internal/ruletest": {"internal/rule", "internal/rulebook", "operator/exposition", "operator/metric", "golang.org/x/tools/txtar"},
	"internal/schema":   {"sigs.k8s.io/yaml"},
	"internal/shard":    {},
	"internal/store":    {"internal/rule", "internal/shard", "operator", "operator/metric", "operator/exposition", "github.com/klauspost/compress/..."},
	"internal/source": {
		"internal/rule", "internal/schema", "internal/shard", "internal/store", "operator", "operator/metric",
		"k8s.io/api/...", "k8s.io/apimachinery/...", "k8s.io/client-go/...", "sigs.k8s.io/yaml", "github.com/fsnotify/fsnotify",
	},

	"internal/pods":           {"internal/pods/...", "operator", "operator/metric", "operator/exposition"},
	"internal/pods/aggregate": {"internal/pods/glob", "internal/pods/line", "operator/metric", "operator/exposition"},
	"internal/pods/fetch":     {"operator/exposition", "github.com/klauspost/compress/..."},
	"internal/pods/glob":      {},
	"internal/pods/line":      {"operator/exposition", "operator/metric"},
	"internal/pods/merge":     {"internal/pods/line", "internal/pods/scan", "operator/metric", "operator/exposition"},
	"internal/pods/probe":     {"internal/pods/scan", "operator/exposition", "operator/kopf", "operator/metric"},
	"internal/pods/relabel":   {"internal/pods/glob", "github.com/prometheus/common/...", "internal/pods/line", "internal/pods/scan", "operator/metric", "operator/exposition", "github.com/prometheus/prometheus/model/...", "go.yaml.in/yaml/..."},
	"internal/pods/scan":      {"operator/metric", "operator/exposition"},
	"internal/pods/target":    {"internal/shard", "operator/metric", "k8s.io/api/...", "k8s.io/apimachinery/..."},
	"internal/pods/watch":     {"internal/pods/target", "operator", "operator/metric", "k8s.io/api/...", "k8s.io/apimachinery/...", "k8s.io/client-go/..."},

	"internal/otlp": {
		"internal/otlp/client", "internal/otlp/points", "operator", "operator/metric", "operator/exposition",
		"go.opentelemetry.io/collector/pdata/...", "github.com/klauspost/compress/...",
	},
	"internal/otlp/client": {
		"go.opentelemetry.io/collector/pdata/...", "google.golang.org/grpc/...", "google.golang.org/genproto/...",
		"google.golang.org/protobuf/...", "github.com/klauspost/compress/...",
	},
	"internal/otlp/points": {"operator/metric", "operator/exposition", "go.opentelemetry.io/collector/pdata/..."},
	"internal/election":    {"operator", "operator/metric", "k8s.io/api/...", "k8s.io/apimachinery/...", "k8s.io/client-go/..."},

	"internal/manifest": {"catalog", "deploy", "helm.sh/helm/v4/pkg/..."},

	"internal/pipeline": {
		"internal/otlp/client", "internal/rule", "go.yaml.in/yaml/v3", "k8s.io/apimachinery/...", "k8s.io/client-go/...",
	},

	"internal/web": {"internal/rule", "internal/store", "operator/metric"},
	"internal/cli": {"..."},
}

// Test files may import these besides what their package may.
var allowedInTests = []string{"catalog", "internal/rule/...", "internal/shard", "operator/...", "github.com/google/go-cmp/...", "go.uber.org/goleak", "sigs.k8s.io/yaml"}

// Test files of these packages may import these as well: what others make of
// what the package writes.
var allowedInTestsOf = map[string][]string{
	"internal/otlp":        {"google.golang.org/...", "github.com/prometheus/client_golang/prometheus/testutil/promlint"},
	"internal/otlp/points": {"github.com/prometheus/otlptranslator"},
}

// Modules of their own say in their go.mod what they import.
var ownModules = []string{"examples", "operator/prom", "otelreceiver", "test", "tools"}

const (
	maxLines     = 700
	maxTestLines = 1000
)

// source is a Go file of the tree.
type source struct {
	file, pkg string // relative to the root; pkg with slashes
	test      bool
	imports   []string
	lines     int
	doc       bool
	external  bool // of a package x_test
}

func load(t *testing.T) []source {
	t.Helper()
	root := filepath.Join("..", "..")
	var out []source
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && rel != "." || slices.Contains(ownModules, rel) || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(file, ".go") {
			return nil
		}
		s, err := read(file, filepath.ToSlash(rel))
		out = append(out, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 20 {
		t.Fatalf("found only %d Go files: the walk is broken", len(out))
	}
	return out
}

func read(file, rel string) (source, error) {
	s := source{file: rel, pkg: path.Dir(rel), test: strings.HasSuffix(rel, "_test.go")}
	data, err := os.ReadFile(file)
	if err != nil {
		return s, err
	}
	s.lines = bytes.Count(data, []byte("\n"))
	parsed, err := parser.ParseFile(token.NewFileSet(), file, data, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return s, err
	}
	s.doc = parsed.Doc != nil
	s.external = strings.HasSuffix(parsed.Name.Name, "_test")
	for _, i := range parsed.Imports {
		name, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return s, err
		}
		s.imports = append(s.imports, strings.TrimPrefix(name, module+"/"))
	}
	return s, nil
}

func TestImports(t *testing.T) {
	for _, s := range load(t) {
		rules, known := allowed[s.pkg]
		if !known {
			t.Errorf("package %s (%s) is missing in the table of allowed imports", s.pkg, s.file)
			continue
		}
		if s.test {
			rules = slices.Concat(rules, allowedInTests, allowedInTestsOf[s.pkg], []string{s.pkg})
		}
		for _, imported := range s.imports {
			if !standard(imported) && !matches(rules, imported) {
				t.Errorf("%s: package %s may not import %s", s.file, s.pkg, imported)
			}
		}
	}
}

// standard reports whether an import is of the standard library, whose first
// path element has no dot. Ours have lost the module's name.
func standard(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return !strings.Contains(first, ".") && !slices.Contains([]string{"internal", "operator", "catalog", "cmd"}, first)
}

func matches(rules []string, imported string) bool {
	return slices.ContainsFunc(rules, func(rule string) bool {
		prefix, all := strings.CutSuffix(rule, "...")
		if !all {
			return imported == rule
		}
		return strings.HasPrefix(imported, prefix) || imported+"/" == prefix
	})
}

func TestTableIsCurrent(t *testing.T) {
	sources := load(t)
	for pkg := range allowed {
		if !slices.ContainsFunc(sources, func(s source) bool { return s.pkg == pkg }) {
			t.Errorf("package %s stands in the table and does not exist", pkg)
		}
	}
}

func TestFileSizes(t *testing.T) {
	for _, s := range load(t) {
		limit := maxLines
		if s.test {
			limit = maxTestLines
		}
		if s.lines > limit {
			t.Errorf("%s has %d lines, more than %d", s.file, s.lines, limit)
		}
	}
}

func TestPackageDocs(t *testing.T) {
	documented := make(map[string]int)
	for _, s := range load(t) {
		if s.test {
			continue
		}
		if _, seen := documented[s.pkg]; !seen {
			documented[s.pkg] = 0
		}
		if s.doc {
			documented[s.pkg]++
		}
	}
	for pkg, n := range documented {
		if n != 1 {
			t.Errorf("package %s has %d package comments, want 1", pkg, n)
		}
	}
}

// TestOperatorHasNoDependencies keeps the promise to users of the SDK: importing
// it moves no version of theirs.
func TestOperatorHasNoDependencies(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "operator", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "require") {
		t.Errorf("operator/go.mod has a require line:\n%s", data)
	}
}
