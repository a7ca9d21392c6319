package rulebook

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/rule/cel"
	"github.com/kubevitals/kubevitals/internal/rule/crs"
)

// Config says which rules there are, and how they are compiled. Errors name the
// flags that it is filled from.
type Config struct {
	// Catalogs are the names of built-in rules.
	Catalogs []string
	// Paths are rule files, and folders of them.
	Paths []string
	// Legacy is a file that is read as kube-state-metrics reads it, or empty.
	Legacy string
	// MayMiss says that the file of Legacy need not exist.
	MayMiss bool
	// Inline is the text of a CustomResourceStateMetrics configuration, or empty.
	Inline string
	// ConfigMaps says that there may be more rules in ConfigMaps.
	ConfigMaps bool
	// Switched says that catalogs may be switched on by [Book.Catalogs].
	Switched bool
	// NoDefaults says that, without any rules, the default catalogs are not used.
	NoDefaults bool

	// Enable are the opt-in groups that are switched on; EnableAll switches on all.
	Enable    []string
	EnableAll bool
	// Params are values for parameters of documents: DOCUMENT.NAME=VALUE[,VALUE...].
	Params []string
	// CELCost is what one evaluation of an expression may cost, 0 for no limit.
	CELCost uint64
	// Keep says which families to serve; nil is for all.
	Keep func(name string) bool
}

// DefaultCatalogs are the catalogs that are used when nothing else is asked for.
var DefaultCatalogs = []string{"gateway-api", "kuadrant"}

// Load compiles the rules. Warnings go to w, one line each; the error has a line
// for each thing that is wrong.
func (c *Config) Load(w io.Writer) (*rule.Set, error) {
	return c.Compile(c.Files(), func(name string) ([]byte, error) { return Read("", name) }, w)
}

// Compile compiles the catalogs, and files that read gives. Without either, it
// compiles the default catalogs. Warnings and errors are told as by [Config.Load].
func (c *Config) Compile(files []File, read func(name string) ([]byte, error), w io.Writer) (*rule.Set, error) {
	l := &loader{}
	if err := l.gather(c, files, read); err != nil {
		return nil, err
	}
	set, err := l.compile(c)
	l.warn(w)
	return set, err
}

// Files returns the rule files, without what is in them. Those of a folder are in
// the order of their names.
func (c *Config) Files() []File {
	var files []File
	for _, path := range c.Paths {
		for _, file := range FilesIn(path) {
			files = append(files, File{Name: file})
		}
	}
	if c.Legacy != "" && !c.Missing() {
		files = append(files, File{Name: c.Legacy, Legacy: true})
	}
	return files
}

// Missing reports whether the file of Legacy is to be done without for now.
func (c *Config) Missing() bool {
	if !c.MayMiss || c.Legacy == "" {
		return false
	}
	_, err := os.Stat(c.Legacy)
	return errors.Is(err, fs.ErrNotExist)
}

// options returns how rules are compiled.
func (c *Config) options() (rule.CompileOptions, error) {
	opts := rule.CompileOptions{
		Enable: c.Enable, EnableAll: c.EnableAll, Keep: c.Keep, Reserved: reserved, Legacy: crs.Compile,
		Params: make(map[string][]string, len(c.Params)),
	}
	for _, p := range c.Params {
		name, values, err := rule.ParseParam(p)
		if err != nil {
			return opts, fmt.Errorf("--param %w", err)
		}
		opts.Params[name] = values
	}
	env, err := cel.New(cel.Options{CostLimit: c.CELCost})
	if err != nil {
		return opts, err
	}
	opts.Expression = env.Compiler()
	return opts, nil
}
