package rule_test

import (
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/rule/crs"
)

func TestParseErrors(t *testing.T) {
	f := func(rules, want string) {
		t.Helper()
		checkFindings(t, rules, want)
	}
	const none = "r.yaml: the file has no rules: expected a document of kind MetricRules or CustomResourceStateMetrics"
	f("", none)
	f("# only a comment\n", none)
	f("---\n---\n", none)
	f("null", none)
	f("~", none)

	f("§- a", "expected a rule document, found a list")
	f("§[]", "expected a rule document, found a list")
	f("§text", `expected a rule document, found the str "text"`)
	f("\n§5", `expected a rule document, found the int "5"`)
	f("§{}", "the document has no kind: expected MetricRules or CustomResourceStateMetrics")
	f("§kind:\nspec: {}", "the document has no kind: expected MetricRules or CustomResourceStateMetrics")
	f("§kind: [MetricRules]", "the document has no kind: expected MetricRules or CustomResourceStateMetrics")
	f("kind: §Pod", `unknown kind "Pod": expected MetricRules or CustomResourceStateMetrics`)
	f("kind: §MetricRule", `unknown kind "MetricRule": expected MetricRules or CustomResourceStateMetrics, did you mean "MetricRules"?`)
	f("kind: §CustomResourceStateMetric", `unknown kind "CustomResourceStateMetric": expected MetricRules or CustomResourceStateMetrics, did you mean "CustomResourceStateMetrics"?`)

	f("§kind: MetricRules", "the document has no resources")
	f("§kind: CustomResourceStateMetrics", "the document has no resources")
	f("§kind: MetricRules\nspec:", "the document has no resources")
	f("§kind: MetricRules\nspec: {resources: []}", "the document has no resources")
	f("§kind: CustomResourceStateMetrics\nspec: {resources: }", "the document has no resources")
	f("kind: MetricRules\n§resources: []", "unknown field \"resources\"\nr.yaml:1:1: the document has no resources: they belong under spec")
	f("kind: CustomResourceStateMetrics\n§resources: []",
		"warning: unknown field \"resources\" is ignored\nr.yaml:1:1: the document has no resources: they belong under spec")

	f("§kind: MetricRules\nspec: §[]", "the document has no resources\nexpected a map, found a list")
	f("§kind: MetricRules\nspec: {resources: §{}}", "the document has no resources\nexpected a list, found a map")
	f("kind: MetricRules\nspec: {resources: [§text]}", "expected a map, found the str \"text\"\nr.yaml:2:20: the resource has no groupVersionKind.kind")
	f("apiVersion: §v1\n"+strings.TrimPrefix(doc(`{name: m, value: object.v}`), "apiVersion: kubevitals.io/v1alpha1\n"),
		`apiVersion is "v1": this version reads kubevitals.io/v1alpha1`)
	f(strings.Replace(doc(`{name: m, value: object.v}`), "spec:", "§spce: {}\nspec:", 1), `unknown field "spce", did you mean "spec"?`)
	f(strings.Replace(doc(`{name: m, value: object.v}`), "spec:", "spec:\n  §labls: {}", 1), `unknown field "labls", did you mean "labels"?`)
	f(strings.Replace(doc(`{name: m, value: object.v}`), "spec:", "spec:\n  limits: {series: §0}", 1), `expected a whole number above 0, found the int "0"`)
	f(strings.Replace(doc(`{name: m, value: object.v}`), "spec:", "metadata: {name: §[a]}\nspec:", 1), "expected text, found a list")
}

func TestParseNotYAML(t *testing.T) {
	f := func(rules, want string) {
		t.Helper()
		docs, findings := rule.Parse("r.yaml", []byte(rules), rule.ParseOptions{})
		if got := findings.Error(); got != want || len(docs) > 0 {
			t.Errorf("%q: got %d documents and %q, want %q", rules, len(docs), got, want)
		}
	}
	f("a: b\nc: [\n", "r.yaml:2: not valid YAML: did not find expected node content")
	f("a: b\n  c: d\n", "r.yaml:2: not valid YAML: mapping values are not allowed in this context")
	f("a: *nowhere\n", "r.yaml: not valid YAML: unknown anchor 'nowhere' referenced")
	f("a: \xff\n", "r.yaml: not valid YAML: invalid leading UTF-8 octet")
	f(doc(`{name: m, value: object.v}`)+"---\n{", "r.yaml:9: not valid YAML: did not find expected node content")
}

