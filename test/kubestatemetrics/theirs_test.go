package kubestatemetrics

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/klog/v2"
	"k8s.io/kube-state-metrics/v2/pkg/customresourcestate"
	"k8s.io/kube-state-metrics/v2/pkg/metric"
	generator "k8s.io/kube-state-metrics/v2/pkg/metric_generator"
	goyaml "sigs.k8s.io/yaml/goyaml.v3"
)

// TestMain silences kube-state-metrics, which logs each value that it cannot
// use and each family that it makes.
func TestMain(m *testing.M) {
	flags := flag.NewFlagSet("klog", flag.PanicOnError)
	klog.InitFlags(flags)
	_ = flags.Parse([]string{"-logtostderr=false", "-stderrthreshold=FATAL"})
	klog.SetOutput(io.Discard)
	os.Exit(m.Run())
}

// theirs is a configuration as kube-state-metrics has it.
type theirs struct {
	config   customresourcestate.Metrics
	generate []func(obj any) []metric.FamilyInterface
}

// loadTheirs reads a configuration with kube-state-metrics' decoder, and makes
// generators of it. Resolving kinds against the CRDs of a cluster is left out:
// each resource is taken for the kind that it names.
func loadTheirs(config string) (*theirs, error) {
	t := &theirs{}
	if err := goyaml.NewDecoder(strings.NewReader(config)).Decode(&t.config); err != nil {
		return t, err
	}
	for i := range t.config.Spec.Resources {
		r := t.config.Spec.Resources[i]
		for j := range r.Metrics { // which FromConfig does before all else
			r.Metrics[j].Each.Type = metric.Type(strings.ToLower(string(r.Metrics[j].Each.Type)))
		}
		factory, err := customresourcestate.NewCustomResourceMetrics(r)
		if err != nil {
			return t, err
		}
		t.generate = append(t.generate, generator.ComposeMetricGenFuncs(factory.MetricFamilyGenerators()))
	}
	return t, nil
}

// render returns the lines of an exposition that an object gives.
func (t *theirs) render(object map[string]any) string {
	var out bytes.Buffer
	for i, r := range t.config.Spec.Resources {
		u := &unstructured.Unstructured{Object: object}
		gvk := u.GroupVersionKind()
		if customresourcestate.GroupVersionKind(gvk) != r.GroupVersionKind {
			continue
		}
		for _, family := range t.generate[i](u) {
			f, ok := family.(*metric.Family)
			if !ok {
				panic(fmt.Sprintf("a family is a %T", family))
			}
			out.Write(f.ByteSlice())
		}
	}
	return out.String()
}

// metrics calls a function for each metric of the configuration.
func (t *theirs) metrics(fn func(r *customresourcestate.Resource, m *customresourcestate.Generator)) {
	for i := range t.config.Spec.Resources {
		r := &t.config.Spec.Resources[i]
		for j := range r.Metrics {
			fn(r, &r.Metrics[j])
		}
	}
}
