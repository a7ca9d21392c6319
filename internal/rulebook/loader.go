package rulebook

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/kubevitals/kubevitals/catalog"
	"github.com/kubevitals/kubevitals/internal/rule"
)

// loader gathers the documents of several files and compiles them.
type loader struct {
	sources  []rule.Source
	findings rule.Diagnostics
	errs     []error
	// partial says that there may be more rules later: what --enable and
	// --param name need not be there yet.
	partial bool
	// params are values for parameters that the configuration says nothing of, by
	// DOCUMENT.NAME.
	params map[string][]string
}

// gather parses the catalogs of a configuration, and files that read gives.
func (l *loader) gather(c *Config, files []File, read func(name string) ([]byte, error)) error {
	for _, name := range c.catalogs(files) {
		file, data, err := catalog.Rules(name)
		if err != nil {
			return fmt.Errorf("--catalog: %w", err)
		}
		l.add(file, data, rule.ParseOptions{})
	}
	for _, file := range files {
		data, err := read(file.Name)
		if err != nil {
			l.errs = append(l.errs, err)
			continue
		}
		l.add(file.Name, data, rule.ParseOptions{Legacy: file.Legacy})
	}
	if c.Inline != "" {
		l.add("--custom-resource-state-config", []byte(c.Inline), rule.ParseOptions{Legacy: true})
	}
	return nil
}

// catalogs returns the catalogs that are on, besides files.
func (c *Config) catalogs(files []File) []string {
	if len(c.Catalogs) == 0 && len(files) == 0 && c.Inline == "" && !c.ConfigMaps && !c.Switched && !c.NoDefaults {
		return DefaultCatalogs
	}
	return c.Catalogs
}

// add parses a file.
func (l *loader) add(file string, data []byte, opts rule.ParseOptions) {
	documents, findings := rule.Parse(file, data, opts)
	l.findings = append(l.findings, findings...)
	l.sources = append(l.sources, rule.Source{File: file, Documents: documents})
}

// compile compiles what was gathered, and adds what is found to the findings.
func (l *loader) compile(c *Config) (*rule.Set, error) {
	opts, err := c.options()
	if err != nil {
		return nil, err
	}
	for name, values := range l.params {
		if _, said := opts.Params[name]; !said {
			opts.Params[name] = values
		}
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

// warn writes the warnings, one line each.
func (l *loader) warn(w io.Writer) {
	for _, d := range l.findings {
		if d.Warning {
			_, _ = fmt.Fprintln(w, d.Error())
		}
	}
}

// err returns all errors, the first on the line of the message.
func (l *loader) err() error {
	errs := l.errs
	if err := l.findings.Err(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
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
