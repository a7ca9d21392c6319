package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubevitals/kubevitals/catalog"
	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/rule/cel"
	"github.com/kubevitals/kubevitals/internal/rule/crs"
)

// ruleFlags are the flags that say what to measure.
type ruleFlags struct {
	catalogs []string
	files    []string
	legacy   string
	mayMiss  bool // the file of legacy
	enable   []string
	params   []string
	celCost  uint64
	budget   time.Duration

	configMaps          string // label selector; only of the command state
	configMapNamespaces []string

	inline     string                 // a CustomResourceStateMetrics configuration
	noDefaults bool                   // without rules there are none
	keep       func(name string) bool // which families to serve; nil for all
	everyGroup bool                   // all opt-in groups are enabled
}

var defaultCatalogs = []string{"gateway-api", "kuadrant"}

// define adds the flags to a set.
func (f *ruleFlags) define(flags *pflag.FlagSet) {
	flags.StringSliceVar(&f.catalogs, "catalog", nil,
		"built-in rules to use: "+strings.Join(catalog.Names(), ", ")+" (default, without any rules: "+strings.Join(defaultCatalogs, ", ")+")")
	flags.StringArrayVar(&f.files, "rules", nil, "rule file, or folder of them, to use: MetricRules or CustomResourceStateMetrics (repeatable)")
	flags.StringVar(&f.legacy, "custom-resource-state-config-file", "", "CustomResourceStateMetrics file to use, read as kube-state-metrics reads it")
	flags.StringSliceVar(&f.enable, "enable", nil, "opt-in groups of the rules to switch on")
	flags.StringArrayVar(&f.params, "param", nil, "value for a parameter of a rule document, DOCUMENT.NAME=VALUE[,VALUE...] (repeatable)")
	flags.Uint64Var(&f.celCost, "cel-cost-limit", 0, "what one evaluation of a CEL expression may cost, for rules that are not trusted (default: no limit but the time)")
	flags.DurationVar(&f.budget, "cel-budget", 250*time.Millisecond, "how long the expressions of one metric may take for one object")
}

// add adds the flags to a command, with what completes them.
func (f *ruleFlags) add(cmd *cobra.Command) {
	f.define(cmd.Flags())
	fixedValues(cmd, "catalog", catalog.Names()...)
	for _, flag := range []string{"rules", "custom-resource-state-config-file"} {
		if err := cmd.MarkFlagFilename(flag, "yaml", "yml", "json"); err != nil {
			panic("BUG: " + err.Error())
		}
	}
}

// addConfigMaps adds the flags for rules in the cluster.
func (f *ruleFlags) addConfigMaps(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.configMaps, "rules-configmaps", "", "label selector of ConfigMaps with rule files to use, such as kubevitals.io/rules=true")
	flags.StringSliceVar(&f.configMapNamespaces, "rules-configmaps-namespaces", nil, "namespaces of these ConfigMaps (default: --namespaces, or all)")
}

// load compiles the rules that the flags name. Warnings go to w, one line each;
// the error has a line for each thing that is wrong.
func (f *ruleFlags) load(w io.Writer) (*rule.Set, error) {
	return f.compile(f.list(), func(name string) ([]byte, error) { return readRules("", name) }, w)
}

// ruleFile is a file of rules.
type ruleFile struct {
	name   string
	legacy bool // read as kube-state-metrics reads it
	data   []byte
}

// list returns the files that the flags name, without what is in them. Those of
// a folder are in the order of their names.
func (f *ruleFlags) list() []ruleFile {
	var files []ruleFile
	for _, name := range f.files {
		for _, file := range filesIn(name) {
			files = append(files, ruleFile{name: file})
		}
	}
	if f.legacy != "" && (!f.mayMiss || exists(f.legacy)) {
		files = append(files, ruleFile{name: f.legacy, legacy: true})
	}
	return files
}

// filesIn returns the rule files in a folder, or the name of what is none.
func filesIn(name string) []string {
	entries, err := os.ReadDir(name)
	if err != nil || name == "" {
		return []string{name}
	}
	var out []string
	for _, e := range entries {
		file := filepath.Join(name, e.Name())
		info, err := os.Stat(file) // of what a link leads to, as in a mounted ConfigMap
		if err == nil && !info.IsDir() && isRuleFile(e.Name()) {
			out = append(out, file)
		}
	}
	if len(out) == 0 {
		return []string{name}
	}
	return out
}

