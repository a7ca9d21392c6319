package glob_test

import (
	"testing"

	"github.com/kubevitals/kubevitals/internal/pods/glob"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"", "", true}, {"", "a", false}, {"a", "a", true}, {"a", "ab", false}, {"*", "", true}, {"*", "a_b", true}, {"**", "x", true},
		{"a*", "a", true}, {"a*", "abc", true}, {"a*", "ba", false}, {"*a", "ba", true}, {"*a", "ab", false}, {"*a*", "bab", true}, {"*a*", "b", false},
		{"a*a", "a", false}, {"a*a", "aa", true}, {"a*b*c", "a_b_b_c", true}, {"a*b*c", "a_c_b", false}, {"a*bc*c", "abc", false}, {"a*bc*c", "abcc", true},
		{"a.b*", "axb", false}, {"[a]", "a", false}, {"é*", "éa", true},
	} {
		if got := glob.Match(c.pattern, c.name); got != c.want {
			t.Errorf("%q matches %q: %v", c.pattern, c.name, got)
		}
	}
	if !glob.MatchAny([]string{"x", "a*"}, "ab") || glob.MatchAny(nil, "ab") {
		t.Error("MatchAny")
	}
}
