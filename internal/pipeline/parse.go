package pipeline

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// What a MetricPipeline is called in the API, in the order in which versions are
// looked for.
const (
	group    = "telemetry.kyma-project.io"
	kind     = "MetricPipeline"
	resource = "metricpipelines"
)

var versions = []string{"v1beta1", "v1alpha1"}

// inputAnnotation is how Kyma's telemetry module switched the input on in its
// release 1.22. It is understood because the schema that this module installs has
// no spec.input.kyma, and the API server drops what a schema does not have.
// modulesAnnotation is what there was no way to say by it.
const (
	inputAnnotation   = "telemetry.kyma-project.io/experimental-kyma-input"
	modulesAnnotation = "kubevitals.io/kyma-modules"
)

// Parse reads a file of one or more MetricPipelines, which it returns sorted by
// name. What is wrong with the file is the error, with file:line:column; what is
// wrong with a pipeline is in its Err. secrets may be nil if Secrets cannot be
// read, and no error shows a value of theirs.
func Parse(data []byte, file string, secrets SecretFunc) ([]Pipeline, error) {
	var list rule.Diagnostics
	r := rule.NewReporter(file, &list)
	var out []Pipeline
	r.Documents(data, func(n *yaml.Node) {
		d := &document{file: file, secrets: secrets}
		if !d.header(r, n) {
			return
		}
		if slices.ContainsFunc(out, func(p Pipeline) bool { return p.Name == d.name }) {
			r.Errorf(n, "%s %q is there twice", kind, d.name)
			return
		}
		out = append(out, d.pipeline())
	})
	if err := list.Err(); err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: there is no %s in it", file, kind)
	}
	slices.SortFunc(out, func(a, b Pipeline) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// document is a MetricPipeline that is being read.
type document struct {
	file    string
	secrets SecretFunc
	found   rule.Diagnostics

	apiVersion, kind, name string
	annotations            map[string]*yaml.Node
	spec                   *yaml.Node

	kyma    bool
	modules []string
	output  *Output
}

// header reads what every object has. It reports whether it is that of a
// MetricPipeline.
func (d *document) header(r rule.Reporter, n *yaml.Node) bool {
	own := rule.NewReporter(d.file, &d.found)
	if n.Kind != yaml.MappingNode {
		r.Errorf(n, "expected a %s of %s", kind, group)
		return false
	}
	at := map[string]*yaml.Node{}
	own.Fields(n, true, map[string]func(*yaml.Node){
		"apiVersion": func(v *yaml.Node) { at["apiVersion"] = v; own.Text(&d.apiVersion)(v) },
		"kind":       func(v *yaml.Node) { at["kind"] = v; own.Text(&d.kind)(v) },
		"metadata":   func(v *yaml.Node) { at["metadata"] = v; d.metadata(own.In("metadata"), v) },
		"spec":       func(v *yaml.Node) { d.spec = v },
		"status":     func(*yaml.Node) {},
	})
	if d.kind != kind {
		r.Errorf(cmp.Or(at["kind"], n), "kind %q: expected %s", d.kind, kind)
		return false
	}
	if version, ok := strings.CutPrefix(d.apiVersion, group+"/"); !ok || !slices.Contains(versions, version) {
		r.Errorf(cmp.Or(at["apiVersion"], n), "apiVersion %q: expected %s/v1alpha1 or %s/v1beta1", d.apiVersion, group, group)
		return false
	}
	if d.name == "" {
		r.Errorf(cmp.Or(at["metadata"], n), "the %s has no metadata.name", kind)
		return false
	}
	return true
}

func (d *document) metadata(r rule.Reporter, n *yaml.Node) {
	d.annotations = make(map[string]*yaml.Node)
	r.Pairs(n, func(key, value *yaml.Node) {
		switch key.Value {
		case "name":
			r.Text(&d.name)(value)
		case "annotations":
			if value.Tag != "!!null" {
				r.In("metadata.annotations").Pairs(value, func(key, value *yaml.Node) { d.annotations[key.Value] = value })
			}
		}
	})
}

// pipeline reads the rest.
func (d *document) pipeline() Pipeline {
	r := rule.NewReporter(d.file, &d.found)
	d.annotated(r)
	if d.spec != nil {
		r.In("spec").Fields(d.spec, true, map[string]func(*yaml.Node){
			"input": func(n *yaml.Node) { d.input(r.In("spec.input"), n) },
			"output": func(n *yaml.Node) {
				r.In("spec.output").Fields(n, false, map[string]func(*yaml.Node){
					"otlp": func(n *yaml.Node) { d.output = d.otlp(r, n) },
				})
			},
			"transform": func(n *yaml.Node) {
				r.In("spec").Warnf(n, "transform has no effect here: what is sent is as the rules say")
			},
			"filter": func(n *yaml.Node) {
				r.In("spec").Warnf(n, "filter has no effect here: choose by rules and --metric-allowlist what is sent")
			},
		})
	}
	p := Pipeline{Name: d.name, Kyma: d.kyma, Modules: d.modules, Output: d.output}
	var errs []error
	for _, x := range d.found {
		if x.Warning {
			p.Warnings = append(p.Warnings, x.Error())
		} else {
			errs = append(errs, x)
		}
	}
	p.Err = errors.Join(errs...)
	return p
}

// annotated reads the switch among the annotations.
func (d *document) annotated(r rule.Reporter) {
	if n := d.annotations[inputAnnotation]; n != nil {
		r.In("annotation %s", inputAnnotation).Bool(&d.kyma)(unquoted(n))
	}
	if n := d.annotations[modulesAnnotation]; n != nil && d.kyma {
		var list string
		r.In("annotation %s", modulesAnnotation).Text(&list)(n)
		for name := range strings.SplitSeq(list, ",") {
			d.modules = append(d.modules, strings.TrimSpace(name))
		}
		d.modules = clean(d.modules)
	}
}

// unquoted returns the text of an annotation as if it had no quotes.
func unquoted(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" {
		return &yaml.Node{Kind: yaml.ScalarNode, Value: n.Value, Line: n.Line, Column: n.Column}
	}
	return n
}

