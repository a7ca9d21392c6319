package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// linter gathers what there is to say about rules.
type linter struct {
	files    []lintFile
	set      *rule.Set // of the files without errors; nil if there is none
	findings []finding
	metrics  int
	series   []kindSeries
}

// lintFile is a file that could be read.
type lintFile struct {
	ruleFile
}

// load compiles the rules that flags name, as a server would, but with all opt-in
// groups. Files with errors are left out of the set.
func (l *linter) load(flags ruleFlags) error {
	if _, err := flags.options(); err != nil {
		return err
	}
	loader := &ruleLoader{}
	named := flags.list()
	err := flags.gather(loader, named, func(name string) ([]byte, error) {
		data, err := readRules("", name)
		if err == nil {
			i := slices.IndexFunc(named, func(f ruleFile) bool { return f.name == name })
			file := named[i]
			file.data = data
			l.files = append(l.files, lintFile{ruleFile: file})
		}
		return data, err
	})
	if err != nil {
		return err
	}
	for _, s := range loader.sources {
		for _, d := range s.Documents {
			flags.enable = append(flags.enable, d.Groups()...)
		}
	}
	slices.Sort(flags.enable)
	flags.enable = slices.Compact(flags.enable)
	l.compile(flags, loader)
	return nil
}

// compile compiles what was gathered, and again without the files that have
// errors for as long as there are any.
func (l *linter) compile(flags ruleFlags, loader *ruleLoader) {
	for {
		set, err := flags.compileAll(loader)
		l.take(loader)
		if err == nil {
			l.set = set
			return
		}
		broken := make(map[string]bool)
		for _, d := range loader.findings {
			broken[d.File] = broken[d.File] || !d.Warning
		}
		good := slices.DeleteFunc(slices.Clone(loader.sources), func(s rule.Source) bool { return broken[s.File] })
		if len(good) == 0 || len(good) == len(loader.sources) && len(loader.errs) == 0 {
			return
		}
		loader = &ruleLoader{sources: good}
	}
}

// take adds what a loader has found.
func (l *linter) take(loader *ruleLoader) {
	for _, err := range loader.errs {
		l.findings = append(l.findings, finding{Severity: severityError, Message: err.Error()})
	}
	for _, d := range loader.findings {
		f := finding{at: d.Position, Severity: severityError, Where: d.Where, Message: d.Message}
		if d.Warning {
			f.Severity = severityWarning
		}
		l.findings = append(l.findings, f)
	}
}

// The severities of findings. A note never makes the check fail.
const (
	severityError   = "error"
	severityWarning = "warning"
	severityNote    = "note"
)

// finding is one thing to say.
type finding struct {
	at       rule.Position
	Severity string
	Where    string // such as `metric "status"`; may be empty
	Message  string
}

// String returns the finding as the other commands show it.
func (f finding) String() string {
	var parts []string
	if f.at.File != "" {
		parts = append(parts, f.at.String())
	}
	if f.Severity != severityError {
		parts = append(parts, f.Severity)
	}
	if f.Where != "" {
		parts = append(parts, f.Where)
	}
	return strings.Join(append(parts, f.Message), ": ")
}

// warn adds a warning about a metric.
func (l *linter) warn(at rule.Position, name, format string, args ...any) {
	l.say(severityWarning, at, name, format, args...)
}

// note adds a note about a metric.
func (l *linter) note(at rule.Position, name, format string, args ...any) {
	l.say(severityNote, at, name, format, args...)
}

func (l *linter) say(severity string, at rule.Position, name, format string, args ...any) {
	f := finding{at: at, Severity: severity, Message: fmt.Sprintf(format, args...)}
	if name != "" {
		f.Where = fmt.Sprintf("metric %q", name)
	}
	l.findings = append(l.findings, f)
}

// finish brings the findings in order, each once: what an alias stands for, and
// what metrics have in common, is found at each use of it.
func (l *linter) finish() {
	slices.SortStableFunc(l.findings, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.at.File, b.at.File), cmp.Compare(a.at.Line, b.at.Line), cmp.Compare(a.at.Column, b.at.Column),
			cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Message, b.Message), cmp.Compare(a.Where, b.Where))
	})
	var out []finding
	for _, f := range l.findings {
		if n := len(out); n > 0 && f.at == out[n-1].at && f.Severity == out[n-1].Severity && f.Message == out[n-1].Message {
			if f.Where != out[n-1].Where {
				out[n-1].Where = ""
			}
			continue
		}
		out = append(out, f)
	}
	l.findings = out
}

func (l *linter) count(severity string) int {
	n := 0
	for _, f := range l.findings {
		if f.Severity == severity {
			n++
		}
	}
	return n
}

// counts returns the counts of everything in one line.
func (l *linter) counts() string {
	out := plural(l.count(severityError), "error") + ", " + plural(l.count(severityWarning), "warning")
	if n := l.count(severityNote); n > 0 {
		out += ", " + plural(n, "note")
	}
	return out + "; " + plural(l.metrics, "metric") + " checked"
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
