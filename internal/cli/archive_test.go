package cli

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// FuzzArchive reads any bytes as a test of rules. Nothing panics, lines and
// places are right, and replacing files by themselves changes nothing.
//
//	go test ./internal/cli -run '^$' -fuzz '^FuzzArchive$' -fuzztime 15s
func FuzzArchive(f *testing.F) {
	f.Add([]byte("words\nflags: --catalog gateway-api --now 2026-01-01T00:00:00Z\n-- input.yaml --\nx: 1\n-- output.prom --\n"), "a 1\n")
	f.Add([]byte("-- a --\r\n-- input.yaml --\n-- input.yaml --\n-- x"), "-- b --\n")
	f.Add([]byte("flags: --rules a -- b\n-- expect.prom --\n! a{b=\"c\",} 1\n# TYPE\na"), "")
	f.Add([]byte("-- errors.txt --"), "")
	f.Fuzz(func(t *testing.T, data []byte, contents string) {
		a, _ := readArchive("x.txtar", data, evalFlags{now: testNow})
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

// TestDiffLines checks that the changes make one text of the other.
func TestDiffLines(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	text := func() []string {
		lines := make([]string, random.IntN(12))
		for i := range lines {
			lines[i] = string(rune('a' + random.IntN(4)))
		}
		return lines
	}
	for range 5000 {
		checkDiff(t, text(), text())
	}
	var long, other []string
	for range 2 * maxChanges {
		long = append(long, "a")
		other = append(other, "b")
	}
	checkDiff(t, append(long, "end"), append(other, "end"))
}

func checkDiff(t *testing.T, want, got []string) {
	t.Helper()
	var left, right []string
	changes := diffLines(want, got)
	for _, c := range changes {
		if c.op != '+' {
			if c.line != len(left) {
				t.Fatalf("line %d of %v is said to be %d", len(left), want, c.line)
			}
			left = append(left, c.text)
		}
		if c.op != '-' {
			right = append(right, c.text)
		}
	}
	if !cmp.Equal(want, left) && len(want)+len(left) > 0 || !cmp.Equal(got, right) && len(got)+len(right) > 0 {
		t.Fatalf("%v and %v have the changes %v", want, got, changes)
	}
}

// TestHunks checks that changes near each other are shown as one.
func TestHunks(t *testing.T) {
	f := func(want string, texts ...string) {
		t.Helper()
		var blocks []string
		for _, h := range hunks(diffLines(strings.Split(texts[0], ""), strings.Split(texts[1], ""))) {
			var b strings.Builder
			for _, c := range h {
				b.WriteByte(c.op)
				b.WriteString(c.text)
			}
			blocks = append(blocks, b.String())
		}
		if got := strings.Join(blocks, "|"); got != want {
			t.Errorf("%s and %s give %s, want %s", texts[0], texts[1], got, want)
		}
	}
	f("", "abc", "abc")
	f("-a b c d", "abcdef", "bcdef")
	f(" d e f+X g h i", "abcdefghi", "abcdefXghi")
	f("-a b c d e f g-h i", "abcdefghi", "bcdefgi")
	f("-a b c d| f g h-i j", "abcdefghij", "bcdefghj")
}
