package rule

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// baseLabels are the labels of all metrics of a resource, sorted by name: those
// of the document and those of the resource, which win. base are those without
// commonLabels and labelsFromPath.
func (c *compiler) baseLabels(r Reporter, d *Document, s *resourceSpec, shared labelTable, scope names) (outer, base []boundLabel) {
	own := labelTable{}
	if d.Legacy() {
		maps.Copy(own, kindLabels)
	}
	c.addLabels(own, r, s.labels, scope)

	without := maps.Clone(shared)
	maps.Copy(without, own)

	with := maps.Clone(shared)
	for _, l := range s.commonLabels {
		with.set(l.name, expr{{literal: l.value}})
	}
	for _, l := range s.labelsFromPath {
		if !strings.Contains(l.name, "*") { // those are for the legacy form only
			with.addPath(r, l)
		}
	}
	maps.Copy(with, own)
	return with.sorted(), without.sorted()
}

// kindLabels are on every metric of a legacy document.
var kindLabels = labelTable{
	"customresource_group":   {{slot: slotGVK, path: Path{Field("group")}}},
	"customresource_kind":    {{slot: slotGVK, path: Path{Field("kind")}}},
	"customresource_version": {{slot: slotGVK, path: Path{Field("version")}}},
}

var baseNames = names{slotObject: "object", slotGVK: "gvk", slotParam: ""}

// boundLabel is a label with its compiled value.
type boundLabel struct {
	name  string
	value expr
}

// labelTable holds labels by name; a later one replaces an earlier one.
type labelTable map[string]expr

func (t labelTable) set(name string, value expr) { t[name] = value }

func (c *compiler) addLabels(t labelTable, r Reporter, specs []labelSpec, scope names) {
	for _, l := range specs {
		t.set(l.name, c.compile(r, l.value, scope))
	}
}

// addPath adds a label from a path in the legacy spelling. Where the path leads
// to nothing, the label is what it was before.
func (t labelTable) addPath(r Reporter, l pathLabel) {
	path, err := ParseLegacyPath(l.path)
	if err != nil {
		r.Errorf(l.pos, "labelsFromPath %q: %v", l.name, err)
	}
	name := metric.SanitizeLabelName(l.name)
	at := Position{File: r.file, Line: l.pos.Line, Column: l.pos.Column}
	t.set(name, append(expr{{slot: slotObject, legacy: path, at: at, source: strings.Join(l.path, ".")}}, t[name]...))
}

func (t labelTable) sorted() []boundLabel {
	out := make([]boundLabel, 0, len(t))
	for name, value := range t {
		out = append(out, boundLabel{name, value})
	}
	slices.SortFunc(out, func(a, b boundLabel) int { return cmp.Compare(a.name, b.name) })
	return out
}
