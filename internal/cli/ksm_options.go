package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// readOptions sets the flags that the file of --config names, which beat those
// of the command line.
func (f *ksmFlags) readOptions() error {
	if f.options == "" {
		return nil
	}
	data, err := os.ReadFile(f.options)
	if errors.Is(err, fs.ErrNotExist) && f.goOnWithout {
		f.warn("config", "there is no %s yet: started anew when it appears", f.options)
		f.missing = append(f.missing, f.options)
		return nil
	}
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return fmt.Errorf("--config %s: %w", f.options, err)
	}
	if len(document.Content) == 0 || document.Content[0].Tag == "!!null" {
		return nil
	}
	if document.Content[0].Kind != yaml.MappingNode {
		return fmt.Errorf("--config %s: expected options with their values", f.options)
	}
	options := document.Content[0].Content
	for i := 0; i+1 < len(options); i += 2 {
		if err := f.setOption(options[i].Value, options[i+1]); err != nil {
			return fmt.Errorf("--config %s:%d: option %s: %w", f.options, options[i].Line, options[i].Value, err)
		}
	}
	return nil
}

// oldFileOption is what the option for the rule file was called before v2.17.
const oldFileOption = "custom_resource_config_file"

// setOption sets the flag of an option.
func (f *ksmFlags) setOption(option string, value *yaml.Node) error {
	if option == oldFileOption {
		f.warn("config", "option %s is now called custom_resource_state_config_file", option)
		if f.set.Lookup("custom-resource-state-config-file").Value.String() != "" {
			return nil
		}
		option = "custom_resource_state_config_file"
	}
	for _, flag := range ksmTable(new(ksmFlags)) {
		switch {
		case flag.option != option:
		case option == "help", option == "config":
			return nil
		default:
			return f.setFlag(flag.name, value)
		}
	}
	f.warn("config", "option %s is not known and has no effect", option)
	return nil
}

// setFlag sets a flag to a value of YAML: a scalar, a list, or a map whose keys
// are the list, as kube-state-metrics has its sets. What is empty sets nothing.
func (f *ksmFlags) setFlag(name string, value *yaml.Node) error {
	if value.Kind == yaml.AliasNode {
		value = value.Alias
	}
	if value.Kind == yaml.ScalarNode {
		if value.Tag == "!!null" {
			return nil
		}
		return f.set.Set(name, value.Value)
	}
	step := 1
	if value.Kind == yaml.MappingNode {
		step = 2
	}
	var words []string
	for i := 0; i < len(value.Content); i += step {
		if value.Content[i].Kind != yaml.ScalarNode {
			return errors.New("expected a list of words")
		}
		words = append(words, value.Content[i].Value)
	}
	flag := f.set.Lookup(name)
	list, ok := flag.Value.(pflag.SliceValue)
	switch {
	case len(words) == 0:
		return nil
	case ok:
		flag.Changed = true
		return list.Replace(words)
	case step == 2 && flag.Value.Type() == "string":
		return f.set.Set(name, fmt.Sprint(words)) // the label and annotation lists
	default:
		return errors.New("expected one value, found several")
	}
}
