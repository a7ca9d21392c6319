package kubestatemetrics

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// maker makes a configuration and an object of bytes: each choice takes
// one. When there are no more, it takes the first of what there is to choose
// from, which is the simplest.
type maker struct {
	data []byte
}

// n returns a number below n.
func (g *maker) n(n int) int {
	if len(g.data) == 0 {
		return 0
	}
	b := int(g.data[0])
	g.data = g.data[1:]
	return b % n
}

// rarely is true once in n times.
func (g *maker) rarely(n int) bool { return g.n(n) == n-1 }

func pick[T any](g *maker, from ...T) T { return from[g.n(len(from))] }

var (
	keys  = []string{"a", "b", "v", "name", "type", "status", "x-y", "x_y", "", "1d", "a=b", "ready", "Ki"}
	texts = []string{
		"A", "B", "True", "False", "Unknown", "yes", "5", "0.5", "250m", "5Gi", "28%", "2024-01-01T00:00:00Z",
		"", "text", "a b", "ü\"\\\n", "1e3", "NaN", "-1", "m", "Inf", "0", "no", "1", "true", "k=v", "5m", "1h",
	}
)

// scalar makes a value that has no children.
func (g *maker) scalar() any {
	switch g.n(8) {
	case 0, 1:
		return int64(g.n(6)) - 1
	case 2:
		return pick(g, 0.5, 1.5e9, -2.25, 12345678.5)
	case 3:
		return pick(g, true, false)
	case 4:
		if g.rarely(2) {
			return nil
		}
		return int64(5)
	default:
		return pick(g, texts...)
	}
}

// value makes a value with up to some levels below it. The elements of a list,
// and the children of a map, are often alike.
func (g *maker) value(depth int) any {
	kind := g.n(7)
	if depth == 0 || kind < 3 {
		return g.scalar()
	}
	var shape []string
	if g.n(3) > 0 {
		for range 1 + g.n(4) {
			shape = append(shape, pick(g, keys...))
		}
	}
	child := func() any {
		if shape == nil || g.rarely(8) {
			return g.value(depth - 1)
		}
		m := make(map[string]any)
		for _, key := range shape {
			if !g.rarely(6) {
				m[key] = g.value(max(0, depth-2))
			}
		}
		return m
	}
	if kind < 5 {
		list := []any{}
		for range g.n(5) {
			list = append(list, child())
		}
		return list
	}
	m := make(map[string]any)
	for range g.n(6) {
		m[pick(g, keys...)] = child()
	}
	return m
}

func (g *maker) object() map[string]any {
	o := map[string]any{
		"apiVersion": "g.io/v1", "kind": "K",
		"metadata": map[string]any{"name": pick(g, "o", "p"), "labels": map[string]any{"app": "x", "a.b/c": "y"}},
	}
	for _, key := range []string{"spec", "status", "m", "l"} {
		o[key] = g.value(3)
	}
	return o
}

// path makes a path from a value, most of the time one that leads somewhere,
// and returns where it leads to.
func (g *maker) path(v any, most int) ([]any, any) {
	path := []any{}
	for range most {
		segment, next := g.segment(v)
		if segment == nil {
			break
		}
		path, v = append(path, segment), next
		if g.rarely(4) {
			break
		}
	}
	return path, v
}

func (g *maker) segment(v any) (segment, next any) {
	if g.rarely(16) {
		return pick[any](g, "missing", "0", "[a=A]", "a=b", "*", 0, "-1", "", nil), nil
	}
	switch x := v.(type) {
	case map[string]any:
		if len(x) == 0 {
			return nil, nil
		}
		key := pick(g, slices.Sorted(maps.Keys(x))...)
		if text, ok := x[key].(string); ok && g.rarely(6) {
			return key + "=" + text, text
		}
		return key, x[key]
	case []any:
		if len(x) == 0 {
			return nil, nil
		}
		i := g.n(len(x))
		m, isMap := x[i].(map[string]any)
		switch g.n(4) {
		case 0:
			return i, x[i]
		case 1:
			return strconv.Itoa(i - len(x)), x[i]
		}
		if isMap && len(m) > 0 {
			key := pick(g, slices.Sorted(maps.Keys(m))...)
			value := fmt.Sprint(m[key])
			if g.rarely(4) {
				value = pick(g, texts...)
			}
			return "[" + key + "=" + value + "]", m
		}
		return strconv.Itoa(i), x[i]
	}
	return nil, nil
}

