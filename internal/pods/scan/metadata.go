package scan

import (
	"bytes"
	"unicode/utf8"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// comment reads a comment of the text format, which may be metadata, or an empty
// line.
func (x *Exposition) comment(line []byte) error {
	if len(line) < 2 || line[1] != ' ' && line[1] != '\t' {
		return nil
	}
	i := blanks(line, 1, len(line))
	word := token(line, i, len(line))
	kind := string(line[i:word])
	if kind != "HELP" && kind != "TYPE" || word == len(line) {
		return nil
	}
	name, at, err := metadataName(line, blanks(line, word, len(line)))
	if err != nil {
		return err
	}
	if at < len(line) && line[at] != ' ' && line[at] != '\t' {
		return syntax("a metric name that is not valid")
	}
	text := line[at:]
	if len(text) > 0 {
		text = text[1:]
	}
	if kind == "HELP" {
		x.setHelp(name, text)
		return nil
	}
	t, ok := parseType(text)
	if !ok {
		return syntax("a TYPE that the text format does not have")
	}
	x.setType(name, t)
	return nil
}

// parseType reads a type of the text format.
func parseType(text []byte) (metric.Type, bool) {
	switch string(text) {
	case "counter":
		return metric.Counter, true
	case "gauge":
		return metric.Gauge, true
	case "histogram":
		return metric.Histogram, true
	case "summary":
		return metric.Summary, true
	case "untyped":
		return metric.Unknown, true
	default:
		return metric.Unknown, false
	}
}

// metadata reads a line of OpenMetrics that starts with #. The next line starts
// at next.
func (x *Exposition) metadata(line []byte, next int) error {
	if bytes.Equal(line, endMark) {
		if next < len(x.Body) {
			x.at = next
			return syntax("something behind # EOF")
		}
		x.ended = true
		return nil
	}
	const prefix = len("# HELP ")
	if len(line) < prefix || line[1] != ' ' || line[prefix-1] != ' ' {
		return syntax("a comment that is not metadata")
	}
	kind := string(line[2 : prefix-1])
	if kind != "HELP" && kind != "TYPE" && kind != "UNIT" {
		return syntax("a comment that is not metadata")
	}
	key, at, err := metadataName(line, prefix)
	if err != nil {
		return err
	}
	if at == len(line) || line[at] != ' ' {
		return syntax("no space behind a metric name")
	}
	text := line[at+1:]
	switch kind {
	case "HELP":
		x.setHelp(key, text)
	case "UNIT":
		return x.setUnit(key, text)
	default:
		t, ok := metric.ParseType(string(text))
		if !ok || string(text) == "untyped" {
			return syntax("a TYPE that OpenMetrics does not have")
		}
		x.setType(key, t)
	}
	return nil
}

// metadataName reads the name in a line of metadata.
func metadataName(line []byte, i int) (name []byte, next int, err error) {
	switch {
	case i < len(line) && line[i] == '"':
		return quotedName(line, i)
	case i == len(line) || class[line[i]]&nameStart == 0:
		return nil, 0, syntax("a metric name that is not valid")
	default:
		next = run(line, i+1, nameByte)
		return line[i:next:next], next, nil
	}
}

// setHelp is what a HELP line does. One that is not UTF-8 is left out.
func (x *Exposition) setHelp(key, text []byte) {
	n := x.described(key)
	if utf8.Valid(text) {
		x.Families[n].Help = text
	}
}

// setUnit is what a UNIT line does.
func (x *Exposition) setUnit(key, text []byte) error {
	n := x.described(key)
	if len(text) > 0 && (len(key) <= len(text) || key[len(key)-len(text)-1] != '_' || !bytes.HasSuffix(key, text)) {
		return syntax("a unit that is not the end of the name")
	}
	x.Families[n].Unit = text
	return nil
}
