package queries

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// query is a query of a dashboard or an alert and what it must give on the
// sample cluster.
//
// Every query is evaluated twice: on a scrape with honor_labels, and on one
// without it, where the namespace of an object becomes exported_namespace
// because the target has a namespace of its own. ${ns} is the one or the other,
// so a query with ${ns} is the original in the one evaluation (base dashboards:
// namespace, Kuadrant's: exported_namespace) and its translation in the other.
// Any other ${x} is a variable of the dashboards with all its values.
type query struct {
	name   string
	promQL string
	by     string // labels of the rows, as columns of a table
	want   vector
}

// variables are the dashboards' variables. Grafana replaces one for which "All"
// is selected by a regular expression of all values.
var variables = []struct {
	name, metric, label string
	want                []string
}{
	{"gatewayclass", "gatewayapi_gatewayclass_info", "name", []string{"edge-preview", "envoy-internal", "istio"}},
	{"gateway", "gatewayapi_gateway_info", "name", []string{"shop-internal", "shop-partners", "shop-preview", "shop-public"}},
	{"httproute", "gatewayapi_httproute_created", "name", []string{"catalog", "checkout", "partner-api", "storefront", "summer-sale"}},
	{"grpcroute", "gatewayapi_grpcroute_created", "name", []string{"inventory"}},
	{"tlsroute", "gatewayapi_tlsroute_created", "name", []string{"orders-db"}},
	{"tcproute", "gatewayapi_tcproute_created", "name", []string{"ledger-db"}},
	{"udproute", "gatewayapi_udproute_created", "name", []string{"statsd"}},
	{"tlspolicy", "gatewayapi_tlspolicy_created", "name", []string{"shop-partners", "shop-public"}},
	{"dnspolicy", "gatewayapi_dnspolicy_created", "name", []string{"shop-internal", "shop-public"}},
	{"ratelimitpolicy", "gatewayapi_ratelimitpolicy_created", "name", []string{"catalog", "storefront"}},
	{"authpolicy", "gatewayapi_authpolicy_created", "name", []string{"checkout", "storefront"}},
	{"backendtlspolicy", "gatewayapi_backendtlspolicy_created", "name", []string{"inventory"}},
	// Kuadrant's dashboards.
	{"gateway_namespace", "gatewayapi_gateway_info", "${ns}", []string{"gateway-system", "staging"}},
	{"api_namespace", "gatewayapi_httproute_created", "${ns}", []string{"partners", "payments", "shop", "staging"}},
	{"route_name", "gatewayapi_httproute_labels", "name", []string{"catalog", "checkout", "partner-api", "storefront", "summer-sale"}},
}

func TestQueries(t *testing.T) {
	url := startDemo(t)
	// kubevitals speaks one version of each format.
	const (
		text        = "text/plain; version=0.0.4"
		openMetrics = "application/openmetrics-text; version=1.0.0"
		protobuf    = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
	)
	formats := []struct {
		name        string
		protocols   []string
		parseStart  bool
		contentType string
	}{
		{"text 0.0.4", []string{"PrometheusText0.0.4"}, false, text},
		{"text 1.0.0", []string{"PrometheusText1.0.0"}, false, text},
		{"OpenMetrics 0.0.1", []string{"OpenMetricsText0.0.1"}, false, openMetrics},
		{"OpenMetrics 1.0.0", []string{"OpenMetricsText1.0.0"}, false, openMetrics},
		{"default", nil, false, openMetrics},
		{"start timestamps", []string{"PrometheusProto", "OpenMetricsText1.0.0", "OpenMetricsText0.0.1",
			"PrometheusText1.0.0", "PrometheusText0.0.4"}, true, protobuf},
	}
	labels := []struct {
		name, ns   string
		honor      bool
		namespaces vector
	}{
		{"honor_labels", "namespace", true, vector{"gateway-system": 3, "staging": 1}},
		{"no honor_labels", "exported_namespace", false, vector{"kubevitals": 4}},
	}
	for _, f := range formats {
		for _, l := range labels {
			t.Run(f.name+", "+l.name, func(t *testing.T) {
				s := scrapeOnce(t, url, scrapeOptions{honorLabels: l.honor, protocols: f.protocols, parseStart: f.parseStart})
				if !strings.HasPrefix(s.scraped.contentType, f.contentType) {
					t.Errorf("Content-Type is %q, want %q", s.scraped.contentType, f.contentType)
				}
				s.check(t, query{"namespaces", `count by (namespace) (gatewayapi_gateway_info)`, "namespace", l.namespaces})
				s.checkAll(t, l.ns)
			})
		}
	}
}

