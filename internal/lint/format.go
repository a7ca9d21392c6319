package lint

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteText writes a line for each finding, and a table for each kind whose series
// were counted.
func (r *Report) WriteText(w io.Writer) error {
	for _, f := range r.findings {
		if _, err := fmt.Fprintln(w, f); err != nil {
			return err
		}
	}
	return writeSeries(w, r.series)
}

// writeSeries writes a table for each kind.
func writeSeries(w io.Writer, kinds []kindSeries) error {
	for _, k := range kinds {
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintf(t, "%s\nmetric\tfamily\tper object\n", k.Kind)
		for _, m := range k.Metrics {
			_, _ = fmt.Fprintf(t, "%s\t%s\t%s\n", m.Metric, m.Family, m.PerObject)
		}
		_, _ = fmt.Fprintf(t, "total\t\t%s\n\n", k.Total)
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// WriteJSON writes one object with everything.
func (r *Report) WriteJSON(w io.Writer) error {
	type jsonFinding struct {
		File     string `json:"file,omitempty"`
		Line     int    `json:"line,omitempty"`
		Column   int    `json:"column,omitempty"`
		Severity string `json:"severity"`
		Where    string `json:"where,omitempty"`
		Message  string `json:"message"`
	}
	findings := make([]jsonFinding, len(r.findings))
	for i, f := range r.findings {
		findings[i] = jsonFinding{f.at.File, f.at.Line, f.at.Column, f.severity, f.where, f.message}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(map[string]any{
		"findings": findings, "errors": r.Errors(), "warnings": r.Warnings(),
		"notes": r.count(severityNote), "metrics": r.metrics, "series": append([]kindSeries{}, r.series...),
	})
}

// githubCommands are what GitHub Actions calls the severities.
var githubCommands = map[string]string{severityError: "error", severityWarning: "warning", severityNote: "notice"}

// GitHub Actions reads these characters as its own.
var (
	githubText     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	githubProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// WriteGitHub writes annotations of GitHub Actions.
func (r *Report) WriteGitHub(w io.Writer) error {
	for _, f := range r.findings {
		var properties []string
		if f.at.File != "" {
			properties = append(properties, "file="+githubProperty.Replace(f.at.File))
		}
		if f.at.Line > 0 {
			properties = append(properties, fmt.Sprintf("line=%d", f.at.Line))
		}
		if f.at.Column > 0 {
			properties = append(properties, fmt.Sprintf("col=%d", f.at.Column))
		}
		command := strings.TrimSuffix(githubCommands[f.severity]+" "+strings.Join(properties, ","), " ")
		message := f.message
		if f.where != "" {
			message = f.where + ": " + message
		}
		if _, err := fmt.Fprintf(w, "::%s::%s\n", command, githubText.Replace(message)); err != nil {
			return err
		}
	}
	return nil
}
