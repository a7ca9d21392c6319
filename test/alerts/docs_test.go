package alerts

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/config"
	"sigs.k8s.io/yaml"

	"github.com/kubevitals/kubevitals/catalog"
)

var update = flag.Bool("update", false, "write the table of docs/alerts.md anew")

var docs = filepath.Join("..", "..", "docs")

var (
	heading   = regexp.MustCompile(`(?m)^#+ (.+)$`)
	section   = regexp.MustCompile(`(?m)^## (.+)$`)
	promBlock = regexp.MustCompile("(?ms)^```promql\n(.*?)^```$")
	link      = regexp.MustCompile(`\]\(([^)#:]*)(#[^)]*)?\)`)
)

// TestRunbooks checks that each alert has exactly one section, which says how to look
// and what to do, with queries that Prometheus understands, about metrics that exist.
func TestRunbooks(t *testing.T) {
	families := readReference(t)
	for _, r := range readRules(t) {
		page := filepath.Join(docs, "runbooks", r.family+".md")
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		var want, got []string
		for _, a := range r.alerts {
			want = append(want, a.Alert)
		}
		for _, m := range section.FindAllStringSubmatch(text, -1) {
			got = append(got, m[1])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: sections (-alerts +page):\n%s", page, diff)
		}
		if n := len(heading.FindAllString(withoutCode(text), -1)); n != len(got)+1 {
			t.Errorf("%s has %d headings, want one for each alert and the title", page, n)
		}
		for i, part := range section.Split(text, -1)[1:] {
			for _, need := range []string{"```sh\n", "```promql\n", "**What to do.**", "**When it is harmless.**"} {
				if !strings.Contains(part, need) {
					t.Errorf("%s: the section %s has no %q", page, got[i], strings.TrimSpace(need))
				}
			}
		}
		for _, m := range promBlock.FindAllStringSubmatch(text, -1) {
			if _, _, err := checkExpression(families, m[1]); err != nil {
				t.Errorf("%s: %s: %v", page, m[1], err)
			}
		}
		checkLinks(t, page, text)
	}
}

var code = regexp.MustCompile("(?ms)^```.*?^```$")

func withoutCode(text string) string { return code.ReplaceAllString(text, "") }

// anchors returns what the headings of a page are called in links.
func anchors(text string) (out []string) {
	for _, m := range heading.FindAllStringSubmatch(withoutCode(text), -1) {
		name := strings.ReplaceAll(strings.ToLower(m[1]), " ", "-")
		out = append(out, "#"+regexp.MustCompile(`[^a-z0-9_-]`).ReplaceAllString(name, ""))
	}
	return out
}

// checkLinks checks that links lead to pages and headings that exist.
func checkLinks(t *testing.T, page, text string) {
	t.Helper()
	for _, m := range link.FindAllStringSubmatch(withoutCode(text), -1) {
		target, content := filepath.Join(filepath.Dir(page), m[1]), text
		if m[1] != "" {
			info, err := os.Stat(target)
			if err != nil {
				t.Errorf("%s leads to %s, which does not exist", page, m[1])
				continue
			}
			if info.IsDir() {
				continue
			}
			data, err := os.ReadFile(target)
			if err != nil {
				t.Fatal(err)
			}
			content = string(data)
		}
		if m[2] != "" && !slices.Contains(anchors(content), m[2]) {
			t.Errorf("%s leads to %s%s: there is no such heading", page, m[1], m[2])
		}
	}
}

const (
	tablesBegin = "<!-- Written by the test in test/alerts with -update. -->\n"
	tablesEnd   = "<!-- End. -->\n"
)

