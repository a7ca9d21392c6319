package relabel

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/relabel"
	"go.yaml.in/yaml/v3"

	"github.com/kubevitals/kubevitals/internal/pods/glob"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// Filter says by name which families there are. The name is that of the samples,
// with "_total" and "_info", but without "_bucket", "_sum" and "_count" of
// histograms and summaries. A star in a pattern stands for any characters. The
// zero value, as nil, keeps everything.
type Filter struct {
	// Allow are patterns of which a family must match one, if there are any.
	Allow []string
	// Deny are patterns of which a family must match none.
	Deny []string
}

// Keeps reports whether there is a family of that name.
func (f *Filter) Keeps(name string) bool {
	if f == nil {
		return true
	}
	return (len(f.Allow) == 0 || glob.MatchAny(f.Allow, name)) && !glob.MatchAny(f.Deny, name)
}

// Validate reports patterns that no family can match.
func (f *Filter) Validate() error {
	for _, p := range slices.Concat(f.Allow, f.Deny) {
		if !metric.IsUTF8Name(p) || strings.TrimSpace(p) != p {
			return fmt.Errorf("families: the pattern %q is empty, no UTF-8, or has blanks at an end", p)
		}
	}
	return nil
}

// ParseConfigs reads the list that is called metric_relabel_configs in
// Prometheus' configuration of a scrape. An error says which rule of the list is
// wrong, and where; it has all of them. The empty text is the empty list.
func ParseConfigs(text []byte) ([]*relabel.Config, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("relabelling: %w", err)
	}
	if document.Kind == 0 {
		return nil, nil
	}
	list := resolve(document.Content[0])
	switch {
	case list.Tag == "!!null":
		return nil, nil
	case list.Kind != yaml.SequenceNode:
		return nil, fmt.Errorf("relabelling: line %d: expected a list of rules, such as \"- {action: labeldrop, regex: pod_ip}\"", list.Line)
	}
	var configs []*relabel.Config
	var errs []error
	for i, node := range list.Content {
		c, err := parseConfig(resolve(node))
		if err != nil {
			errs = append(errs, fmt.Errorf("relabelling: rule %d (line %d): %w", i+1, node.Line, err))
			continue
		}
		configs = append(configs, c)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return configs, nil
}

// resolve returns what an alias stands for.
func resolve(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

func parseConfig(node *yaml.Node) (*relabel.Config, error) {
	if node.Kind != yaml.MappingNode {
		return nil, errors.New("expected fields such as source_labels, regex and action")
	}
	known := fields()
	for i := 0; i < len(node.Content); i += 2 {
		if name := node.Content[i].Value; !slices.Contains(known, name) && name != "<<" {
			return nil, fmt.Errorf("there is no field %q: known are %s", name, strings.Join(known, ", "))
		}
	}
	c := new(relabel.Config)
	if err := node.Decode(c); err != nil {
		return nil, err
	}
	return c, c.Validate(model.UTF8Validation)
}

// fields returns the names of the fields that a rule can have.
func fields() (names []string) {
	t := reflect.TypeFor[relabel.Config]()
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}
