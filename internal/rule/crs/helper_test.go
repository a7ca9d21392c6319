package crs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/rule/crs"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// recorder is a Sink that keeps samples as exposition lines and problems as
// lines that start with an exclamation mark. It fails the test for a sample
// that is invalid or there twice.
type recorder struct {
	t        testing.TB
	families []metric.Desc
	samples  []string
	problems []string
	seen     map[string]bool
	all      bool // also the labels customresource_*
}

func (r *recorder) Sample(m *rule.Metric, labels []metric.Label, value float64) {
	r.t.Helper()
	d := r.families[m.Family]
	series := string(exposition.AppendSample(nil, d.Name, labels, 0))
	if r.seen[series] {
		r.t.Errorf("the series is there twice: %s", series)
	}
	r.seen[series] = true
	if err := (metric.Sample{Labels: labels, Value: value}).Validate(d.Type); err != nil {
		r.t.Errorf("invalid sample of %s: %v", d.Name, err)
	}
	if !r.all {
		labels = r.withoutKind(labels)
	}
	r.samples = append(r.samples, string(exposition.AppendSample(nil, d.Name, labels, value)))
}

func (r *recorder) State(m *rule.Metric, labels []metric.Label, state string, since float64) {
	series := strings.TrimSuffix(string(exposition.AppendSample(nil, r.families[m.Family].Name, labels, since)), "\n")
	r.samples = append(r.samples, series+" "+state+"\n")
}

// withoutKind leaves out the three labels of the kind, which must be there. One
// that has another value than the kind stays.
func (r *recorder) withoutKind(labels []metric.Label) []metric.Label {
	r.t.Helper()
	labels = slices.Clone(labels)
	for _, kind := range metric.Labels("customresource_group", "g", "customresource_kind", "K", "customresource_version", "v1") {
		i := slices.IndexFunc(labels, func(l metric.Label) bool { return l.Name == kind.Name })
		switch {
		case i < 0:
			r.t.Errorf("%v has no label %s", labels, kind.Name)
		case labels[i] == kind:
			labels = slices.Delete(labels, i, i+1)
		}
	}
	return labels
}

func (r *recorder) Problem(p rule.Problem) {
	r.problems = append(r.problems, fmt.Sprintf("! %s %s: %v\n", r.families[p.Family].Name, p.Reason, p.Err))
}

func compile(rules string) (*rule.Set, rule.Diagnostics) {
	docs, findings := rule.Parse("r.yaml", []byte(rules), rule.ParseOptions{})
	if findings.Err() != nil {
		return nil, findings
	}
	set, more := rule.Compile([]rule.Source{{File: "r.yaml", Documents: docs}}, rule.CompileOptions{Legacy: crs.Compile})
	return set, append(findings, more...)
}

// eval returns the samples that the rules give for an object, then the
// problems. It evaluates several times: maps must not show their random order.
func eval(t *testing.T, rules, object string, all bool) string {
	t.Helper()
	set, findings := compile(rules)
	if err := findings.Err(); err != nil {
		t.Fatalf("the rules do not load:\n%v\n%s", err, rules)
	}
	var v any
	if err := yaml.Unmarshal([]byte(object), &v); err != nil {
		t.Fatalf("object: %v\n%s", err, object)
	}
	o, _ := jsonTypes(v).(map[string]any)
	p := set.Program(rule.GVK{Group: "g", Version: "v1", Kind: "K"}, true)
	var first string
	for i := range 10 {
		r := &recorder{t: t, families: set.Families(), seen: make(map[string]bool), all: all}
		p.Eval(new(rule.Context), o, r)
		out := strings.Join(r.samples, "") + strings.Join(r.problems, "")
		if i == 0 {
			first = out
		}
		if out != first {
			t.Fatalf("%s:\ntwo results for one object:\n%s\n%s", rules, first, out)
		}
	}
	return first
}

// jsonTypes makes the integers of a value int64, as client-go does.
func jsonTypes(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for key := range x {
			x[key] = jsonTypes(x[key])
		}
	case []any:
		for i := range x {
			x[i] = jsonTypes(x[i])
		}
	case int:
		return int64(x)
	}
	return v
}

// doc is a document with one metric called m. The metric is on line 5.
func doc(metric string) string {
	return `kind: CustomResourceStateMetrics
spec:
  resources:
  - {groupVersionKind: {group: g, version: v1, kind: K}, metricNamePrefix: "", metrics: [
{name: m, ` + metric + `}
]}
`
}

// check compares what a metric gives for an object, series with all labels and
// values, and problems, as sets: the order of kube-state-metrics' series is not
// part of the contract. The labels customresource_* are left out where they say
// the kind.
func check(t *testing.T, metric, object, want string) {
	t.Helper()
	got := eval(t, doc(metric), object, false)
	if sorted(got) != sorted(lines(want)) {
		t.Errorf("metric: %s\nobject: %s\ngot:\n%swant:\n%s", metric, object, got, lines(want))
	}
}

func sorted(text string) string {
	return strings.Join(slices.Sorted(strings.SplitSeq(text, "\n")), "\n")
}

// lines ends each line with a newline; " | " stands for a line break.
func lines(text string) string {
	if text = strings.TrimSpace(strings.ReplaceAll(text, " | ", "\n")); text == "" {
		return ""
	}
	return text + "\n"
}
