package explain

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// spell reads a selector and returns it as its parts spell it.
func spell(text string) (string, error) {
	s, err := ParseSelector(text)
	if err != nil {
		return "", err
	}
	parts := make([]string, len(s.matchers))
	for i, m := range s.matchers {
		parts[i] = m.label + m.op + strconv.Quote(m.value)
	}
	return s.name + "{" + strings.Join(parts, ",") + "}", nil
}

// FuzzSelector reads any text as a selector. What is read, written down again,
// is read as the same.
//
//	go test ./internal/explain -run '^$' -fuzz '^FuzzSelector$' -fuzztime 15s
func FuzzSelector(f *testing.F) {
	for _, s := range []string{
		`a`, `a{}`, `a{b="c"}`, ` a { b = 'c' , d!~"e|f", }`, "a{b=`\\`}", `{__name__=~"x.*"}`, `a{b="\"\n\x41é"}`, `a{b="`, `a{b=~"("}`, `{}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, err := spell(text)
		if err != nil || !utf8.ValidString(text) {
			return
		}
		again, err := spell(first)
		if err != nil && first != "{}" {
			t.Errorf("%q is read as %s, which is not read: %v", text, first, err)
		} else if again != first {
			t.Errorf("%q is read as %s, and that as %s", text, first, again)
		}
	})
}