// isRuleFile reports whether a file of a folder, or a key of a ConfigMap, has
// the name of a rule file.
func isRuleFile(name string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name)) && !strings.HasPrefix(name, ".")
}

// compile compiles the catalogs that the flags name, and files that read gives.
// Without either, it compiles the default catalogs.
func (f *ruleFlags) compile(files []ruleFile, read func(name string) ([]byte, error), w io.Writer) (*rule.Set, error) {
	l := &ruleLoader{}
	if err := f.gather(l, files, read); err != nil {
		return nil, err
	}
	set, err := f.compileAll(l)
	l.warn(w)
	return set, err
}

// gather parses the catalogs that the flags name, and files that read gives.
func (f *ruleFlags) gather(l *ruleLoader, files []ruleFile, read func(name string) ([]byte, error)) error {
	names := f.catalogs
	if len(names) == 0 && len(files) == 0 && f.inline == "" && f.configMaps == "" && !f.noDefaults {
		names = defaultCatalogs
	}
	for _, name := range names {
		file, data, err := catalog.Rules(name)
		if err != nil {
			return fmt.Errorf("--catalog: %w", err)
		}
		l.add(file, data, rule.ParseOptions{})
	}
	for _, file := range files {
		data, err := read(file.name)
		if err != nil {
			l.errs = append(l.errs, err)
			continue
		}
		l.add(file.name, data, rule.ParseOptions{Legacy: file.legacy})
	}
	if f.inline != "" {
		l.add("--custom-resource-state-config", []byte(f.inline), rule.ParseOptions{Legacy: true})
	}
	return nil
}

// compileAll compiles what the loader has gathered, and adds what is found to
// its findings.
func (f *ruleFlags) compileAll(l *ruleLoader) (*rule.Set, error) {
	opts, err := f.options()
	if err != nil {
		return nil, err
	}
	if l.err() != nil {
		opts.Enable, opts.Params = nil, nil // what is not known may be in what cannot be read
	} else {
		opts.Identity = true
	}
	set, findings := rule.Compile(l.sources, opts)
	for _, d := range findings {
		d.Warning = d.Warning || l.partial && strings.HasPrefix(d.File, "--")
		l.findings = append(l.findings, d)
	}
	return set, l.err()
}

// options returns how the flags want rules to be compiled.
func (f *ruleFlags) options() (rule.CompileOptions, error) {
	opts := rule.CompileOptions{
		Enable: f.enable, EnableAll: f.everyGroup, Keep: f.keep, Reserved: reserved, Legacy: crs.Compile,
		Params: make(map[string][]string, len(f.params)),
	}
	for _, p := range f.params {
		name, values, err := rule.ParseParam(p)
		if err != nil {
			return opts, fmt.Errorf("--param %w", err)
		}
		opts.Params[name] = values
	}
	env, err := cel.New(cel.Options{CostLimit: f.celCost})
	if err != nil {
		return opts, err
	}
	opts.Expression = env.Compiler()
	return opts, nil
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

// readRules reads a file of rules. A relative name counts from dir, which errors
// do not show.
func readRules(dir, name string) ([]byte, error) {
	if name == "" {
		return nil, errors.New("--rules: the name of the file is empty")
	}
	path := name
	if !filepath.IsAbs(name) {
		path = filepath.Join(dir, name)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s: the folder has no rule files (*.yaml, *.yml, *.json)", name)
	}
	data, err := os.ReadFile(path)
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		pathErr.Path = name
	}
	return data, err
}

// ruleLoader gathers the documents of several files.
type ruleLoader struct {
	sources  []rule.Source
	findings rule.Diagnostics
	errs     []error
	// partial says that there may be more rules later: what --enable and
	// --param name need not be there yet.
	partial bool
}

func (l *ruleLoader) add(file string, data []byte, opts rule.ParseOptions) {
	documents, findings := rule.Parse(file, data, opts)
	l.findings = append(l.findings, findings...)
	l.sources = append(l.sources, rule.Source{File: file, Documents: documents})
}

// warn writes the warnings, one line each.
func (l *ruleLoader) warn(w io.Writer) {
	for _, d := range l.findings {
		if d.Warning {
			_, _ = fmt.Fprintln(w, d.Error())
		}
	}
}

// err returns all errors, the first on the line of the message.
func (l *ruleLoader) err() error {
	errs := l.errs
	if err := l.findings.Err(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
