package rule

import (
	"cmp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// The kinds of rule documents.
const (
	KindMetricRules                = "MetricRules"
	KindCustomResourceStateMetrics = "CustomResourceStateMetrics"
)

// GVK names a kind of object. In a rule an empty version stands for the best
// one that is served.
type GVK struct {
	Group, Version, Kind string
}

// String returns group/version/kind, without the parts that are empty.
func (g GVK) String() string {
	return strings.Join(slices.DeleteFunc([]string{g.Group, g.Version, g.Kind}, func(s string) bool { return s == "" }), "/")
}

// Compare orders kinds by group, kind and version.
func (g GVK) Compare(other GVK) int {
	return cmp.Or(cmp.Compare(g.Group, other.Group), cmp.Compare(g.Kind, other.Kind), cmp.Compare(g.Version, other.Version))
}

// Document is one parsed rule document.
type Document struct {
	// Name is metadata.name, or the file's name without it.
	Name string
	// Kind is one of the two document kinds.
	Kind string

	labels     []labelSpec
	limits     *limitsSpec
	parameters map[string]parameter
	resources  []resourceSpec
}

// Legacy reports whether the document is read as kube-state-metrics reads it.
func (d *Document) Legacy() bool { return d.Kind == KindCustomResourceStateMetrics }

// resourceSpec is an entry of spec.resources.
type resourceSpec struct {
	groupless      bool // there is a groupVersionKind without the word group
	pos            *yaml.Node
	gvk            GVK
	discover       *discoverSpec
	selection      Selection
	lookups        []lookupSpec
	limits         *limitsSpec
	prefix         *string
	enable         string
	labels         []labelSpec
	commonLabels   []constLabel
	labelsFromPath []pathLabel
	metrics        []metricSpec
}

// labelSpec is a label whose value is the first of some expressions that is
// present.
type labelSpec struct {
	name  string
	pos   *yaml.Node
	value exprSpec
}

type constLabel struct{ name, value string }

type pathLabel struct {
	name string
	pos  *yaml.Node
	path []string
}

// ParseOptions say how a file is to be read.
type ParseOptions struct {
	// Legacy reads the document as a CustomResourceStateMetrics configuration
	// whatever its kind says, as kube-state-metrics does.
	Legacy bool
}

// Parse reads the documents of one file. name stands in the positions. All
// findings are returned at once; the documents are usable when
// [Diagnostics.Err] is nil.
func Parse(name string, data []byte, opts ParseOptions) ([]*Document, Diagnostics) {
	var list Diagnostics
	r := NewReporter(name, &list)
	var docs []*Document
	if !r.Documents(data, func(n *yaml.Node) {
		if d := r.document(n, opts, slices.ContainsFunc(docs, (*Document).Legacy)); d != nil {
			docs = append(docs, d)
		}
	}) {
		return nil, list
	}
	if len(docs) == 0 && list.Err() == nil {
		r.Errorf(nil, "the file has no rules: expected a document of kind %s or %s", KindMetricRules, KindCustomResourceStateMetrics)
	}
	for _, d := range docs {
		if d.Name == "" {
			d.Name = name
		}
	}
	list.sort()
	return docs, list
}

// document reads one document, inside the Helm wrapper of kube-state-metrics'
// chart or not.
func (r Reporter) document(n *yaml.Node, opts ParseOptions, further bool) *Document {
	if n.Kind != yaml.MappingNode {
		r.Errorf(n, "expected a rule document, found %s", kindName(n))
		return nil
	}
	if wrapper := lookup(n, "customResourceState"); wrapper != nil {
		config := lookup(wrapper, "config")
		if config == nil || config.Kind != yaml.MappingNode {
			r.Errorf(wrapper, "customResourceState has no config")
			return nil
		}
		if enabled := lookup(wrapper, "enabled"); enabled != nil && enabled.Value == "false" {
			r.Warnf(enabled, "customResourceState is not enabled: its rules are used all the same")
		}
		n = config
	}
	d := &Document{}
	if kind := lookup(n, "kind"); kind != nil {
		d.Kind = kind.Value
	}
	if opts.Legacy && d.Kind != KindMetricRules {
		d.Kind = KindCustomResourceStateMetrics
	}
	switch {
	case d.Legacy() && further:
		r.Warnf(n, "only the first %s document of a file is read, as kube-state-metrics does: give this one a file of its own", d.Kind)
		return nil
	case d.Legacy(), d.Kind == KindMetricRules:
	case d.Kind == "":
		r.Errorf(n, "the document has no kind: expected %s or %s", KindMetricRules, KindCustomResourceStateMetrics)
		return nil
	default:
		r.Errorf(lookup(n, "kind"), "unknown kind %q: expected %s or %s%s", d.Kind, KindMetricRules, KindCustomResourceStateMetrics,
			suggest(d.Kind, []string{KindMetricRules, KindCustomResourceStateMetrics}))
		return nil
	}
	r.documentFields(n, d)
	return d
}

const apiVersion = "kubevitals.io/v1alpha1"

func (r Reporter) documentFields(n *yaml.Node, d *Document) {
	ignore := func(*yaml.Node) {}
	hasSpec := false
	r.Fields(n, d.Legacy(), map[string]func(*yaml.Node){
		"apiVersion": func(v *yaml.Node) {
			if !d.Legacy() && v.Value != apiVersion {
				r.Errorf(v, "apiVersion is %q: this version reads %s", v.Value, apiVersion)
			}
		},
		"kind": ignore,
		"metadata": func(v *yaml.Node) {
			r.Fields(v, true, map[string]func(*yaml.Node){"name": r.Text(&d.Name), "labels": ignore, "annotations": ignore, "namespace": ignore})
		},
		"spec": func(v *yaml.Node) {
			hasSpec = true
			r.Fields(v, d.Legacy(), map[string]func(*yaml.Node){
				"labels":     func(v *yaml.Node) { d.labels = r.labels(v) },
				"limits":     func(v *yaml.Node) { d.limits = r.limits(v) },
				"parameters": func(v *yaml.Node) { d.parameters = r.parameters(v) },
				"resources": func(v *yaml.Node) {
					r.Each(v, func(item *yaml.Node) { d.resources = append(d.resources, r.resource(item, d.Legacy())) })
				},
			})
		},
	})
	if len(d.resources) == 0 {
		hint := ""
		if !hasSpec && lookup(n, "resources") != nil {
			hint = ": they belong under spec"
		}
		r.Errorf(n, "the document has no resources%s", hint)
	}
}

func (r Reporter) resource(n *yaml.Node, legacy bool) resourceSpec {
	s := resourceSpec{pos: n}
	var byLabel, byField *yaml.Node
	hasGVK, hasGroup := false, false
	r.Fields(n, legacy, map[string]func(*yaml.Node){
		"groupVersionKind": func(v *yaml.Node) {
			hasGVK, hasGroup = true, lookup(v, "group") != nil
			r.Fields(v, legacy, map[string]func(*yaml.Node){
				"group": r.Text(&s.gvk.Group), "version": r.Text(&s.gvk.Version), "kind": r.Text(&s.gvk.Kind),
			})
		},
		"metricNamePrefix": func(v *yaml.Node) { s.prefix = new(string); r.Text(s.prefix)(v) },
		"enable":           r.Text(&s.enable),
		"discover":         func(v *yaml.Node) { s.discover = r.discover(v) },
		"selector":         func(v *yaml.Node) { byLabel = v },
		"fieldSelector":    func(v *yaml.Node) { byField = v },
		"limits":           func(v *yaml.Node) { s.limits = r.limits(v) },
		"lookup": func(v *yaml.Node) {
			r.Each(v, func(item *yaml.Node) { s.lookups = append(s.lookups, r.lookup(item)) })
		},
		"labels":         func(v *yaml.Node) { s.labels = r.labels(v) },
		"commonLabels":   func(v *yaml.Node) { s.commonLabels = r.constLabels(v, legacy) },
		"labelsFromPath": func(v *yaml.Node) { s.labelsFromPath = r.pathLabels(v) },
		"resourcePlural": func(*yaml.Node) {}, // the API server knows better
		"errorLogV":      func(*yaml.Node) {}, // errors are counted
		"metrics": func(v *yaml.Node) {
			r.Each(v, func(item *yaml.Node) { s.metrics = append(s.metrics, r.metric(item, legacy)) })
		},
	})
	s.selection = r.selection(byLabel, byField)
	if s.gvk.Version == "*" {
		s.gvk.Version = ""
	}
	switch {
	case s.discover != nil && hasGVK:
		r.Errorf(n, "the resource has either groupVersionKind or discover")
	case s.discover != nil:
	case s.gvk.Kind == "" && !legacy:
		r.Errorf(n, "the resource has no groupVersionKind.kind")
	case s.gvk.Group == "*":
		r.Errorf(n, "the group cannot be \"*\": name one")
	case s.gvk.Group == "" && (s.gvk.Kind == "" || s.gvk.Kind == "*"):
		r.Errorf(n, "the resource has no groupVersionKind: name a group, or a kind of the core group")
	}
	s.groupless = hasGVK && !hasGroup
	if s.gvk.Kind == "" {
		s.gvk.Kind = "*"
	}
	return s
}

// coreKinds are the kinds for which nobody writes a group.
var coreKinds = []string{
	"ComponentStatus", "ConfigMap", "Endpoints", "Event", "LimitRange", "Namespace", "Node", "PersistentVolume",
	"PersistentVolumeClaim", "Pod", "PodTemplate", "ReplicationController", "ResourceQuota", "Secret", "Service", "ServiceAccount",
}

func (r Reporter) labels(n *yaml.Node) []labelSpec {
	var out []labelSpec
	r.Pairs(n, func(key, value *yaml.Node) {
		if !metric.IsLabelName(key.Value) {
			r.Errorf(key, "%q is no label name (letters, digits and _, not starting with a digit or __), did you mean %q?", key.Value, metric.SanitizeLabelName(key.Value))
			return
		}
		out = append(out, labelSpec{key.Value, key, r.expr(value)})
	})
	return out
}

func (r Reporter) constLabels(n *yaml.Node, legacy bool) []constLabel {
	var out []constLabel
	r.Pairs(n, func(key, value *yaml.Node) {
		c := constLabel{name: key.Value}
		if !metric.IsLabelName(key.Value) && legacy {
			c.name = metric.SanitizeLabelName(key.Value)
			r.Warnf(key, "label name %q is not valid and becomes %q", key.Value, c.name)
		} else if !metric.IsLabelName(key.Value) {
			r.Errorf(key, "%q is no label name (letters, digits and _, not starting with a digit or __), did you mean %q?", key.Value, metric.SanitizeLabelName(key.Value))
			return
		}
		r.Text(&c.value)(value)
		out = append(out, c)
	})
	return out
}

func (r Reporter) pathLabels(n *yaml.Node) []pathLabel {
	var out []pathLabel
	r.Pairs(n, func(key, value *yaml.Node) {
		p := pathLabel{name: key.Value, pos: key}
		r.Texts(&p.path)(value)
		out = append(out, p)
	})
	return out
}

// lookup returns the value of a key of a mapping, or nil.
func lookup(n *yaml.Node, key string) *yaml.Node {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for _, p := range pairs(n, 0) {
		if p.key.Value == key {
			return p.value
		}
	}
	return nil
}
