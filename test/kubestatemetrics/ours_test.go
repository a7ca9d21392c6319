package kubestatemetrics

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/rule/crs"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// loadOurs reads a configuration as "kubevitals state" does.
func loadOurs(config string) (*rule.Set, error) {
	docs, findings := rule.Parse("crs.yaml", []byte(config), rule.ParseOptions{Legacy: true})
	if err := findings.Err(); err != nil {
		return nil, err
	}
	set, findings := rule.Compile([]rule.Source{{File: "crs.yaml", Documents: docs}}, rule.CompileOptions{Legacy: crs.Compile})
	return set, findings.Err()
}

// textSink is a rule.Sink that writes an exposition.
type textSink struct {
	families []metric.Desc
	out      strings.Builder
}

func (s *textSink) Sample(m *rule.Metric, labels []metric.Label, value float64) {
	s.out.Write(exposition.AppendSample(nil, s.families[m.Family].Name, labels, value))
}

func (s *textSink) State(*rule.Metric, []metric.Label, string, float64) {}

func (s *textSink) Problem(rule.Problem) {}

// renderOurs returns the lines of an exposition that an object gives.
func renderOurs(set *rule.Set, object map[string]any) string {
	gvk := (&unstructured.Unstructured{Object: object}).GroupVersionKind()
	p := set.Program(rule.GVK{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind}, true)
	if p == nil {
		return ""
	}
	s := &textSink{families: set.Families()}
	p.Eval(new(rule.Context), object, s)
	return s.out.String()
}
