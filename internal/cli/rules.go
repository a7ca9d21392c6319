package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubevitals/kubevitals/catalog"
	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/rule/crs"
)

// ruleFlags are the flags that say what to measure.
type ruleFlags struct {
	catalogs []string
	files    []string
	legacy   string
	enable   []string

	inline     string                 // a CustomResourceStateMetrics configuration
	noDefaults bool                   // without rules there are none
	keep       func(name string) bool // which families to serve; nil for all
}

var defaultCatalogs = []string{"gateway-api", "kuadrant"}

func (f *ruleFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.catalogs, "catalog", nil,
		"built-in rules to use: "+strings.Join(catalog.Names(), ", ")+" (default, without any rules: "+strings.Join(defaultCatalogs, ", ")+")")
	flags.StringArrayVar(&f.files, "rules", nil, "rule file to use: MetricRules or CustomResourceStateMetrics (repeatable)")
	flags.StringVar(&f.legacy, "custom-resource-state-config-file", "", "CustomResourceStateMetrics file to use, read as kube-state-metrics reads it")
	flags.StringSliceVar(&f.enable, "enable", nil, "opt-in groups of the rules to switch on")
	fixedValues(cmd, "catalog", catalog.Names()...)
	for _, flag := range []string{"rules", "custom-resource-state-config-file"} {
		if err := cmd.MarkFlagFilename(flag, "yaml", "yml", "json"); err != nil {
			panic("BUG: " + err.Error())
		}
	}
}

// load compiles the rules that the flags name. Warnings go to w, one line each;
// the error has a line for each thing that is wrong.
func (f *ruleFlags) load(w io.Writer) (*rule.Set, error) {
	names := f.catalogs
	if len(names) == 0 && len(f.files) == 0 && f.legacy+f.inline == "" && !f.noDefaults {
		names = defaultCatalogs
	}
	l := &ruleLoader{}
	for _, name := range names {
		file, data, err := catalog.Rules(name)
		if err != nil {
			return nil, fmt.Errorf("--catalog: %w", err)
		}
		l.add(file, data, rule.ParseOptions{})
	}
	for _, file := range f.files {
		l.read(file, rule.ParseOptions{})
	}
	if f.legacy != "" {
		l.read(f.legacy, rule.ParseOptions{Legacy: true})
	}
	if f.inline != "" {
		l.add("--custom-resource-state-config", []byte(f.inline), rule.ParseOptions{Legacy: true})
	}
	enable := f.enable
	if l.err() != nil {
		enable = nil // a group that is not known may be in what cannot be read
	}
	set, findings := rule.Compile(l.sources, rule.CompileOptions{Enable: enable, Legacy: crs.Compile, Identity: l.err() == nil, Reserved: reserved})
	l.findings = append(l.findings, findings...)
	for _, d := range l.findings {
		if d.Warning {
			_, _ = fmt.Fprintln(w, d.Error())
		}
	}
	return set, l.err()
}

// reserved keeps rules from saying what the program says about itself.
func reserved(name string) string {
	switch {
	case strings.HasPrefix(name, "kubevitals_"), name == "gateway_metrics_up":
		return "it is a metric of Kubevitals about itself"
	case strings.HasPrefix(name, "go_"), strings.HasPrefix(name, "process_"):
		return "it is a metric of every Go program about itself"
	}
	return ""
}

// ruleLoader gathers the documents of several files.
type ruleLoader struct {
	sources  []rule.Source
	findings rule.Diagnostics
	errs     []error
}

func (l *ruleLoader) read(file string, opts rule.ParseOptions) {
	if file == "" {
		l.errs = append(l.errs, errors.New("--rules: the name of the file is empty"))
		return
	}
	info, err := os.Stat(file)
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s: is a folder: name the rule files in it", file)
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(file)
	}
	if err != nil {
		l.errs = append(l.errs, err)
		return
	}
	l.add(file, data, opts)
}

func (l *ruleLoader) add(file string, data []byte, opts rule.ParseOptions) {
	documents, findings := rule.Parse(file, data, opts)
	l.findings = append(l.findings, findings...)
	l.sources = append(l.sources, rule.Source{File: file, Documents: documents})
}

// err returns all errors, the first on the line of the message.
func (l *ruleLoader) err() error {
	errs := l.errs
	if err := l.findings.Err(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
