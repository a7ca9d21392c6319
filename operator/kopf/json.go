package kopf

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// maxDepth is how many lists and objects may be inside each other.
const maxDepth = 64

// number is a JSON number as it was written, or NaN, Infinity or -Infinity.
type number string

// float returns the nearest float64, which for what is too large is an infinity.
func (n number) float() float64 {
	f, _ := strconv.ParseFloat(string(n), 64) // the decoder has checked the syntax
	return f
}

// Python's json module writes three tokens that JSON does not have. Before the
// standard decoder reads a body, they become spellings of zero, and what was
// spelled so becomes "0". The spaces keep them from growing together with what
// stands beside them.
var (
	toJSON = map[string]string{
		"NaN": " 0e1 ", "Infinity": " 0e2 ", "-Infinity": " 0e3 ", "0e1": "0", "0e2": "0", "0e3": "0",
	}
	fromJSON = map[json.Number]number{"0e1": "NaN", "0e2": "Infinity", "0e3": "-Infinity"}
)

// word matches tokens, numbers, and strings, so that what they contain is no
// token. A string need not end, as otherwise finding that it does not could take
// the square of the length of the body.
var word = regexp.MustCompile(`(?s)"(?:[^"\\]|\\.)*"?|-?Infinity|NaN|[-+.0-9eE]+`)

// decode reads what Python's json module writes: JSON, and beyond it the bare
// tokens NaN, Infinity and -Infinity. It gives nil, bool, number, string, []any
// and map[string]any. As in Python, the last one of equal keys counts. Of text
// that is not Unicode (invalid UTF-8, half a surrogate pair) each piece becomes
// U+FFFD.
// Errors of the syntax say at which byte of the body they are.
func decode(body string) (any, error) {
	d := json.NewDecoder(strings.NewReader(word.ReplaceAllStringFunc(body, replace)))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	if err == nil {
		end := int(d.InputOffset())
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("something follows after the end, %s", place(body, end))
		}
		return restore(v, 0)
	}
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return nil, fmt.Errorf("%w, %s", err, place(body, int(syntax.Offset)))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("%w after %d bytes", err, len(body))
	case errors.Is(err, io.EOF):
		return nil, errors.New("it is empty")
	default:
		return nil, err
	}
}

// replace returns what the standard decoder reads instead of a word.
func replace(s string) string {
	if replacement, ok := toJSON[s]; ok {
		return replacement
	}
	return s
}

// place says where in a body is what the decoder has found when it had read so
// many bytes of what it was given.
func place(body string, offset int) string {
	longer := 0 // by replacements before
	for end := 0; ; {
		w := word.FindStringIndex(body[end:])
		if w == nil || end+w[0]+longer >= offset {
			break
		}
		text := body[end+w[0] : end+w[1]]
		longer += len(replace(text)) - len(text)
		end += w[1]
	}
	at := max(0, min(offset-longer, len(body)))
	near := body[max(0, at-20):]
	return fmt.Sprintf("at byte %d, near %q", at, near[:min(40, len(near))])
}

// restore turns the numbers of the standard decoder into ours, in place. v is
// inside so many lists and objects.
func restore(v any, depth int) (_ any, err error) {
	switch v := v.(type) {
	case json.Number:
		if token, ok := fromJSON[v]; ok {
			return token, nil
		}
		return number(v), nil
	case map[string]any:
		if depth++; depth > maxDepth {
			return nil, errTooDeep
		}
		for key, x := range v {
			if v[key], err = restore(x, depth); err != nil {
				return nil, err
			}
		}
	case []any:
		if depth++; depth > maxDepth {
			return nil, errTooDeep
		}
		for i, x := range v {
			if v[i], err = restore(x, depth); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

var errTooDeep = fmt.Errorf("more than %d lists and objects are inside each other", maxDepth)