// TestParseSize reads files that are small as text and huge, or endless, once
// aliases are followed.
func TestParseSize(t *testing.T) {
	f := func(rules string) {
		t.Helper()
		const want = "r.yaml:1:1: the document has more than 1000000 values"
		if _, findings := compile(rules); findings.Error() != want {
			t.Errorf("got %q, want %q", findings.Error(), want)
		}
	}
	var bomb strings.Builder
	bomb.WriteString("a: &a [x, x, x, x, x, x, x, x, x, x]\n")
	for c := 'b'; c <= 'i'; c++ {
		bomb.WriteString(strings.NewReplacer("b", string(c), "a", string(c-1)).Replace("b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n"))
	}
	f(bomb.String())
	f("&a [*a]")
	f("kind: MetricRules\nspec: &a {resources: [*a]}")
	f("&a {kind: MetricRules, spec: *a}")
}

func TestDocumentKinds(t *testing.T) {
	const spec = "spec: {resources: [{groupVersionKind: {group: g, version: v1, kind: K}, metricNamePrefix: p, metrics: [{name: m, value: object.v}]}]}\n"
	const ours, legacy = "p_m 1\n", "p_m{customresource_group=\"g\",customresource_kind=\"K\",customresource_version=\"v1\"} 1\n"
	f := func(rules string, opts rule.ParseOptions, want string) {
		t.Helper()
		set, findings := compileWith(rules, opts, rule.CompileOptions{Legacy: crs.Compile})
		if len(findings) > 0 {
			t.Errorf("%s: %v", rules, findings)
			return
		}
		if got := run(t, set, set.Program(testKind, true), new(rule.Context), map[string]any{"v": int64(1)}); got != want {
			t.Errorf("%s:\ngot  %swant %s", rules, got, want)
		}
	}
	plain, force := rule.ParseOptions{}, rule.ParseOptions{Legacy: true}
	wrap := func(s string) string {
		return "customResourceState:\n  enabled: true\n  config:\n    " + strings.ReplaceAll(s, "\n", "\n    ")
	}

	f("kind: MetricRules\n"+spec, plain, ours)
	f("kind: MetricRules\napiVersion: kubevitals.io/v1alpha1\nmetadata: {name: n, labels: {a: b}}\n"+spec, plain, ours)
	f("kind: CustomResourceStateMetrics\n"+spec, plain, legacy)
	f("kind: CustomResourceStateMetrics\napiVersion: whatever\n"+spec, plain, legacy)
	f("---\n---\nkind: MetricRules\n"+spec, plain, ours)
	f("\ufeffkind: MetricRules\r\n"+strings.ReplaceAll(spec, "\n", "\r\n"), plain, ours)
	const spaced = "\"resources\": [\n\t{\"groupVersionKind\": {\"group\": \"g\", \"kind\": \"K\"}, \"metricNamePrefix\": \"p\",\n\t\"metrics\": [{\"name\": \"m\", \"value\": \"object.v\"}]}\n]"
	f("{\n\t\"kind\": \"MetricRules\",\n\t\"spec\": {"+spaced+"}\n}\n", plain, ours) // JSON, with tabs

	f(wrap("kind: MetricRules\n"+spec), plain, ours)
	f(wrap("kind: CustomResourceStateMetrics\n"+spec), plain, legacy)
	f("image: {tag: v1}\n"+wrap("kind: CustomResourceStateMetrics\n"+spec), plain, legacy)

	// A file that is said to be kube-state-metrics' is one whatever its kind.
	f(spec, force, legacy)
	f("kind: Pod\n"+spec, force, legacy)
	f(wrap(spec), force, legacy)
	f("kind: CustomResourceStateMetrics\n"+spec, force, legacy)
	f("kind: MetricRules\n"+spec, force, ours)
}

func TestHelmWrapperErrors(t *testing.T) {
	checkFindings(t, "customResourceState: §{enabled: true}", "customResourceState has no config")
	checkFindings(t, "customResourceState: §text", "customResourceState has no config")
	checkFindings(t, "customResourceState:§", "customResourceState has no config")
	checkFindings(t, "customResourceState: §{config: [a]}", "customResourceState has no config")
	checkFindings(t, "customResourceState: {config: §{spec: {}}}", "the document has no kind: expected MetricRules or CustomResourceStateMetrics")
	checkFindings(t, "customResourceState: {config: {kind: §Pod}}", `unknown kind "Pod": expected MetricRules or CustomResourceStateMetrics`)
}

