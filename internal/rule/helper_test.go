package rule_test

import (
	"encoding/json"
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
}

func (r *recorder) Sample(m *rule.Metric, labels []metric.Label, value float64) {
	r.t.Helper()
	d := r.families[m.Family]
	series := string(exposition.AppendSample(nil, d.Name, labels, 0))
	if r.seen[series] && m.Aggregate == nil {
		r.t.Errorf("the series is there twice: %s", series)
	}
	r.seen[series] = true
	if d.Type == metric.GaugeHistogram || d.Type == metric.Histogram {
		d.Type = metric.Gauge // of which this is one value
	}
	if err := (metric.Sample{Labels: labels, Value: value}).Validate(d.Type); err != nil {
		r.t.Errorf("invalid sample of %s: %v", d.Name, err)
	}
	r.samples = append(r.samples, string(exposition.AppendSample(nil, d.Name, labels, value)))
}

func (r *recorder) State(m *rule.Metric, labels []metric.Label, state string, since float64) {
	series := strings.TrimSuffix(string(exposition.AppendSample(nil, r.families[m.Family].Name, labels, since)), "\n")
	r.samples = append(r.samples, series+" "+state+"\n")
}

func (r *recorder) Problem(p rule.Problem) {
	r.problems = append(r.problems, fmt.Sprintf("! %s %s: %v\n", r.families[p.Family].Name, p.Reason, p.Err))
}

// run evaluates an object and returns the samples, then the problems.
func run(t testing.TB, set *rule.Set, p *rule.Program, c *rule.Context, object map[string]any) string {
	t.Helper()
	r := &recorder{t: t, families: set.Families(), seen: make(map[string]bool)}
	p.Eval(c, object, r)
	return strings.Join(r.samples, "") + strings.Join(r.problems, "")
}

// compile reads rules from the file r.yaml.
func compile(rules string, enable ...string) (*rule.Set, rule.Diagnostics) {
	return compileWith(rules, rule.ParseOptions{}, rule.CompileOptions{Enable: enable, Legacy: crs.Compile})
}

func compileWith(rules string, po rule.ParseOptions, co rule.CompileOptions) (*rule.Set, rule.Diagnostics) {
	docs, findings := rule.Parse("r.yaml", []byte(rules), po)
	if findings.Err() != nil {
		return nil, findings
	}
	set, more := rule.Compile([]rule.Source{{File: "r.yaml", Documents: docs}}, co)
	return set, append(findings, more...)
}

// load compiles rules that are expected to be right.
func load(t testing.TB, rules string, enable ...string) *rule.Set {
	t.Helper()
	set, findings := compile(rules, enable...)
	if err := findings.Err(); err != nil {
		t.Fatalf("the rules do not load:\n%v\n%s", err, rules)
	}
	return set
}

var testKind = rule.GVK{Group: "g", Version: "v1", Kind: "K"}

// eval returns what the rules give for an object of testKind.
func eval(t testing.TB, rules, object string) string {
	t.Helper()
	return evalSet(t, load(t, rules), object)
}

func evalSet(t testing.TB, set *rule.Set, object string) string {
	t.Helper()
	p := set.Program(testKind, true)
	if p == nil {
		t.Fatalf("no rule applies to %v", testKind)
	}
	return run(t, set, p, new(rule.Context), parseObject(t, object))
}

// parseObject reads an object from YAML.
func parseObject(t testing.TB, text string) map[string]any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("object: %v\n%s", err, text)
	}
	if v == nil {
		return map[string]any{}
	}
	return jsonTypes(v).(map[string]any)
}

// jsonTypes makes the numbers of a value int64 or float64, as client-go does.
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
	case uint64:
		return float64(x)
	case json.Number:
		if i, err := x.Int64(); err == nil {
			return i
		}
		f, _ := x.Float64()
		return f
	}
	return v
}

// head is lines 1 to 5 of a document whose metrics follow.
const head = `apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
spec:
  resources:
  - {groupVersionKind: {group: g, kind: K}, metrics: [
`

// doc is a document with some metrics, written as YAML maps with a comma in
// between. The first is on line 6.
func doc(metrics string) string { return head + metrics + "\n]}\n" }

// checkEval compares what one or several metrics give for an object.
func checkEval(t *testing.T, metrics, object, want string) {
	t.Helper()
	if got := eval(t, doc(metrics), object); got != lines(want) {
		t.Errorf("metrics: %s\nobject: %s\ngot:\n%swant:\n%s", metrics, object, got, lines(want))
	}
}

// checkFindings compares all findings about some rules, in any order. Line n of
// what is wanted is about the place of the n-th § in the rules; further lines
// have their position in them.
func checkFindings(t *testing.T, rules, want string) {
	t.Helper()
	rules, want = place(t, rules, want)
	_, findings := compile(rules)
	if got := findings.Error(); sortLines(got) != sortLines(want) {
		t.Errorf("rules:\n%s\ngot:\n%s\nwant:\n%s", rules, got, want)
	}
}

func sortLines(text string) string {
	return strings.Join(slices.Sorted(strings.SplitSeq(text, "\n")), "\n")
}

// place takes the § out of some rules and puts their positions into what is
// wanted.
func place(t *testing.T, rules, want string) (string, string) {
	t.Helper()
	out := strings.Split(strings.TrimSpace(want), "\n")
	parts := strings.Split(rules, "§")
	before := ""
	for i, part := range parts[:len(parts)-1] {
		before += part
		if i >= len(out) {
			t.Fatalf("more § than findings: %q", rules)
		}
		line, column := 1+strings.Count(before, "\n"), len(before)-strings.LastIndex(before, "\n")
		out[i] = fmt.Sprintf("r.yaml:%d:%d: %s", line, column, strings.TrimSpace(out[i]))
	}
	return strings.Join(parts, ""), strings.Join(out, "\n")
}

// lines ends each line with a newline; " | " stands for a line break.
func lines(text string) string {
	if text = strings.TrimSpace(strings.ReplaceAll(text, " | ", "\n")); text == "" {
		return ""
	}
	return text + "\n"
}
