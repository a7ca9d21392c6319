package crs

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// reads are the fields that a metric reads: the reads of a group are
// alternatives.
type reads struct {
	groups [][]rule.Read
	scope  *rule.Scope // what gives a series for each element
}

// Read adds what the metric reads. It is that of a [rule.Reader].
func (e *each) Read(out *rule.Reading) {
	for _, l := range e.commonLabels {
		out.Fixed[l.Name] = l.Value
	}
	for _, group := range e.reads.groups {
		out.Add(group...)
	}
	if e.reads.scope != nil {
		out.Scopes = append(out.Scopes, *e.reads.scope)
	}
	if e.typ == metric.StateSet {
		out.States = e.list
	}
}

// readsOf finds out what a metric reads. What cannot be compiled reads nothing.
func readsOf(m rule.LegacyMetric, e *each) reads {
	block := e.blockOf(m.Each)
	if block == nil {
		return reads{}
	}
	f := finder{reporter: m.Reporter, each: e}
	f.labels(child(m.Node, "labelsFromPath"), nil)
	path := child(block, "path")
	valueFrom := child(block, "valueFrom")
	var at []string
	if path != nil {
		r := f.read(path, nil)
		at = r.Path
		r.Scope, r.Value = true, valueFrom == nil
		if e.typ == metric.StateSet && valueFrom == nil {
			r.Path = append(slices.Clone(at), rule.Through)
		}
		f.add(r)
		r.Path = at
		// A gauge has a series for each key of a map, unless it is about one.
		keys := e.typ == metric.Gauge && (len(e.valueFrom) == 0 || e.labelFromKey != "")
		f.scope = &rule.Scope{Source: r.Source, Reads: []rule.Read{r}, Lone: !keys}
	}
	if valueFrom != nil && len(e.valueFrom) > 0 && (path != nil || len(e.valueFrom) == 1) {
		f.value(valueFrom, at)
	}
	f.labels(child(block, "labelsFromPath"), f.elements(at))
	return f.reads
}

// finder gathers the reads of a metric.
type finder struct {
	reads
	reporter rule.Reporter
	each     *each
}

func (f *finder) add(alternatives ...rule.Read) {
	for i := range alternatives {
		alternatives[i].Alternative = i
	}
	f.groups = append(f.groups, alternatives)
}

// read returns the read of a path that starts at others.
func (f *finder) read(n *yaml.Node, from []string) rule.Read {
	segments := texts(n)
	path, err := rule.ParseLegacyPath(segments)
	if err != nil {
		path = nil // it has been reported
	}
	return rule.Read{
		Path: slices.Concat(from, path.Steps()), Source: strings.Join(segments, "."), At: f.reporter.At(n), Legacy: true,
	}
}

// value adds the reads of valueFrom. Of a map it leads from each value, and may
// be the one key of a gauge.
func (f *finder) value(n *yaml.Node, at []string) {
	var out []rule.Read
	for _, from := range f.elements(at) {
		if f.each.typ == metric.Gauge && from[len(from)-1] == rule.Through {
			if f.each.valueKey == "" {
				continue
			}
			from = at
		}
		r := f.read(n, from)
		r.Value = true
		out = append(out, r)
	}
	f.add(out...)
}

// labels adds the reads of a labelsFromPath, each of which starts at any of some
// paths, or at the object.
func (f *finder) labels(n *yaml.Node, from [][]string) {
	if n == nil || n.Kind != yaml.MappingNode {
		return
	}
	if from == nil {
		from = [][]string{nil}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		var out []rule.Read
		for _, root := range from {
			r := f.read(resolve(n.Content[i+1]), root)
			if name := n.Content[i].Value; !strings.Contains(name, "*") {
				r.Label = metric.SanitizeLabelName(name)
			}
			out = append(out, r)
		}
		f.add(out...)
	}
}

// elements returns where what is relative to the elements of a path may start:
// in those of a list, in the value itself, and, but for a stateSet, in those of
// a map.
func (f *finder) elements(at []string) [][]string {
	out := [][]string{append(slices.Clone(at), rule.Through)}
	if f.each.typ != metric.StateSet {
		out = append(out, append(slices.Clone(at), rule.Element))
	}
	return out
}

// blockOf returns the block of an each that counts, or nil.
func (e *each) blockOf(n *yaml.Node) *yaml.Node {
	switch e.typ {
	case metric.Gauge:
		return child(n, "gauge")
	case metric.Info:
		return child(n, "info")
	case metric.StateSet:
		return child(n, "stateSet")
	}
	return nil
}

// child returns the value of a key of a mapping, or nil.
func child(n *yaml.Node, key string) *yaml.Node {
	if n = resolve(n); n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return resolve(n.Content[i+1])
		}
	}
	return nil
}

// texts returns the scalars of a list, without null.
func texts(n *yaml.Node) []string {
	var out []string
	for _, item := range n.Content {
		if item = resolve(item); item.Kind == yaml.ScalarNode && item.ShortTag() != "!!null" {
			out = append(out, item.Value)
		}
	}
	return out
}

// resolve follows an alias.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}
