package lint

import (
	"fmt"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/rulebook"
	"github.com/kubevitals/kubevitals/internal/schema"
)

// Kind is a kind in one version that is served, with what its schema says.
type Kind struct {
	rule.Served
	Schema *schema.Schema
}

// Options say what is checked besides what always is.
type Options struct {
	// Kinds are all the kinds that have schemas.
	Kinds []Kind
	// Fields says that the fields that rules read are looked up in Kinds.
	Fields bool
	// Series says that the series of an object are counted.
	Series bool
}

// Check checks rules. Those with errors are not in the set of the survey; of them
// the report has the errors, and what can be seen in their text.
func Check(rules *rulebook.Survey, opts Options) *Report {
	l := &linter{Report: &Report{}}
	l.take(rules)
	l.checkText(rules.Files)
	if rules.Set != nil {
		readings := rules.Set.Readings()
		l.checkMetrics(readings)
		if opts.Fields {
			l.checkFields(readings, opts.Kinds)
		}
		l.metrics = len(readings)
		if opts.Series {
			l.series = estimate(readings, opts.Kinds)
		}
	}
	l.finish()
	return l.Report
}

// linter gathers what there is to say about rules.
type linter struct{ *Report }

// take adds what was found when the rules were compiled.
func (l *linter) take(rules *rulebook.Survey) {
	for _, err := range rules.Errs {
		l.findings = append(l.findings, finding{severity: severityError, message: err.Error()})
	}
	for _, d := range rules.Findings {
		f := finding{at: d.Position, severity: severityError, where: d.Where, message: d.Message}
		if d.Warning {
			f.severity = severityWarning
		}
		l.findings = append(l.findings, f)
	}
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
	f := finding{at: at, severity: severity, message: fmt.Sprintf(format, args...)}
	if name != "" {
		f.where = fmt.Sprintf("metric %q", name)
	}
	l.findings = append(l.findings, f)
}