func TestSeveralDocuments(t *testing.T) {
	f := func(want string, findings string, rules ...string) {
		t.Helper()
		docs, got := rule.Parse("r.yaml", []byte(strings.Join(rules, "---\n")), rule.ParseOptions{})
		var names []string
		for _, d := range docs {
			names = append(names, d.Name)
		}
		if strings.Join(names, " ") != want || got.Error() != findings {
			t.Errorf("got %v and %q, want %s and %q", names, got, want, findings)
		}
	}
	document := func(kind, name string) string {
		return "kind: " + kind + "\nmetadata: {name: " + name + "}\nspec: {resources: [{groupVersionKind: {group: g, kind: K}, metrics: [{name: m, value: object.v}]}]}\n"
	}
	ours, legacy := rule.KindMetricRules, rule.KindCustomResourceStateMetrics

	f("a b", "", document(ours, "a"), document(ours, "b"))
	f("a b", "", document(legacy, "a"), document(ours, "b"))
	f("a b", "", document(ours, "a"), document(legacy, "b"))
	f("r.yaml", "", document(ours, ""))
	f("a", "r.yaml:5:1: warning: only the first CustomResourceStateMetrics document of a file is read, as kube-state-metrics does: give this one a file of its own",
		document(legacy, "a"), document(legacy, "b"))
}

func TestDocumentLegacy(t *testing.T) {
	for kind, want := range map[string]bool{rule.KindMetricRules: false, rule.KindCustomResourceStateMetrics: true} {
		docs, _ := rule.Parse("f", []byte("kind: "+kind+"\nspec: {resources: [{groupVersionKind: {group: g, kind: K}}]}"), rule.ParseOptions{})
		if len(docs) != 1 || docs[0].Kind != kind || docs[0].Legacy() != want {
			t.Errorf("%s: got %+v", kind, docs)
		}
	}
}

func TestResourceErrors(t *testing.T) {
	f := func(resource, want string) {
		t.Helper()
		checkFindings(t, "kind: MetricRules\nspec:\n  resources:\n  - "+resource, want)
	}
	f("§{}", "the resource has no groupVersionKind.kind")
	f("§{groupVersionKind: {group: g, version: v1}}", "the resource has no groupVersionKind.kind")
	f("{groupVersionKind: §K}", "expected a map, found the str \"K\"\nr.yaml:4:5: the resource has no groupVersionKind.kind")
	f("{groupVersionKind: {kind: K, §grp: g}}", `unknown field "grp", did you mean "group"?`)
	f("{groupVersionKind: {kind: §[K]}}", "expected text, found a list\nr.yaml:4:5: the resource has no groupVersionKind.kind")
	f("{groupVersionKind: {kind: K}, §metricNamePrefx: x}", `unknown field "metricNamePrefx", did you mean "metricNamePrefix"?`)
	f("{groupVersionKind: {kind: K}, metricNamePrefix: §{a: b}}", "expected text, found a map")
	f("{groupVersionKind: {kind: K}, §lables: {}}", `unknown field "lables", did you mean "labels"?`)
	f("{groupVersionKind: {kind: K}, labels: §[a]}", "expected a map, found a list")
	f("{groupVersionKind: {kind: K}, labels: {§a-b: object.x}}", `"a-b" is no label name (letters, digits and _, not starting with a digit or __), did you mean "a_b"?`)
	f("{groupVersionKind: {kind: K}, labels: {§1a: object.x}}", `"1a" is no label name (letters, digits and _, not starting with a digit or __), did you mean "_1a"?`)
	f("{groupVersionKind: {kind: K}, labels: {§__name__: object.x}}", `"__name__" is no label name (letters, digits and _, not starting with a digit or __), did you mean "_name__"?`)
	f("{groupVersionKind: {kind: K}, commonLabels: {§a.b: x}}", `"a.b" is no label name (letters, digits and _, not starting with a digit or __), did you mean "a_b"?`)
	f("{groupVersionKind: {kind: K}, commonLabels: {a: §[x]}}", "expected text, found a list")
	f("{groupVersionKind: {kind: K}, labelsFromPath: {a: §x}}", `expected a list, found the str "x"`)
	f("{groupVersionKind: {kind: K}, metrics: §{name: m}}", "expected a list, found a map")
	for _, field := range []string{"limits"} {
		f("{groupVersionKind: {kind: K}, "+field+": §x}", `expected a map, found the str "x"`)
	}
	f("§{groupVersionKind: {kind: K}, discover: {kinds: [A]}}", "the resource has either groupVersionKind or discover")
	f("{discover: §{}}", "discover matches every kind: say groups, kinds, categories, crdLabels, having, havingAny or scope")
	f("{discover: §{kinds: [A], scope: All}}", `unknown scope "All": expected Namespaced or Cluster`)
	f("{discover: {having: [§'a[0]']}}", "having: the path may have fields only")
	f("{groupVersionKind: {kind: K}, selector: §a in}", "selector: expected a label selector such as team=payments,tier!=test: unable to parse requirement: found '' expected: '('")
	f("{groupVersionKind: {kind: K}, fieldSelector: §a}", "fieldSelector: expected a field selector such as metadata.namespace!=kube-system: invalid selector: 'a'; can't understand 'a'")
	f("{groupVersionKind: {kind: K}, lookup: [§{as: x, kind: \"'A'\", apiVersion: \"'v1'\"}]}", "a lookup needs name")
}
