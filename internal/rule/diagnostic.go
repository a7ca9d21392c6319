package rule

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Position is a place in a file. Lines and columns start at 1; a zero line
// stands for the whole file.
type Position struct {
	File         string
	Line, Column int
}

// String returns file:line:column, as far as it is known.
func (p Position) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	default:
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
}

// Diagnostic is one thing that is wrong with a rule file, or looks wrong.
type Diagnostic struct {
	Position
	// Warning is set when the rules work all the same.
	Warning bool
	// Where names the metric or resource, such as `metric "status"`. It may be
	// empty.
	Where string
	// Message says what is wrong and what to do.
	Message string
}

// Error returns position, place and message in one line.
func (d Diagnostic) Error() string {
	var b strings.Builder
	b.WriteString(d.String())
	b.WriteString(": ")
	if d.Warning {
		b.WriteString("warning: ")
	}
	if d.Where != "" {
		b.WriteString(d.Where)
		b.WriteString(": ")
	}
	b.WriteString(d.Message)
	return b.String()
}

// Diagnostics are all findings about some files, in the order of their
// positions.
type Diagnostics []Diagnostic

// Err returns the errors among the findings as one error with a line each, or
// nil when there are only warnings.
func (ds Diagnostics) Err() error {
	errs := slices.DeleteFunc(slices.Clone(ds), func(d Diagnostic) bool { return d.Warning })
	if len(errs) == 0 {
		return nil
	}
	return errs
}

// sort brings findings about one file in order.
func (ds Diagnostics) sort() {
	slices.SortStableFunc(ds, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// Error returns one line for each finding.
func (ds Diagnostics) Error() string {
	lines := make([]string, len(ds))
	for i, d := range ds {
		lines[i] = d.Error()
	}
	return strings.Join(lines, "\n")
}

// Reporter gathers findings about one file.
type Reporter struct {
	file  string
	where string
	list  *Diagnostics
}

// In returns a Reporter that names where in its findings.
func (r Reporter) In(format string, args ...any) Reporter {
	r.where = fmt.Sprintf(format, args...)
	return r
}

// Errorf reports an error at a node.
func (r Reporter) Errorf(n *yaml.Node, format string, args ...any) {
	r.add(n, false, fmt.Sprintf(format, args...))
}

// Warnf reports a warning at a node.
func (r Reporter) Warnf(n *yaml.Node, format string, args ...any) {
	r.add(n, true, fmt.Sprintf(format, args...))
}

func (r Reporter) add(n *yaml.Node, warning bool, message string) {
	d := Diagnostic{Position: Position{File: r.file}, Warning: warning, Where: r.where, Message: message}
	if n != nil {
		d.Line, d.Column = n.Line, n.Column
	}
	*r.list = append(*r.list, d)
}

// suggest returns `, did you mean "x"?` for the candidate nearest to name, or
// nothing when none is near.
func suggest(name string, candidates []string) string {
	best, bestDistance := "", 1+len(name)/3
	for _, c := range candidates {
		if strings.EqualFold(c, name) {
			best = c
			break
		}
		if d := distance(name, c); d <= bestDistance && (best == "" || d < bestDistance) {
			best, bestDistance = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", best)
}

// distance is the Levenshtein distance of two short strings.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
