package alerts

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/kubevitals/kubevitals/catalog"
)

// promQL parses expressions as Prometheus does without any feature flag.
var promQL = parser.NewParser(parser.Options{})

// rules are the rules of a family, in the order of the file.
type rules struct {
	family          string
	alerts, records []rulefmt.Rule
}

// readRules reads the rules of all families.
func readRules(t *testing.T) []rules {
	t.Helper()
	var all []rules
	for _, family := range catalog.Families() {
		file, data, err := catalog.Alerts(family)
		if err != nil {
			t.Fatal(err)
		}
		groups, errs := rulefmt.Parse(data, false, model.UTF8Validation, promQL, promslog.NewNopLogger())
		for _, err := range errs {
			t.Fatalf("%s: %v", file, err)
		}
		r := rules{family: family}
		for _, g := range groups.Groups {
			for _, rule := range g.Rules {
				if rule.Alert != "" {
					r.alerts = append(r.alerts, rule)
				} else {
					r.records = append(r.records, rule)
				}
			}
			if mixed := slices.ContainsFunc(g.Rules, func(r rulefmt.Rule) bool { return r.Record != "" }) &&
				slices.ContainsFunc(g.Rules, func(r rulefmt.Rule) bool { return r.Alert != "" }); mixed {
				t.Errorf("%s: the group %s has alerts and recording rules: make two of it", file, g.Name)
			}
		}
		if len(r.alerts) == 0 {
			t.Errorf("%s has no alerts", file)
		}
		all = append(all, r)
	}
	return all
}

const runbooks = "https://github.com/kubevitals/kubevitals/blob/main/docs/runbooks/"

var (
	alertName = regexp.MustCompile(`^[A-Z][A-Za-z]+$`)
	severity  = regexp.MustCompile(`^(critical|warning|info)$`)
	sentence  = regexp.MustCompile(`(?s)^\S.*(\.|\{\{ end \}\})$`)
)

// TestFields checks what each alert says of itself.
func TestFields(t *testing.T) {
	seen := make(map[string]string)
	for _, r := range readRules(t) {
		for _, a := range r.alerts {
			if other := seen[a.Alert]; other != "" {
				t.Errorf("%s is an alert of %s and of %s", a.Alert, other, r.family)
			}
			seen[a.Alert] = r.family
			if !alertName.MatchString(a.Alert) {
				t.Errorf("%s/%s: the name is not a word in CamelCase", r.family, a.Alert)
			}
			if a.For <= 0 {
				t.Errorf("%s/%s has no time in for", r.family, a.Alert)
			}
			if !severity.MatchString(a.Labels["severity"]) {
				t.Errorf("%s/%s: severity %q", r.family, a.Alert, a.Labels["severity"])
			}
			for _, key := range []string{"summary", "description"} {
				if !sentence.MatchString(a.Annotations[key]) {
					t.Errorf("%s/%s: the %s %q is no sentence", r.family, a.Alert, key, a.Annotations[key])
				}
			}
			if got, want := a.Annotations["runbook_url"], runbooks+r.family+".md#"+strings.ToLower(a.Alert); got != want {
				t.Errorf("%s/%s: runbook_url %q, want %q", r.family, a.Alert, got, want)
			}
		}
	}
}

// TestOriginals checks what others rely on: the alerts of gateway-api-state-metrics
// are unchanged, and those of kuadrant-operator have their names, times and severities.
func TestOriginals(t *testing.T) {
	want := map[string][3]string{
		"UnhealthyGateway":     {"10m", "critical", `(gatewayapi_gateway_status{type="Accepted"} == 0) or (gatewayapi_gateway_status{type="Programmed"} == 0)`},
		"InsecureHTTPListener": {"10m", "critical", `gatewayapi_gateway_listener_info{protocol="HTTP"}`},

		"GatewayWithoutDnsPolicy":         {"5m", "warning"},
		"GatewayWithoutTlsPolicy":         {"5m", "warning"},
		"HTTPRouteWithoutAuthPolicy":      {"5m", "warning"},
		"HTTPRouteWithoutRateLimitPolicy": {"5m", "warning"},
		"PossibleOrphanedDNSRecords":      {"5m", "warning"},
	}
	for _, r := range readRules(t) {
		for _, a := range r.alerts {
			w, ok := want[a.Alert]
			if !ok {
				continue
			}
			delete(want, a.Alert)
			if got := [2]string{a.For.String(), a.Labels["severity"]}; got != [2]string{w[0], w[1]} {
				t.Errorf("%s has %q, want %q", a.Alert, got, w[:2])
			}
			if got := strings.TrimSpace(a.Expr); w[2] != "" && got != w[2] {
				t.Errorf("%s is %s, want %s", a.Alert, got, w[2])
			}
		}
	}
	for name := range want {
		t.Errorf("there is no alert %s", name)
	}
}
