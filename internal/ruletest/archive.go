package ruletest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/tools/txtar"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/rulebook"
)

// Archive is a test of rules in one file: rules, objects and what is expected of
// them. Its comment may have lines of flags.
type Archive struct {
	name  string // as the user named it
	data  []byte
	files []archived
	env   Env
}

// Env is how one test is evaluated. It belongs to the test, whose flags change it.
type Env struct {
	// Rules are the rules that flags name, and how all rules are compiled.
	Rules *rulebook.Config
	// Parse reads the words of one line of flags; all of them apply.
	Parse func(words []string) error
	// Objects reads the objects of a file, which errors call stdin.
	Objects func(io.Reader) ([]map[string]any, error)
	// Evaluate evaluates objects by rules.
	Evaluate func(*rule.Set, []map[string]any) (Result, error)
}

// Result is what rules give for objects. The zero value is nothing.
type Result struct {
	// Problems has a line for what rules asked for and objects could not give; a
	// test has to expect them. Notes are what else is said of the evaluation.
	Problems, Notes []string
	// Print writes the metrics in a format of the command eval. Nil is for none.
	Print func(w io.Writer, format string) error
}

// archived is a file of an archive.
type archived struct {
	txtar.File
	line       int // the number of the line before its first one: that of its marker
	start, end int // of its contents in the archive
}

// The files with what is expected, besides the outputs.
const (
	fileErrors = "errors.txt"
	fileSubset = "expect.prom"
)

// archiveOutputs are the files that hold whole outputs, with their formats.
var archiveOutputs = []struct{ file, format string }{
	{"output.prom", "prometheus"}, {"output.openmetrics", "openmetrics"}, {"output.json", "json"},
}

// Read reads the archive of a file of some name, by which its rules may name files
// beside it. An error has a line, with its place, for each thing that is wrong.
func Read(name string, data []byte, env Env) (*Archive, error) {
	a := &Archive{name: name, data: data, env: env}
	parsed := txtar.Parse(data)
	var errs []error
	a.locate(parsed)
	if err := a.parseFlags(parsed.Comment); err != nil {
		errs = append(errs, err)
	}
	for i, f := range a.files {
		if slices.ContainsFunc(a.files[:i], func(before archived) bool { return before.Name == f.Name }) {
			errs = append(errs, fmt.Errorf("%s:%d: there are two files %s", name, f.line, f.Name))
		} else if !a.knows(f.Name) {
			errs = append(errs, fmt.Errorf("%s:%d: the file %s is none of rules.yaml, *.rules.yaml, crs.yaml, *.crs.yaml, "+
				"input.yaml, *.input.yaml, output.prom, output.openmetrics, output.json, expect.prom and errors.txt, and no flag names it", name, f.line, f.Name))
		}
	}
	if !a.has(isInput) && a.file(fileErrors) == nil {
		errs = append(errs, fmt.Errorf("%s: there are no objects: expected a file input.yaml or *.input.yaml", name))
	}
	return a, errors.Join(errs...)
}

// locate finds where in the data the files are.
func (a *Archive) locate(parsed *txtar.Archive) {
	at, line := len(parsed.Comment), bytes.Count(parsed.Comment, []byte("\n"))
	for _, f := range parsed.Files {
		line++
		start := len(a.data)
		if i := bytes.IndexByte(a.data[at:], '\n'); i >= 0 {
			start = at + i + 1
		}
		end := min(start+len(f.Data), len(a.data)) // a last line may lack its end
		a.files = append(a.files, archived{f, line, start, end})
		line += bytes.Count(f.Data, []byte("\n"))
		at = end
	}
}

// parseFlags reads the lines of flags of a comment.
func (a *Archive) parseFlags(comment []byte) error {
	for n, line := range splitLines(string(comment)) {
		text, ok := strings.CutPrefix(line, "flags:")
		if !ok {
			continue
		}
		if err := a.env.Parse(strings.Fields(text)); err != nil {
			return fmt.Errorf("%s:%d: flags: %w", a.name, n+1, err)
		}
	}
	return nil
}

// knows reports whether a file of the archive has a meaning.
func (a *Archive) knows(file string) bool {
	return isRules(file) || isLegacyRules(file) || isInput(file) || isExpectation(file) ||
		slices.ContainsFunc(a.env.Rules.Files(), func(f rulebook.File) bool { return f.Name == file })
}

func isRules(file string) bool {
	return file == "rules.yaml" || strings.HasSuffix(file, ".rules.yaml")
}

func isLegacyRules(file string) bool {
	return file == "crs.yaml" || strings.HasSuffix(file, ".crs.yaml")
}

func isInput(file string) bool {
	return file == "input.yaml" || strings.HasSuffix(file, ".input.yaml")
}

func isExpectation(file string) bool {
	return file == fileErrors || file == fileSubset || isOutput(file)
}

func isOutput(file string) bool {
	for _, o := range archiveOutputs {
		if o.file == file {
			return true
		}
	}
	return false
}

// file returns a file of the archive, or nil.
func (a *Archive) file(name string) *archived {
	for i := range a.files {
		if a.files[i].Name == name {
			return &a.files[i]
		}
	}
	return nil
}

// has reports whether a file of the archive is of a sort.
func (a *Archive) has(sort func(file string) bool) bool {
	return slices.ContainsFunc(a.files, func(f archived) bool { return sort(f.Name) })
}

// rules returns the files of rules: those that flags name, and then the others
// of the archive.
func (a *Archive) rules() []rulebook.File {
	files := a.env.Rules.Files()
	for _, f := range a.files {
		named := slices.ContainsFunc(files, func(r rulebook.File) bool { return r.Name == f.Name })
		if !named && (isRules(f.Name) || isLegacyRules(f.Name)) {
			files = append(files, rulebook.File{Name: f.Name, Legacy: isLegacyRules(f.Name)})
		}
	}
	return files
}

// replace returns the data with other contents of some files and the rest as it
// is. Files that are new come last, in order.
func (a *Archive) replace(files []txtar.File) ([]byte, error) {
	contents := make(map[string][]byte)
	for _, f := range files {
		contents[f.Name] = f.Data
	}
	var out []byte
	at := 0
	for _, f := range a.files {
		if data, ok := contents[f.Name]; ok && !bytes.Equal(data, f.Data) {
			out = append(append(out, a.data[at:f.start]...), data...)
			at = f.end
		}
	}
	out = append(out, a.data[at:]...)
	for _, f := range files {
		if a.file(f.Name) == nil {
			if len(out) > 0 && out[len(out)-1] != '\n' {
				out = append(out, '\n')
			}
			out = append(fmt.Appendf(out, "-- %s --\n", f.Name), f.Data...)
		}
	}
	for _, f := range files {
		if !holds(out, f) {
			return nil, fmt.Errorf("%s: what is to be written into %s looks like the beginning of another file", a.name, f.Name)
		}
	}
	return out, nil
}

// holds reports whether an archive has a file as it is.
func holds(data []byte, f txtar.File) bool {
	return slices.ContainsFunc(txtar.Parse(data).Files, func(g txtar.File) bool {
		return g.Name == f.Name && bytes.Equal(g.Data, f.Data)
	})
}
