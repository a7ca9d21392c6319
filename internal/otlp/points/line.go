package points

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// lines builds the points of a run of lines of a family of numbers. The labels of
// all points are parts of one string.
func (b *Builder) lines(f exposition.Format, d metric.Desc, run []byte) error {
	if !utf8.Valid(run) {
		run = bytes.ToValidUTF8(run, []byte("\uFFFD"))
	}
	for rest := string(run); rest != ""; {
		var text string
		text, rest, _ = strings.Cut(rest, "\n")
		if text == "" || text[0] == '#' {
			continue
		}
		var err error
		if labels, value, ok := b.simple(d.Name, text); ok {
			err = b.number(value, labels)
		} else {
			err = b.other(f, d, text)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// other builds the point of a line that is not simple.
func (b *Builder) other(f exposition.Format, d metric.Desc, text string) error {
	samples, err := exposition.ParseSamples(f, d, []byte(text))
	if err != nil {
		b.spoilt(fmt.Errorf("family %s: %w", d.Name, err))
	}
	for i := range samples {
		if err := b.sample(&samples[i]); err != nil {
			return err
		}
	}
	return nil
}

// number builds the point of b.labels, which are a simple line's.
func (b *Builder) number(value float64, labels string) error {
	p := numbers(b.metric(b.labels)).AppendEmpty()
	p.SetTimestamp(b.now)
	p.SetStartTimestamp(b.start)
	p.SetDoubleValue(value)
	return b.added(b.attributes(p.Attributes()), labels, "")
}

// simple reads a line as nearly all are: a name and labels of the usual
// characters, sorted and without escapes, and a number behind them. The labels are
// in b.labels, and as they stand in the line in text. Any other line, valid or
// not, is not ok.
func (b *Builder) simple(name, line string) (text string, value float64, ok bool) {
	b.labels = b.labels[:0]
	rest, ok := strings.CutPrefix(line, name)
	if !ok || name == "" || rest == "" {
		return "", 0, false
	}
	if rest[0] == '{' {
		end := b.simpleLabels(rest[1:])
		if end < 0 {
			return "", 0, false
		}
		text, rest = rest[1:end+1], rest[end+2:]
	}
	if rest == "" || rest[0] != ' ' {
		return "", 0, false
	}
	value, ok = simpleNumber(rest[1:])
	return text, value, ok
}

// simpleLabels reads labels up to the closing brace and returns where it is, or
// -1 if they are not simple.
func (b *Builder) simpleLabels(s string) int {
	last := ""
	for at := 0; ; {
		start := at
		for at < len(s) && isNameByte[s[at]] {
			at++
		}
		name := s[start:at]
		if name <= last || name[0] <= '9' || strings.HasPrefix(name, "__") || len(s)-at < 3 || s[at] != '=' || s[at+1] != '"' {
			return -1
		}
		at += 2
		start = at
		for at < len(s) && s[at] != '"' && s[at] != '\\' {
			at++
		}
		if at == start || at+1 >= len(s) || s[at] != '"' {
			return -1
		}
		b.labels = append(b.labels, metric.Label{Name: name, Value: s[start:at]})
		last = name
		switch at++; s[at] {
		case '}':
			return at
		case ',':
			at++
		default:
			return -1
		}
	}
}

// isNameByte are the bytes of legacy label names.
var isNameByte = func() (is [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") {
		is[c] = true
	}
	return is
}()

func simpleNumber(s string) (float64, bool) {
	switch s {
	case "0":
		return 0, true
	case "1":
		return 1, true
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil
}