// TestQueriesWithGroups makes sure that opt-in groups only add families: with all
// of them every query gives what it gives without.
func TestQueriesWithGroups(t *testing.T) {
	url := startDemo(t, "reasons", "transitions", "generations", "routes", "backends", "matches", "gateways", "tls", "dns", "annotations", "crds")
	s := scrapeOnce(t, url, scrapeOptions{honorLabels: true})
	s.checkAll(t, "namespace")
	s.check(t, query{"one reason for each condition",
		`count(gatewayapi_httproute_status_parents_conditions_reason_info) == count(gatewayapi_httproute_status_parents_conditions)`, "", count(15)})
}

// checkAll evaluates all queries, where ns is the label with the namespace of an
// object.
func (s *server) checkAll(t *testing.T, ns string) {
	t.Helper()
	s.checkAccepted(t)
	replace := s.variables(t, ns)
	for _, q := range allQueries() {
		q.promQL, q.by = replace.Replace(q.promQL), replace.Replace(q.by)
		s.check(t, q)
	}
}

// variables checks the values of the dashboards' variables and returns what
// puts them into queries.
func (s *server) variables(t *testing.T, ns string) *strings.Replacer {
	t.Helper()
	pairs := []string{"${ns}", ns}
	for _, v := range variables {
		label := strings.ReplaceAll(v.label, "${ns}", ns)
		values := s.labelValues(t, v.metric, label)
		if diff := cmp.Diff(v.want, values); diff != "" {
			t.Errorf("label_values(%s, %s) (-want +got):\n%s", v.metric, label, diff)
		}
		pairs = append(pairs, "${"+v.name+"}", "("+strings.Join(values, "|")+")")
	}
	return strings.NewReplacer(pairs...)
}

// check evaluates a query.
func (s *server) check(t *testing.T, q query) {
	t.Helper()
	got, err := s.query(t, q.promQL, strings.Fields(q.by)...)
	if err != nil {
		t.Errorf("%s: %v\n%s", q.name, err, q.promQL)
		return
	}
	if diff := cmp.Diff(q.want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s\n%s", q.name, diff, q.promQL)
	}
}

// checkAccepted checks that Prometheus has stored every sample it was sent, and
// has complained of nothing.
func (s *server) checkAccepted(t *testing.T) {
	t.Helper()
	n := float64(s.scraped.samples(t))
	if n == 0 {
		t.Fatalf("nothing was scraped:\n%s", s.log)
	}
	for metric, want := range map[string]float64{
		"up":                                    1,
		"scrape_samples_scraped":                n,
		"scrape_samples_post_metric_relabeling": n,
		"scrape_series_added":                   n,
	} {
		s.check(t, query{"report of the scrape", metric, "job namespace", vector{"kubevitals/kubevitals": want}})
	}
	for line := range strings.Lines(s.log.String()) {
		if strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR") || strings.Contains(line, "failed") {
			t.Errorf("Prometheus says: %s", line)
		}
	}
	s.checkRefused(t)
}

// checkRefused checks the scrape manager's counters of what it has refused.
func (s *server) checkRefused(t *testing.T) {
	t.Helper()
	// All that count refused scrapes or samples begin so.
	const prefix = "prometheus_target_scrapes_"
	families, err := s.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var counted []string
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), prefix) {
			continue
		}
		counted = append(counted, strings.TrimPrefix(family.GetName(), prefix))
		for _, m := range family.GetMetric() {
			if m.GetCounter().GetValue() != 0 {
				t.Errorf("%s is %v, want 0", family.GetName(), m.GetCounter().GetValue())
			}
		}
	}
	for _, name := range []string{"sample_duplicate_timestamp_total", "sample_out_of_order_total", "sample_out_of_bounds_total"} {
		if !slices.Contains(counted, name) {
			t.Errorf("no counter %s%s among %v", prefix, name, counted)
		}
	}
}

// allQueries returns the queries of all tables.
func allQueries() []query {
	all := slices.Concat(gatewayClassQueries, gatewayQueries, alertQueries, policyQueries, kuadrantQueries)
	for _, r := range routes {
		all = append(all, r.queries()...)
	}
	for _, p := range missingPolicyAlerts {
		all = append(all, p.queries()...)
	}
	return all
}

// count is the result of a query with one row without labels.
func count(n float64) vector { return vector{"": n} }

// rows is the result of a query whose rows all have the value 1.
func rows(keys ...string) vector { return each(1, keys...) }

// each is the result of a query whose rows all have one value.
func each(value float64, keys ...string) vector {
	v := vector{}
	for _, key := range keys {
		v[key] = value
	}
	return v
}

// unix returns a point in time as metrics give it.
func unix(text string) float64 {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(fmt.Sprintf("BUG: %v", err))
	}
	return float64(at.Unix())
}