// input reads spec.input, which says more than annotations do.
func (d *document) input(r rule.Reporter, n *yaml.Node) {
	other := func(name string) func(*yaml.Node) {
		return func(n *yaml.Node) { r.Warnf(n, "%s has no effect here: Kubevitals reads no such input", name) }
	}
	r.Fields(n, true, map[string]func(*yaml.Node){
		"kyma":    func(n *yaml.Node) { d.kymaInput(r.In("spec.input.kyma"), n) },
		"runtime": other("runtime"), "prometheus": other("prometheus"), "istio": other("istio"), "otlp": other("otlp"),
	})
}

func (d *document) kymaInput(r rule.Reporter, n *yaml.Node) {
	before := errorsIn(d.found)
	d.kyma, d.modules = false, nil
	var enabled bool
	var modules []string
	r.Fields(n, false, map[string]func(*yaml.Node){
		"enabled": r.Bool(&enabled),
		"modules": func(n *yaml.Node) {
			r.In("spec.input.kyma.modules").Texts(&modules)(n)
			if slices.Contains(modules, "") {
				r.Errorf(n, "modules: the name of a module is empty")
			}
		},
	})
	if errorsIn(d.found) == before {
		d.kyma, d.modules = enabled, clean(modules)
	}
}

// clean returns names sorted, each once, without empty ones.
func clean(names []string) []string {
	out := slices.DeleteFunc(slices.Clone(names), func(s string) bool { return s == "" })
	if len(out) == 0 {
		return nil
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func errorsIn(list rule.Diagnostics) (n int) {
	for _, d := range list {
		if !d.Warning {
			n++
		}
	}
	return n
}
