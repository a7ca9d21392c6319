package alerts

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// declared is a family of the metric reference: the section that it is in, its labels,
// and the groups that it needs.
type declared struct {
	section        string
	labels, groups []string
}

// has reports whether series of the family may have a label.
func (d declared) has(label string) bool {
	return label == model.MetricNameLabel || slices.Contains(d.labels, label) || slices.Contains(targetLabels, label)
}

// targetLabels are those that series have besides: of the scraped target, of its
// cluster, what Prometheus makes of labels that both have, and what kubevitals pods
// adds to those of a pod with several targets.
var targetLabels = []string{"cluster", "job", "instance", "pod", "namespace", "exported_namespace", "container", "port", "path"}

var quoted = regexp.MustCompile("`([^`]+)`")

// readReference reads docs/reference/metrics.md, where a test of the commands keeps
// every family of the catalogs and of Kubevitals itself.
func readReference(t *testing.T) map[string]declared {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", "reference", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	names := func(cell string) (out []string) {
		for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
			out = append(out, m[1])
		}
		return out
	}
	families := make(map[string]declared)
	var in string
	var common []string // the labels of all families of a section
	for line := range strings.Lines(string(data)) {
		cells := strings.Split(line, "|")
		switch {
		case strings.HasPrefix(line, "## "):
			in, common = strings.TrimSpace(line[3:]), nil
		case strings.HasPrefix(line, "Every family"), strings.HasPrefix(line, "Each has"):
			common = names(line)
		case strings.HasPrefix(line, "| `"):
			d := declared{section: in, labels: slices.Concat(common, names(cells[len(cells)-3]))}
			if len(cells) == 7 {
				d.groups = names(cells[3])
			}
			families[names(cells[1])[0]] = d
		}
	}
	if len(families) < 300 {
		t.Fatalf("found only %d families: the pattern is broken", len(families))
	}
	return families
}

// selectedNames returns the names of metrics that a selector chooses. In place of a name
// there may be a regular expression that is a list of names.
func selectedNames(s *parser.VectorSelector) ([]string, error) {
	for _, m := range s.LabelMatchers {
		if m.Name != model.MetricNameLabel {
			continue
		}
		if m.Type == labels.MatchEqual {
			return []string{m.Value}, nil
		}
		if names := m.SetMatches(); m.Type == labels.MatchRegexp && len(names) > 0 {
			return names, nil
		}
		return nil, fmt.Errorf("%s is no list of names: write them as alternatives", m)
	}
	return nil, fmt.Errorf("%s has no name", s)
}

// checkExpression checks that the metrics of an expression exist, and have the labels
// by which they are chosen, joined and grouped. It returns the labels that a result may
// have, and the groups without which there is none.
func checkExpression(families map[string]declared, text string) (known, groups []string, err error) {
	expr, err := promQL.ParseExpr(text)
	if err != nil {
		return nil, nil, err
	}
	known = slices.Clone(targetLabels)
	used := make(map[string]bool)
	always := false // there is something to be seen without a group
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			names, bad := selectedNames(n)
			if bad != nil {
				err = bad
			}
			for _, name := range names {
				f, ok := families[name]
				if !ok {
					err = fmt.Errorf("there is no metric %s", name)
				}
				for _, m := range n.LabelMatchers {
					if !f.has(m.Name) {
						err = fmt.Errorf("%s has no label %s", name, m.Name)
					}
				}
				known, groups, always = append(known, f.labels...), append(groups, f.groups...), always || len(f.groups) == 0
			}
		case *parser.AggregateExpr:
			for _, l := range n.Grouping {
				used[l] = true
			}
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				for _, l := range n.VectorMatching.MatchingLabels {
					used[l] = true
				}
			}
		}
		return nil
	})
	for l := range used {
		if !slices.Contains(known, l) {
			err = fmt.Errorf("no metric of it has the label %s", l)
		}
	}
	slices.Sort(groups)
	if always {
		groups = nil
	}
	return known, slices.Compact(groups), err
}

var (
	labelRef     = regexp.MustCompile(`\$labels\.(\w+)`)
	queryOf      = regexp.MustCompile(`with printf "([^"]+)"`)
	selectorName = regexp.MustCompile(`^[a-z_%]+`)
)

