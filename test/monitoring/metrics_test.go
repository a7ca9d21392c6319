package monitoring

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

var referenceRow = regexp.MustCompile("(?m)^\\| `(\\w+)` \\| \\w+ \\| ([^|]*) \\|")

// declared are the families of the metric reference, with the groups that each needs.
var declared = sync.OnceValues(func() (map[string][]string, error) {
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", "reference", "metrics.md"))
	out := map[string][]string{}
	for _, m := range referenceRow.FindAllStringSubmatch(string(data), -1) {
		groups := strings.FieldsFunc(m[2], func(r rune) bool { return strings.ContainsRune("`, ", r) })
		if strings.HasPrefix(m[1], "kubevitals_") || strings.HasPrefix(m[1], "scrape_") || m[1] == "up" || m[1] == "gateway_metrics_up" {
			groups = nil // the column has labels there
		}
		out[m[1]] = groups
	}
	return out, err
})

// checkMetrics checks that the metrics of a query exist, and that the description of
// its panel names the groups that they need.
func (l *lab) checkMetrics(t *testing.T, b board, p panel) {
	t.Helper()
	known, err := declared()
	if err != nil || len(known) < 300 {
		t.Fatalf("the metric reference has %d families: %v", len(known), err)
	}
	stored, err := l.prom.Metrics(t.Context(), l.at)
	if err != nil {
		t.Fatal(err)
	}
	query, err := b.expand(p.Targets[0].Expr, nil)
	if err != nil {
		t.Errorf("%q: %v", p.Title, err)
		return
	}
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		t.Errorf("%q: %v", p.Title, err)
		return
	}
	needed := map[string]bool{}
	for _, matchers := range parser.ExtractSelectors(expr) {
		found := 0
		for name, groups := range families(known, stored) {
			if !matchesName(matchers, name) {
				continue
			}
			found++
			for _, g := range groups {
				needed[g] = true
			}
		}
		if found == 0 {
			t.Errorf("%q: no metric is called %v", p.Title, matchers)
		}
	}
	_, flag, _ := strings.Cut(p.Description, "--enable ")
	said := strings.Split(strings.TrimSuffix(flag, "."), ",")
	if flag == "" {
		said = nil
	}
	slices.Sort(said)
	if want := slices.Sorted(maps.Keys(needed)); !slices.Equal(said, want) {
		t.Errorf("%q needs the groups %v, and says %v", p.Title, want, said)
	}
}

// families are those that are declared, their series if they are histograms, and what
// was stored of the families that every program has, OTLP and the election.
func families(known map[string][]string, stored []string) map[string][]string {
	out := maps.Clone(known)
	for name, groups := range known {
		out[name+"_bucket"], out[name+"_count"] = groups, groups
	}
	for _, name := range stored {
		for _, prefix := range []string{"go_", "process_", "kubevitals_otlp_", "kubevitals_leader", "kubevitals_lease_"} {
			if strings.HasPrefix(name, prefix) {
				out[name] = nil
			}
		}
	}
	return out
}

func matchesName(matchers []*labels.Matcher, name string) bool {
	for _, m := range matchers {
		if m.Name == model.MetricNameLabel {
			return m.Matches(name)
		}
	}
	return false
}
