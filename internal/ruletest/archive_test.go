package ruletest

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/kubevitals/kubevitals/internal/rulebook"
)

// testEnv knows one flag, --rules, and evaluates nothing.
func testEnv() Env {
	rules := &rulebook.Config{}
	return Env{Rules: rules, Parse: func(words []string) error {
		for len(words) > 1 && words[0] == "--rules" {
			rules.Paths = append(rules.Paths, words[1])
			words = words[2:]
		}
		if len(words) > 0 {
			return errors.New("unknown flag " + words[0])
		}
		return nil
	}}
}

// FuzzArchive reads any bytes as a test of rules. Nothing panics, lines and
// places are right, and replacing files by themselves changes nothing.
//
//	go test ./internal/ruletest -run '^$' -fuzz '^FuzzArchive$' -fuzztime 15s
func FuzzArchive(f *testing.F) {
	f.Add([]byte("words\nflags: --catalog gateway-api --now 2026-01-01T00:00:00Z\n-- input.yaml --\nx: 1\n-- output.prom --\n"), "a 1\n")
	f.Add([]byte("-- a --\r\n-- input.yaml --\n-- input.yaml --\n-- x"), "-- b --\n")
	f.Add([]byte("flags: --rules a -- b\n-- expect.prom --\n! a{b=\"c\",} 1\n# TYPE\na"), "")
	f.Add([]byte("-- errors.txt --"), "")
	f.Fuzz(func(t *testing.T, data []byte, contents string) {
		a, _ := Read("x.txtar", data, testEnv())
		for _, file := range a.files {
			marker := strings.Split(string(data), "\n")[file.line-1]
			if !strings.HasPrefix(marker, "-- ") || !strings.Contains(marker, file.Name) {
				t.Errorf("line %d is %q, not the marker of %q", file.line, marker, file.Name)
			}
			if got := data[file.start:file.end]; !bytes.Equal(got, file.Data) && !bytes.Equal(append(bytes.Clone(got), '\n'), file.Data) {
				t.Errorf("file %q is %q in the data, and %q", file.Name, got, file.Data)
			}
			_, _ = parsePatterns(string(file.Data))
		}
		for _, o := range []string{"output.prom", fileErrors} {
			contents := joinLines(splitLines(contents))
			before := a.file(o)
			out, err := a.replace([]txtar.File{{Name: o, Data: []byte(contents)}})
			if err != nil {
				continue // the contents look like another file
			}
			parsed := txtar.Parse(out)
			if n := len(a.files); before == nil && len(parsed.Files) != n+1 || before != nil && len(parsed.Files) != n {
				t.Errorf("%d files became %d:\n%s", n, len(parsed.Files), out)
			}
			if before != nil && contents == string(data[before.start:before.end]) && !bytes.Equal(out, data) {
				t.Errorf("the same contents changed the data:\n%q\n%q", data, out)
			}
		}
	})
}
