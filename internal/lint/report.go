package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// Report is all that there is to say about rules.
type Report struct {
	findings []finding // in order, each once
	metrics  int       // that were checked
	series   []kindSeries
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
	severity string
	where    string // such as `metric "status"`; may be empty
	message  string
}

// String returns the finding as the other commands show it.
func (f finding) String() string {
	var parts []string
	if f.at.File != "" {
		parts = append(parts, f.at.String())
	}
	if f.severity != severityError {
		parts = append(parts, f.severity)
	}
	if f.where != "" {
		parts = append(parts, f.where)
	}
	return strings.Join(append(parts, f.message), ": ")
}

// finish brings the findings in order, each once: what an alias stands for, and
// what metrics have in common, is found at each use of it.
func (r *Report) finish() {
	slices.SortStableFunc(r.findings, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.at.File, b.at.File), cmp.Compare(a.at.Line, b.at.Line), cmp.Compare(a.at.Column, b.at.Column),
			cmp.Compare(a.severity, b.severity), cmp.Compare(a.message, b.message), cmp.Compare(a.where, b.where))
	})
	var out []finding
	for _, f := range r.findings {
		if n := len(out); n > 0 && f.at == out[n-1].at && f.severity == out[n-1].severity && f.message == out[n-1].message {
			if f.where != out[n-1].where {
				out[n-1].where = ""
			}
			continue
		}
		out = append(out, f)
	}
	r.findings = out
}

// Errors is how many errors there are.
func (r *Report) Errors() int { return r.count(severityError) }

// Warnings is how many warnings there are.
func (r *Report) Warnings() int { return r.count(severityWarning) }

func (r *Report) count(severity string) int {
	n := 0
	for _, f := range r.findings {
		if f.severity == severity {
			n++
		}
	}
	return n
}

// Counts returns the counts of everything in one line.
func (r *Report) Counts() string {
	out := plural(r.Errors(), "error") + ", " + plural(r.Warnings(), "warning")
	if n := r.count(severityNote); n > 0 {
		out += ", " + plural(n, "note")
	}
	return out + "; " + plural(r.metrics, "metric") + " checked"
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
