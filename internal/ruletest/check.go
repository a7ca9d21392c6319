package ruletest

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/tools/txtar"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/rulebook"
)

// outcome is what an archive gives.
type outcome struct {
	Result
	lines  []string // all that went wrong, as and in the order that eval prints it
	failed []string // what of that is no warning
}

// run evaluates the objects of an archive by its rules.
func (a *Archive) run() (outcome, error) {
	var out outcome
	set := a.load(&out)
	if set == nil {
		return out, nil
	}
	objects, unread := a.objects()
	result, err := a.env.Evaluate(set, objects)
	if err != nil {
		return out, err
	}
	out.Result = result
	out.add(true, out.Problems...)
	out.add(false, out.Notes...)
	out.add(true, unread...)
	return out, nil
}

// add notes lines; failed says that they are no warnings.
func (o *outcome) add(failed bool, lines ...string) {
	o.lines = append(o.lines, lines...)
	if failed {
		o.failed = append(o.failed, lines...)
	}
}

// load compiles the rules. It returns nil if that fails.
func (a *Archive) load(out *outcome) *rule.Set {
	var warnings bytes.Buffer
	set, err := a.env.Rules.Compile(a.rules(), a.readRules, &warnings)
	out.add(false, splitLines(warnings.String())...)
	if err != nil {
		out.add(true, splitLines(err.Error())...)
		return nil
	}
	return set
}

// readRules reads a file of the archive or else, by a name that is relative to
// the archive, a file of its own.
func (a *Archive) readRules(name string) ([]byte, error) {
	if f := a.file(name); f != nil {
		return f.Data, nil
	}
	return rulebook.Read(filepath.Dir(a.name), name)
}

// objects reads the objects, and returns a line for each that cannot be read.
func (a *Archive) objects() (objects []map[string]any, unread []string) {
	for _, f := range a.files {
		if !isInput(f.Name) {
			continue
		}
		found, err := a.env.Objects(bytes.NewReader(f.Data))
		objects = append(objects, found...)
		if err == nil {
			continue
		}
		for _, line := range splitLines(err.Error()) {
			if rest, ok := strings.CutPrefix(line, "stdin: "); ok {
				line = f.Name + ": " + rest
			}
			unread = append(unread, line)
		}
	}
	return objects, unread
}

// want returns the files with what is expected, as they would have to be. Of an
// archive that expects nothing, that is an output.
func (a *Archive) want(out outcome) ([]txtar.File, error) {
	var files []txtar.File
	for _, o := range archiveOutputs {
		if a.file(o.file) != nil || o.file == "output.prom" && !a.has(isExpectation) {
			text, err := printed(o.format, out.Result)
			if err != nil {
				return nil, err
			}
			files = append(files, txtar.File{Name: o.file, Data: []byte(text)})
		}
	}
	if a.file(fileErrors) != nil {
		files = append(files, txtar.File{Name: fileErrors, Data: []byte(joinLines(out.lines))})
	}
	return files, nil
}

// printed returns families as eval prints them; the last line ends.
func printed(format string, r Result) (string, error) {
	var b strings.Builder
	if r.Print == nil {
		return "", nil
	}
	if err := r.Print(&b, format); err != nil {
		return "", err
	}
	return joinLines(splitLines(b.String())), nil
}

func joinLines(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

var errNothingExpected = errors.New("the file does not say what is expected: run kubevitals test --update to add output.prom")

// Check returns what to show of an archive that does not give what it expects,
// "" if it does.
func (a *Archive) Check() (string, error) {
	out, err := a.run()
	switch {
	case err != nil:
		return "", err
	case !a.has(isExpectation) && len(out.failed) == 0:
		return "", fmt.Errorf("%s: %w", a.name, errNothingExpected)
	case !a.has(isExpectation):
		return a.unexpected(out), nil
	}
	files, err := a.want(out)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(a.unexpected(out))
	for _, f := range files {
		b.WriteString(a.differences(f))
	}
	subset, err := a.checkSubset(out)
	b.WriteString(subset)
	return b.String(), err
}

// unexpected returns what went wrong although no errors are expected.
func (a *Archive) unexpected(out outcome) string {
	if a.file(fileErrors) != nil || len(out.failed) == 0 {
		return ""
	}
	return fmt.Sprintf("%s: unexpected, as there is no errors.txt (if it is as it should be, add the line \"-- errors.txt --\" and run --update):\n+%s\n", a.name, strings.Join(out.failed, "\n+"))
}

// differences compares a file of the archive with what it should be.
func (a *Archive) differences(got txtar.File) string {
	want := a.file(got.Name)
	var b strings.Builder
	for _, hunk := range hunks(diffLines(splitLines(string(want.Data)), splitLines(string(got.Data)))) {
		fmt.Fprintf(&b, "%s:%d: %s (-want +got):\n", a.name, want.line+1+hunk[0].line, got.Name)
		for _, c := range hunk {
			fmt.Fprintf(&b, "%c%s\n", c.op, c.text)
		}
	}
	return b.String()
}

// checkSubset compares the patterns of the archive with the exposition.
func (a *Archive) checkSubset(out outcome) (string, error) {
	f := a.file(fileSubset)
	if f == nil {
		return "", nil
	}
	patterns, err := parsePatterns(string(f.Data))
	var at lineError
	if errors.As(err, &at) {
		return "", fmt.Errorf("%s:%d: %w", a.name, f.line+at.line, err)
	}
	text, err := printed("prometheus", out.Result)
	if err != nil {
		return "", err
	}
	lines, err := parseExposition(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, p := range patterns {
		if shown := p.check(lines); shown != "" {
			fmt.Fprintf(&b, "%s:%d: %s (-want +got):\n%s", a.name, f.line+p.line, f.Name, shown)
		}
	}
	return b.String(), nil
}

// Update returns the file of the archive with its expectations rewritten: whole outputs and
// errors, if it has them. Without any expectation it gets an output, unless the
// rules cannot be used.
func (a *Archive) Update() ([]byte, error) {
	out, err := a.run()
	if err != nil {
		return nil, err
	}
	if len(out.failed) > 0 && a.file(fileErrors) == nil {
		return a.data, nil // the check says what is wrong
	}
	files, err := a.want(out)
	if err != nil {
		return nil, err
	}
	return a.replace(files)
}
