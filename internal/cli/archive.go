package cli

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/tools/txtar"
)

// archive is a test of rules in one file: a txtar archive of rules, objects and
// what is expected of them. Its comment may have lines of flags.
type archive struct {
	name  string // as the user named it
	data  []byte
	files []archived
	flags evalFlags
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

// readArchive reads an archive. flags are used where its own say nothing. An
// error has a line, with its place, for each thing that is wrong.
func readArchive(name string, data []byte, flags evalFlags) (*archive, error) {
	a := &archive{name: name, data: data, flags: flags}
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
func (a *archive) locate(parsed *txtar.Archive) {
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
func (a *archive) parseFlags(comment []byte) error {
	set := pflag.NewFlagSet("flags", pflag.ContinueOnError)
	set.Usage = func() {}
	a.flags.rules.define(set)
	a.flags.defineNow(set, "")
	for n, line := range splitLines(string(comment)) {
		text, ok := strings.CutPrefix(line, "flags:")
		if !ok {
			continue
		}
		err := set.Parse(strings.Fields(text))
		switch {
		case errors.Is(err, pflag.ErrHelp):
			err = errors.New("there is no help here: kubevitals eval --help lists the flags")
		case err == nil && set.NArg() > 0:
			err = fmt.Errorf("%q is no flag: the objects are files of the archive", set.Arg(0))
		}
		if err != nil {
			return fmt.Errorf("%s:%d: flags: %w", a.name, n+1, err)
		}
	}
	return nil
}

// knows reports whether a file of the archive has a meaning.
func (a *archive) knows(file string) bool {
	return isRules(file) || isLegacyRules(file) || isInput(file) || isExpectation(file) ||
		slices.ContainsFunc(a.flags.rules.list(), func(f ruleFile) bool { return f.name == file })
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
func (a *archive) file(name string) *archived {
	for i := range a.files {
		if a.files[i].Name == name {
			return &a.files[i]
		}
	}
	return nil
}

// has reports whether a file of the archive is of a sort.
func (a *archive) has(sort func(file string) bool) bool {
	return slices.ContainsFunc(a.files, func(f archived) bool { return sort(f.Name) })
}

// rules returns the files of rules: those that flags name, and then the others
// of the archive.
func (a *archive) rules() []ruleFile {
	files := a.flags.rules.list()
	for _, f := range a.files {
		named := slices.ContainsFunc(files, func(r ruleFile) bool { return r.name == f.Name })
		if !named && (isRules(f.Name) || isLegacyRules(f.Name)) {
			files = append(files, ruleFile{name: f.Name, legacy: isLegacyRules(f.Name)})
		}
	}
	return files
}

// replace returns the data with other contents of some files and the rest as it
// is. Files that are new come last, in order.
func (a *archive) replace(files []txtar.File) ([]byte, error) {
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
