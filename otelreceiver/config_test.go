package otelreceiver

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
)

// unmarshal reads a configuration as a collector does.
func unmarshal(t *testing.T, text string) (*Config, error) {
	t.Helper()
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	conf, err := retrieved.AsConf()
	if err != nil {
		t.Fatal(err)
	}
	c := NewFactory().CreateDefaultConfig().(*Config)
	return c, conf.Unmarshal(c)
}

// TestUnmarshal reads every key.
func TestUnmarshal(t *testing.T) {
	got, err := unmarshal(t, `
catalogs: [kyma]
rules: [/etc/rules]
rules_inline: ["a", "b"]
enable: [resources]
params: {kyma.modules: [telemetry, istio], conditions.groups: x.io}
cel_budget: 1s
cel_cost_limit: 5
kubeconfig: /k
context: c
from: [f]
namespaces: [b, a]
namespaces_denylist: [d]
collect: scrape
discovery_interval: 2s
collection_interval: 3s
min_interval: 4s
retry_interval: 5s
max_series: 6
self_metrics: false
resource: object
object_attributes: {namespace: k8s.namespace.name}
resource_attributes: {k8s.cluster.name: c}
names: {foo_size: foo.size}
dots: true
semconv: true
k8s_leader_elector: k8s_leader_elector/x
lease: {namespace: n, name: l, duration: 7s}
`)
	if err != nil {
		t.Fatal(err)
	}
	id := component.MustNewIDWithName("k8s_leader_elector", "x")
	want := &Config{
		Catalogs: []string{"kyma"}, Rules: []string{"/etc/rules"}, RulesInline: []string{"a", "b"}, Enable: []string{"resources"},
		Params:    map[string][]string{"kyma.modules": {"telemetry", "istio"}, "conditions.groups": {"x.io"}},
		CELBudget: time.Second, CELCostLimit: 5, Kubeconfig: "/k", Context: "c", From: []string{"f"},
		Namespaces: []string{"b", "a"}, NamespacesDenylist: []string{"d"}, Collect: "scrape", DiscoveryInterval: 2 * time.Second,
		CollectionInterval: 3 * time.Second, MinInterval: 4 * time.Second, RetryInterval: 5 * time.Second, MaxSeries: 6,
		Resource: "object", ObjectAttributes: map[string]string{"namespace": "k8s.namespace.name"},
		ResourceAttributes: map[string]string{"k8s.cluster.name": "c"}, Names: map[string]string{"foo_size": "foo.size"},
		Dots: true, Semconv: true, K8sLeaderElector: &id, Lease: &LeaseConfig{Namespace: "n", Name: "l", Duration: 7 * time.Second},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Config{}, LeaseConfig{}), cmp.Comparer(func(a, b component.ID) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

// TestUnknownKey: what is misspelt is said.
func TestUnknownKey(t *testing.T) {
	if _, err := unmarshal(t, "catalog: [kyma]"); err == nil || !strings.Contains(err.Error(), "catalog") {
		t.Errorf("unknown key: %v", err)
	}
}

// TestValidate: each error names the key, and what to do.
func TestValidate(t *testing.T) {
	for _, c := range []struct{ config, want string }{
		{"{}", ""},
		{"catalogs: [conditions]", ""},
		{"{catalogs: [kyma], enable: [resources], params: {kyma.modules: telemetry}}", ""},
		{"from: [x]", ""},
		{"lease: {namespace: a, name: b}", ""},
		{"catalogs: [kima]", `catalogs: `},
		{"rules: [/none.yaml]", "/none.yaml"},
		{`rules: [""]`, "rules: the name of the file is empty"},
		{`rules_inline: ["x: y"]`, "rules_inline[0]:1"},
		{"enable: [nothing]", `enable: `},
		{"params: {x: y}", `params: "x=y": expected DOCUMENT.PARAMETER`},
		{"params: {kyma.nothing: y}", "params: "},
		{"cel_budget: 0s", "cel_budget: 0s, expected"},
		{"{from: [x], kubeconfig: y}", "remove kubeconfig and context, or from"},
		{"{from: [x], collect: scrape}", "remove collect: scrape"},
		{"from: ['-']", "no standard input"},
		{"from: ['']", "from: a name is empty"},
		{"namespaces: ['']", "a name is empty"},
		{"{namespaces: [a], namespaces_denylist: [b]}", "by namespaces_denylist which not to read"},
		{"collect: poll", `collect: "poll", expected watch or scrape`},
		{"discovery_interval: -1s", "discovery_interval: -1s, expected"},
		{"collection_interval: 0s", "collection_interval: 0s, expected"},
		{"min_interval: 0s", "min_interval: 0s, expected"},
		{"min_interval: 2m", "min_interval: 2m0s is more than the collection_interval, 1m0s"},
		{"retry_interval: 1h", "retry_interval: 1h0m0s, expected"},
		{"max_series: 0", "max_series: 0, expected"},
		{"resource: all", `resource: "all", expected none or object`},
		{"object_attributes: {a: b}", "add resource: object"},
		{"{resource: object, object_attributes: {a: ''}}", "expected a label and an attribute"},
		{"resource_attributes: {a: ''}", "expected an attribute and its value"},
		{"names: {a: b}", `names: no rule gives a family "a"`},
		{"names: {gateway_metrics_up: up}", ""},
		{"names: {gateway_metrics_up: ''}", "the name is empty"},
		{"{catalogs: [kyma], names: {kyma_status_state: kyma.module.status.state}}", "would both be called kyma.module.status.state"},
		{"{lease: {namespace: a, name: b}, k8s_leader_elector: k8s_leader_elector}", "elected by the extension k8s_leader_elector already"},
		{"lease: {name: b}", "lease: it needs a namespace and a name"},
		{"lease: {namespace: a, name: b, duration: 1ms}", "lease: duration: 1ms"},
		{"{lease: {namespace: a, name: b}, from: [x]}", "remove lease or from"},
		{"{collect: x, resource: y}", "resource: "}, // all at once
	} {
		config, err := unmarshal(t, c.config)
		if err != nil {
			t.Errorf("%s: %v", c.config, err)
			continue
		}
		err = confmap.Validate(config)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: want %q, got %v", c.config, c.want, err)
		}
		if err != nil && strings.Contains(err.Error(), "--") {
			t.Errorf("%s: the error names a flag: %v", c.config, err)
		}
	}
}

// TestCatalogs: the rules of every catalog, with all groups, have names that are
// not in conflict.
func TestCatalogs(t *testing.T) {
	for _, dots := range []string{"false", "true"} {
		for _, name := range []string{"conditions", "gateway-api", "kuadrant", "kyma"} {
			c, err := unmarshal(t, "{catalogs: ["+name+"], dots: "+dots+"}")
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Validate(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
