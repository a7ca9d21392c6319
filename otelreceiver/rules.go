package otelreceiver

import (
	"fmt"
	"io"
	"strings"

	"github.com/kubevitals/kubevitals/internal/otlp/points"
	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/rulebook"
)

// load compiles the rules. Warnings go to w, one line each; the error has a line
// for each thing that is wrong.
func (c *Config) load(w io.Writer) (*rule.Set, error) {
	config := rulebook.Config{Catalogs: c.Catalogs, Paths: c.Rules, Enable: c.Enable, CELCost: c.CELCostLimit}
	for _, name := range sortedKeys(c.Params) {
		config.Params = append(config.Params, name+"="+strings.Join(c.Params[name], ","))
	}
	files := config.Files()
	inline := make(map[string]string, len(c.RulesInline))
	for i, text := range c.RulesInline {
		name := fmt.Sprintf("rules_inline[%d]", i)
		inline[name] = text
		files = append(files, rulebook.File{Name: name})
	}
	read := func(name string) ([]byte, error) {
		if text, ok := inline[name]; ok {
			return []byte(text), nil
		}
		return rulebook.Read("", name)
	}
	set, err := config.Compile(files, read, w)
	if err != nil {
		return nil, keyed{err}
	}
	return set, nil
}

// keyed is an error that names keys of the configuration where it named flags.
type keyed struct{ error }

var keysOfFlags = strings.NewReplacer(
	"--catalog:", "catalogs:", "--rules:", "rules:", "--enable:", "enable:", "--param:", "params:", "--param ", "params: ",
	"--kubeconfig ", "kubeconfig: ", "--enable", "enable", "--param", "params", "--catalog", "catalogs",
)

// Error returns the words of the error.
func (k keyed) Error() string { return keysOfFlags.Replace(k.error.Error()) }

// Unwrap returns the error as it was.
func (k keyed) Unwrap() error { return k.error }

// naming returns how the families of the rules are called.
func (c *Config) naming(set *rule.Set) (points.Naming, error) {
	n := points.Naming{Names: make(map[string]string), Dots: c.Dots, Semconv: c.Semconv}
	families := set.Families()
	known := make(map[string]bool, len(families))
	for i := range families {
		known[families[i].Name] = true
		if name := set.Shape(i).OTLPName; name != "" {
			n.Names[families[i].Name] = name
		}
	}
	for _, family := range sortedKeys(c.Names) {
		switch {
		case c.Names[family] == "":
			return n, fmt.Errorf("names: %s: the name is empty", family)
		case !known[family] && !isSelf(family):
			return n, fmt.Errorf("names: no rule gives a family %q", family)
		}
		n.Names[family] = c.Names[family]
	}
	taken := make(map[string]string, len(families))
	for _, d := range families {
		name := n.Describe(d).Name
		if other, ok := taken[name]; ok {
			return n, fmt.Errorf("names: %s and %s would both be called %s", other, d.Name, name)
		}
		taken[name] = d.Name
	}
	return n, nil
}

// isSelf reports whether a family is one of those that self_metrics adds.
func isSelf(name string) bool {
	return strings.HasPrefix(name, "kubevitals_") || name == "gateway_metrics_up"
}
