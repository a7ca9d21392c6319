package lint

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/rulebook"
)

// checkText reports what can be seen in the text of files alone: what the legacy
// form does differently from what it looks like.
func (l *linter) checkText(files []rulebook.File) {
	for _, file := range files {
		decoder := yaml.NewDecoder(bytes.NewReader(file.Data))
		for {
			var root yaml.Node
			if decoder.Decode(&root) != nil || len(root.Content) == 0 {
				break // an error has been reported
			}
			t := textLinter{linter: l, file: file.Name}
			document := unwrap(root.Content[0])
			t.walk(document, "", false)
			if file.Legacy || scalar(document, "kind") == rule.KindCustomResourceStateMetrics {
				t.legacy(document)
			}
		}
	}
}

// unwrap returns the configuration in the values of the chart of
// kube-state-metrics.
func unwrap(n *yaml.Node) *yaml.Node {
	if wrapper := value(n, "customResourceState"); wrapper != nil {
		if config := value(wrapper, "config"); config != nil {
			return config
		}
	}
	return n
}

// textLinter checks one document.
type textLinter struct {
	*linter
	file string
}

func (t textLinter) at(n *yaml.Node) rule.Position {
	return rule.Position{File: t.file, Line: n.Line, Column: n.Column}
}

// pathFields are the fields that have paths in the legacy spelling.
var pathFields = []string{"path", "valueFrom", "labelsFromPath"}

// walk looks at everything below a node. metric is the name of the metric that it
// is in, and legacy says that scalars are segments of paths. What an alias
// stands for is looked at where it is written.
func (t textLinter) walk(n *yaml.Node, metric string, legacy bool) {
	switch n.Kind {
	case yaml.MappingNode:
		if name := scalar(n, "name"); name != "" && !legacy {
			metric = name
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, v := n.Content[i].Value, n.Content[i+1]
			if key == "gauge" {
				t.rootValue(v, metric)
			}
			t.walk(v, metric, legacy || slices.Contains(pathFields, key))
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			t.walk(item, metric, legacy)
		}
	case yaml.ScalarNode:
		if legacy {
			t.lookup(n, metric)
		}
	}
}

// rootValue reports a valueFrom that looks as if it began at the object.
func (t textLinter) rootValue(n *yaml.Node, metric string) {
	if from := value(n, "valueFrom"); from != nil && value(n, "path") == nil && len(from.Content) > 1 {
		t.warn(t.at(from), metric, "valueFrom without a path leads from each field of the object: it gives nothing; write it as path")
	}
}

var plainNumber = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

// lookup reports a [key=value] that matches other values than the one that it
// names.
func (t textLinter) lookup(n *yaml.Node, metric string) {
	inner, ok := strings.CutPrefix(n.Value, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	_, text, pair := strings.Cut(inner, "=")
	number, err := rule.ToNumber(text)
	if !ok || !closed || !pair || err != nil || plainNumber.MatchString(text) || strings.EqualFold(text, "true") {
		return
	}
	also := strconv.FormatFloat(number, 'g', -1, 64)
	switch number {
	case 0:
		also = `"False", "No", "Unknown", false and 0`
	case 1:
		also = `"True", "Yes", true and 1`
	}
	t.warn(t.at(n), metric, "%s also matches %s: values that are the same number are equal", n.Value, also)
}

// legacy checks the resources of a configuration of kube-state-metrics.
func (t textLinter) legacy(document *yaml.Node) {
	spec := value(document, "spec")
	if spec == nil || value(spec, "resources") == nil {
		return
	}
	seen := make(map[string]int)
	for _, resource := range value(spec, "resources").Content {
		if resource.Kind == yaml.MappingNode {
			t.resource(resource, seen)
		}
	}
}

func (t textLinter) resource(resource *yaml.Node, seen map[string]int) {
	without := func(n *yaml.Node, metric string, fields ...string) {
		for _, field := range fields {
			if v := value(n, field); v != nil {
				t.note(t.at(v), metric, "%s has no effect", field)
			}
		}
	}
	without(resource, "", "resourcePlural", "errorLogV")
	gvk := value(resource, "groupVersionKind")
	if gvk == nil {
		return
	}
	version := scalar(gvk, "version")
	if version == "*" || version == "" {
		t.note(t.at(gvk), "", "without a version, the best one that is served is read, once: kube-state-metrics would give the series of each")
	}
	kind := fmt.Sprintf("%s %s %s", scalar(gvk, "group"), version, scalar(gvk, "kind"))
	if line, again := seen[kind]; again {
		t.note(t.at(gvk), "", "line %d is about the same kind: both apply here; of kube-state-metrics only the last would", line)
	} else {
		seen[kind] = gvk.Line
	}
	if metrics := value(resource, "metrics"); metrics != nil {
		for _, m := range metrics.Content {
			without(m, scalar(m, "name"), "errorLogV")
		}
	}
}

// value returns the value of a key of a mapping, or nil.
func value(n *yaml.Node, key string) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// scalar returns the text of a key of a mapping.
func scalar(n *yaml.Node, key string) string {
	if v := value(n, key); v != nil && v.Kind == yaml.ScalarNode {
		return v.Value
	}
	return ""
}