// TestMetrics checks the expressions of all rules, and the templates of the annotations:
// the labels they show, and the queries they make.
func TestMetrics(t *testing.T) {
	families := readReference(t)
	for _, r := range readRules(t) {
		for _, rule := range r.records {
			known, _, err := checkExpression(families, rule.Expr)
			if err != nil {
				t.Errorf("%s/%s: %v", r.family, rule.Record, err)
			}
			families[rule.Record] = declared{labels: known}
		}
		for _, a := range r.alerts {
			known, _, err := checkExpression(families, a.Expr)
			if err != nil {
				t.Errorf("%s/%s: %v", r.family, a.Alert, err)
			}
			text := a.Annotations["summary"] + a.Annotations["description"]
			for _, m := range labelRef.FindAllStringSubmatch(text, -1) {
				if !slices.Contains(known, m[1]) {
					t.Errorf("%s/%s shows the label %s, which it does not have", r.family, a.Alert, m[1])
				}
			}
			for _, m := range queryOf.FindAllStringSubmatch(text, -1) {
				checkTemplate(t, families, r.family+"/"+a.Alert, m[1])
			}
		}
	}
}

// checkTemplate checks a query of an annotation, for every family that its name may be.
func checkTemplate(t *testing.T, families map[string]declared, alert, query string) {
	t.Helper()
	pattern := selectorName.FindString(query)
	name := regexp.MustCompile("^" + strings.ReplaceAll(pattern, "%s", "[a-z]+") + "$")
	found := false
	for _, family := range slices.Sorted(maps.Keys(families)) {
		if !name.MatchString(family) {
			continue
		}
		found = true
		text := strings.ReplaceAll(strings.Replace(query, pattern, family, 1), "%q", `"x"`)
		if _, _, err := checkExpression(families, text); err != nil {
			t.Errorf("%s asks for %s: %v", alert, query, err)
		}
	}
	if !found {
		t.Errorf("%s asks for %s, and there is no such metric", alert, pattern)
	}
}

// TestKinds checks that alerts on what many kinds have leave none of them out.
func TestKinds(t *testing.T) {
	families := readReference(t)
	expressions := make(map[string]string)
	for _, r := range readRules(t) {
		for _, a := range r.alerts {
			expressions[a.Alert] = a.Expr
		}
	}
	for _, c := range []struct{ alert, catalog, families string }{
		{"ListenerNotProgrammed", "gateway-api", "_status_listeners_conditions$"},
		{"RouteNotAttached", "gateway-api", "_parent_attached$"},
		{"RouteRejected", "gateway-api", "route_status_parents_conditions$"},
		{"RouteUnresolvedRefs", "gateway-api", "route_status_parents_conditions$"},
		{"RoutePartiallyInvalid", "gateway-api", "route_status_parents_conditions$"},
		{"PolicyNotAccepted", "gateway-api", "_status_ancestors_conditions$"},
		{"PolicyUnresolvedRefs", "gateway-api", "_status_ancestors_conditions$"},
		{"StaleStatus", "gateway-api", "_observed_generation$"},
		{"StuckDeleting", "gateway-api", "_deleted$"},
		{"KuadrantPolicyNotAccepted", "kuadrant", "policy_status$"},
		{"KuadrantPolicyNotEnforced", "kuadrant", "policy_status$"},
		{"KuadrantStaleStatus", "kuadrant", "_status_observed_generation$"},
		{"KuadrantStuckDeleting", "kuadrant", "_deleted$"},
	} {
		expr, err := promQL.ParseExpr(expressions[c.alert])
		if err != nil {
			t.Fatalf("%s: %v", c.alert, err)
		}
		var got []string
		for _, matchers := range parser.ExtractSelectors(expr) {
			names, err := selectedNames(&parser.VectorSelector{LabelMatchers: matchers})
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, names...)
		}
		want, found := regexp.MustCompile(c.families), 0
		for name, f := range families {
			if f.section != "Catalog "+c.catalog || !want.MatchString(name) {
				continue
			}
			if found++; !slices.Contains(got, name) {
				t.Errorf("%s leaves %s out", c.alert, name)
			}
		}
		if found < 3 {
			t.Errorf("%s: found only %d families: the pattern is broken", c.alert, found)
		}
	}
}

// TestInput checks that the series of the tests could be: the metrics exist and have
// those labels.
func TestInput(t *testing.T) {
	families := readReference(t)
	for _, r := range readRules(t) {
		for _, test := range readTests(t, r.family).Tests {
			for _, s := range test.InputSeries {
				series, _, err := promQL.ParseSeriesDesc(s.Series + " " + s.Values)
				if err != nil {
					t.Errorf("%s: %s: %v", r.family, s.Series, err)
					continue
				}
				f, ok := families[series.Get(model.MetricNameLabel)]
				if !ok {
					t.Errorf("%s, %q: there is no metric %s", r.family, test.Name, series.Get(model.MetricNameLabel))
				}
				series.Range(func(l labels.Label) {
					if !f.has(l.Name) {
						t.Errorf("%s, %q: %s has no label %s", r.family, test.Name, series.Get(model.MetricNameLabel), l.Name)
					}
				})
			}
		}
	}
}