// within returns a value that inner paths are relative to.
func (g *maker) within(v any) any {
	switch x := v.(type) {
	case []any:
		if len(x) > 0 {
			return pick(g, x...)
		}
	case map[string]any:
		if len(x) > 0 && g.n(3) > 0 {
			return x[pick(g, slices.Sorted(maps.Keys(x))...)]
		}
	}
	return v
}

var labelNames = []string{"x", "y", "name", "type", "s", "key", "x-y", "*", "pre_*", "*z", "x_y", "customresource_kind", "**", "1d", "a*"}

func (g *maker) labelsFromPath(v any) map[string]any {
	labels := make(map[string]any)
	for range g.n(4) {
		path, _ := g.path(g.within(v), 3)
		name := pick(g, labelNames...)
		if name == "1d" && g.n(4) > 0 { // invalid as soon as it has a value
			name = "d1"
		}
		labels[name] = path
		if g.rarely(250) {
			labels[name] = nil
		}
	}
	return labels
}

func isScalar(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return false
	}
	return true
}

// suits reports whether a metric of the type may give something for a value.
func suits(name string, v any) bool {
	_, isText := v.(string)
	switch {
	case v == nil:
		return false
	case name == "gauge":
		return !isText
	case name == "stateSet":
		return isText || !isScalar(v)
	}
	return true
}

// each makes an each block for an object.
func (g *maker) each(o map[string]any) map[string]any {
	block := make(map[string]any)
	typ := pick(g, "gauge", "Gauge", "info", "Info", "stateSet", "StateSet")
	name := map[string]string{"g": "gauge", "G": "gauge", "i": "info", "I": "info", "s": "stateSet", "S": "stateSet"}[typ[:1]]
	path, v := g.path(o, 4)
	for range 4 {
		if !suits(name, v) {
			path, v = g.path(o, 4)
		}
	}
	if len(path) > 0 || g.rarely(2) {
		block["path"] = path
	}
	l := g.labelsFromPath(v)
	if name == "info" && len(l) == 0 {
		l = map[string]any{"x": []any{}}
	}
	block["labelsFromPath"] = l
	if name != "info" && (isScalar(v) && g.rarely(8) || !isScalar(v) && g.n(3) > 0) {
		block["valueFrom"], _ = g.path(g.within(v), 2)
	}
	if name != "stateSet" && g.n(2) > 0 {
		block["labelFromKey"] = pick[any](g, "key", "k", "x", "type", "", nil)
	}
	switch name {
	case "gauge":
		block["nilIsZero"] = pick[any](g, false, true, nil)
	case "stateSet":
		block["labelName"] = pick[any](g, "s", "state", "type", "key", "x")
		if g.rarely(100) {
			block["labelName"] = ""
		}
		block["list"] = []any{pick(g, texts...), pick(g, texts...), pick[any](g, "A", 5, true, nil, 0.5)}[:1+g.n(3)]
	}
	return map[string]any{"type": typ, name: block}
}

func (g *maker) commonLabels() map[string]any {
	labels := make(map[string]any)
	for range g.n(3) {
		labels[pick(g, "x", "y", "c", "key", "s", "customresource_group")] = pick[any](g, "one", "two", "", 5, true, nil)
	}
	return labels
}

// input makes a configuration of one or two resources and an object.
func (g *maker) input() (config string, object map[string]any) {
	object = g.object()
	var resources []any
	names := []string{"m", "n", "o", "p", "q", "r", "s", "t"}
	kinds := []string{"K", "Other"}
	for i := range 1 + g.n(6)/5 {
		var metrics []any
		for range 1 + g.n(4) {
			m := map[string]any{"name": names[0], "each": g.each(object), "commonLabels": g.commonLabels(), "labelsFromPath": g.labelsFromPath(object)}
			names = names[1:]
			if g.rarely(8) {
				m["help"] = "Some \\ help."
			}
			metrics = append(metrics, m)
		}
		r := map[string]any{
			"groupVersionKind": map[string]any{"group": "g.io", "version": "v1", "kind": kinds[i]},
			"metrics":          metrics,
			"commonLabels":     g.commonLabels(), "labelsFromPath": g.labelsFromPath(object),
		}
		if prefix := pick[any](g, "", "pre", nil, false); prefix != false {
			r["metricNamePrefix"] = prefix
		}
		resources = append(resources, r)
	}
	data, err := json.Marshal(map[string]any{"kind": "CustomResourceStateMetrics", "spec": map[string]any{"resources": resources}})
	if err != nil {
		panic(err)
	}
	return string(data), object
}
