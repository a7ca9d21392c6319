package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

var lintFormats = map[string]func(io.Writer, *linter) error{
	"text":   writeLintText,
	"json":   writeLintJSON,
	"github": writeLintGitHub,
}

func writeLintText(w io.Writer, l *linter) error {
	for _, f := range l.findings {
		if _, err := fmt.Fprintln(w, f); err != nil {
			return err
		}
	}
	return writeSeries(w, l.series)
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

// writeLintJSON writes one object with everything.
func writeLintJSON(w io.Writer, l *linter) error {
	type jsonFinding struct {
		File     string `json:"file,omitempty"`
		Line     int    `json:"line,omitempty"`
		Column   int    `json:"column,omitempty"`
		Severity string `json:"severity"`
		Where    string `json:"where,omitempty"`
		Message  string `json:"message"`
	}
	findings := make([]jsonFinding, len(l.findings))
	for i, f := range l.findings {
		findings[i] = jsonFinding{f.at.File, f.at.Line, f.at.Column, f.Severity, f.Where, f.Message}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(map[string]any{
		"findings": findings, "errors": l.count(severityError), "warnings": l.count(severityWarning),
		"notes": l.count(severityNote), "metrics": l.metrics, "series": append([]kindSeries{}, l.series...),
	})
}

// githubCommands are what GitHub Actions calls the severities.
var githubCommands = map[string]string{severityError: "error", severityWarning: "warning", severityNote: "notice"}

// GitHub Actions reads these characters as its own.
var (
	githubText     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	githubProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func writeLintGitHub(w io.Writer, l *linter) error {
	for _, f := range l.findings {
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
		command := strings.TrimSuffix(githubCommands[f.Severity]+" "+strings.Join(properties, ","), " ")
		message := f.Message
		if f.Where != "" {
			message = f.Where + ": " + message
		}
		if _, err := fmt.Fprintf(w, "::%s::%s\n", command, githubText.Replace(message)); err != nil {
			return err
		}
	}
	return nil
}
