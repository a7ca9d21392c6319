package ruletest

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

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