// TestPage checks the tables of docs/alerts.md, and writes them with -update.
func TestPage(t *testing.T) {
	page := filepath.Join(docs, "alerts.md")
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), tablesBegin)
	_, after, ok2 := strings.Cut(rest, tablesEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the tables: %q and %q", page, tablesBegin, tablesEnd)
	}
	want := before + tablesBegin + tables(t) + tablesEnd + after
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Errorf("%s is not current: run \"go test ./alerts -update\" in test (-want +got):\n%s", page, diff)
	}
	checkLinks(t, page, want)
}

var docBlock = regexp.MustCompile("(?ms)^```(yaml|sh)\n(.*?)^```$")

// TestLoading checks how docs/alerts.md says that rules are loaded: Prometheus accepts
// the configuration, and the commands make PrometheusRules that have the groups of the
// files as their spec.
func TestLoading(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(docs, "alerts.md"))
	if err != nil {
		t.Fatal(err)
	}
	configurations, objects := 0, 0
	for _, m := range docBlock.FindAllStringSubmatch(string(data), -1) {
		switch text := m[2]; {
		case m[1] == "yaml":
			configurations++
			if _, err := config.Load(text, promslog.NewNopLogger()); err != nil {
				t.Errorf("Prometheus does not accept:\n%s%v", text, err)
			}
		case strings.Contains(text, "PrometheusRule"):
			cmd := exec.CommandContext(t.Context(), "sh", "-c", strings.Replace(text, "| kubectl apply -f -", "; echo ---", 1))
			cmd.Dir = filepath.Join("..", "..")
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			for document := range strings.SplitSeq(strings.TrimSuffix(string(out), "---\n"), "---\n") {
				objects++
				checkObject(t, document)
			}
		}
	}
	if configurations != 1 || objects != 2 {
		t.Errorf("found %d configurations and %d PrometheusRules, want 1 and 2", configurations, objects)
	}
}

// checkObject checks a PrometheusRule against the file of its family.
func checkObject(t *testing.T, document string) {
	t.Helper()
	var object struct {
		APIVersion, Kind string
		Metadata         struct{ Name string }
		Spec             map[string]any
	}
	if err := yaml.Unmarshal([]byte(document), &object); err != nil {
		t.Fatalf("%v:\n%s", err, document)
	}
	family := strings.TrimPrefix(object.Metadata.Name, "kubevitals-")
	_, data, err := catalog.Alerts(family)
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	if err := yaml.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, object.Spec); diff != "" || object.APIVersion != "monitoring.coreos.com/v1" || object.Kind != "PrometheusRule" {
		t.Errorf("%s %s %s (-file +spec):\n%s", object.APIVersion, object.Kind, object.Metadata.Name, diff)
	}
}

// tables returns a table of the alerts for each family.
func tables(t *testing.T) string {
	t.Helper()
	families := readReference(t)
	var b strings.Builder
	for _, r := range readRules(t) {
		fmt.Fprintf(&b, "\n### %s\n\n| alert | severity | after | needs `--enable` | when |\n|---|---|---|---|---|\n", r.family)
		for _, rule := range r.records {
			known, _, err := checkExpression(families, rule.Expr)
			if err != nil {
				t.Fatal(err)
			}
			families[rule.Record] = declared{labels: known}
		}
		for _, a := range r.alerts {
			_, groups, err := checkExpression(families, a.Expr)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "| [%s](runbooks/%s.md#%s) | %s | %s | %s | %s |\n", a.Alert, r.family, strings.ToLower(a.Alert),
				a.Labels["severity"], a.For, strings.Join(groups, ", "), shown(a.Annotations["summary"]))
		}
	}
	b.WriteString("\n")
	return b.String()
}

var action = regexp.MustCompile(`\{\{ (?:or \$labels\.\w+ )?\$labels\.(\w+) \}\}|\{\{[^}]*\}\}`)

// shown is a summary with the names of labels in the place of their values.
func shown(summary string) string {
	return action.ReplaceAllStringFunc(summary, func(s string) string {
		if name := action.FindStringSubmatch(s)[1]; name != "" {
			return "*" + name + "*"
		}
		return ""
	})
}
