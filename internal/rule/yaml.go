package rule

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// NewReporter returns a Reporter of a file that adds to a list.
func NewReporter(file string, list *Diagnostics) Reporter {
	return Reporter{file: file, list: list}
}

// Documents calls a function with each document of a file that is not empty. It
// returns false if the file is not YAML: it was then read as far as that goes.
func (r Reporter) Documents(data []byte, fn func(*yaml.Node)) bool {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var root yaml.Node
		err := decoder.Decode(&root)
		if errors.Is(err, io.EOF) {
			return true
		}
		if err != nil {
			*r.list = append(*r.list, yamlDiagnostic(r.file, err))
			return false
		}
		n := resolve(root.Content[0])
		switch {
		case isNull(n):
		case size(n, maxNodes) > maxNodes:
			r.Errorf(n, "the document has more than %d values", maxNodes)
		default:
			fn(n)
		}
	}
}

// yamlDiagnostic takes the line out of an error of the YAML library.
func yamlDiagnostic(file string, err error) Diagnostic {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if strings.Contains(message, "cannot start any token") || strings.Contains(message, "found a tab character") {
		message += " (YAML is indented with blanks, not with tabs, and a text that begins with one of @ ` % needs quotes)"
	}
	d := Diagnostic{Position: Position{File: file}, Message: "not valid YAML: " + message}
	var line int
	if _, scanErr := fmt.Sscanf(message, "line %d:", &line); scanErr == nil {
		d.Line = line
		_, rest, _ := strings.Cut(message, ": ")
		d.Message = "not valid YAML: " + rest
	}
	return d
}
