package monitoring

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// originalAlerts are those of gateway-api-state-metrics, which must go on working.
const originalAlerts = `
groups:
- name: gateway-api-state-metrics
  rules:
  - alert: UnhealthyGateway
    expr: (gatewayapi_gateway_status{type="Accepted"} == 0) or (gatewayapi_gateway_status{type="Programmed"} == 0)
    for: 10m
  - alert: InsecureHTTPListener
    expr: gatewayapi_gateway_listener_info{protocol="HTTP"}
    for: 10m
`

// ruleFile is a file with rules of Prometheus.
type ruleFile struct {
	name string
	data []byte
}

// ruleFiles are the rules of all families of the catalog that have any: this is where
// more rules come in.
func ruleFiles(t *testing.T) (out []ruleFile) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("..", "..", "catalog", "*", "alerts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, ruleFile{name, data})
	}
	return out
}

// checkAlerts evaluates the expressions of alerts: of those of the catalog, that they
// are valid and give no error, and of two that are old, what they find.
func (l *lab) checkAlerts(t *testing.T) {
	w := &world{lab: l}
	got := l.alerts(t, ruleFile{"gateway-api-state-metrics", []byte(originalAlerts)})
	want := map[string]int{
		"UnhealthyGateway":     len(notMet(w.gatewayPlaces(), "Accepted", "Programmed")),
		"InsecureHTTPListener": len(where(each(w.gateways(), "spec", "listeners"), func(l part) bool { return l.part.str("protocol") == "HTTP" })),
	}
	for name, n := range want {
		if got[name] != n {
			t.Errorf("the alert %s finds %d series, want %d", name, got[name], n)
		}
	}
	for _, f := range ruleFiles(t) {
		l.alerts(t, f)
	}
}

// alerts evaluates the rules of a file and returns how many series each alert finds.
func (l *lab) alerts(t *testing.T, f ruleFile) map[string]int {
	t.Helper()
	groups, errs := rulefmt.Parse(f.data, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Errorf("%s: %v", f.name, err)
	}
	found := map[string]int{}
	if groups == nil {
		return found
	}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			samples, err := l.prom.Query(t.Context(), r.Expr, l.at)
			if err != nil {
				t.Errorf("%s: %s%s: %v", f.name, r.Alert, r.Record, err)
			}
			found[r.Alert] = len(samples)
		}
	}
	return found
}
