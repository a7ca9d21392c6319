package crs

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// labelPaths are labels that come from paths: named ones, and patterns that
// copy all entries of a map.
type labelPaths struct {
	patterns []labelPath
	named    []labelPath
}

type labelPath struct {
	name string // a prefix, for a pattern
	path rule.LegacyPath
}

// labels compiles a labelsFromPath. A key that starts or ends with a star
// copies a map; what stands beside the star is put before each key.
func (c compiler) labels(from map[string][]string) labelPaths {
	var out labelPaths
	for _, key := range slices.Sorted(maps.Keys(from)) {
		p := c.path(fmt.Sprintf("labelsFromPath %q", key), from[key])
		switch {
		case strings.HasSuffix(key, "*"):
			out.patterns = append(out.patterns, labelPath{strings.TrimSuffix(key, "*"), p})
		case strings.HasPrefix(key, "*"):
			out.patterns = append(out.patterns, labelPath{"", p})
		default:
			out.named = append(out.named, labelPath{metric.SanitizeLabelName(key), p})
		}
	}
	return out
}

// labelSet is a small set of labels; a later label replaces an earlier one of
// the same name.
type labelSet []metric.Label

func (s labelSet) set(name, value string) labelSet {
	for i := range s {
		if s[i].Name == name {
			s[i].Value = value
			return s
		}
	}
	return append(s, metric.Label{Name: name, Value: value})
}

// apply sets the labels that v gives: patterns first, in the order of their
// keys, then named ones, if they lead to something.
func (l labelPaths) apply(s labelSet, v any) labelSet {
	for _, p := range l.patterns {
		m, _ := p.path.Walk(v).(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(m)) {
			s = s.set(metric.SanitizeLabelName(p.name+key), labelText(m[key]))
		}
	}
	for _, n := range l.named {
		if value := n.path.Walk(v); value != nil {
			s = s.set(n.name, labelText(value))
		}
	}
	return s
}

// labelText writes a value as Go's %v does, which is what kube-state-metrics
// shows. The null of a map that a pattern copies is "<nil>".
func labelText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return fmt.Sprint(v)
}

// sorted returns the labels that have a value, by name.
func (s labelSet) sorted() []metric.Label {
	s = slices.DeleteFunc(s, func(l metric.Label) bool { return l.Value == "" })
	metric.SortLabels(s)
	return s
}
