package cli_test

import (
	"testing"
	"unicode/utf8"

	"github.com/kubevitals/kubevitals/internal/cli"
)

// FuzzSelector reads any text as a selector. What is read, written down again,
// is read as the same.
//
//	go test ./internal/cli -run '^$' -fuzz '^FuzzSelector$' -fuzztime 15s
func FuzzSelector(f *testing.F) {
	for _, s := range []string{
		`a`, `a{}`, `a{b="c"}`, ` a { b = 'c' , d!~"e|f", }`, "a{b=`\\`}", `{__name__=~"x.*"}`, `a{b="\"\n\x41é"}`, `a{b="`, `a{b=~"("}`, `{}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, err := cli.ParseSelector(text)
		if err != nil || !utf8.ValidString(text) {
			return
		}
		again, err := cli.ParseSelector(first)
		if err != nil && first != "{}" {
			t.Errorf("%q is read as %s, which is not read: %v", text, first, err)
		} else if again != first {
			t.Errorf("%q is read as %s, and that as %s", text, first, again)
		}
	})
}
