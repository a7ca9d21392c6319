package metric_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/operator/metric"
)

var (
	nameRE  = regexp.MustCompile(`\A[a-zA-Z_:][a-zA-Z0-9_:]*\z`)
	labelRE = regexp.MustCompile(`\A[a-zA-Z_][a-zA-Z0-9_]*\z`)
)

// FuzzNames holds the hand-written matchers against the regular expressions
// that their comments name, and the sanitizer against the matchers.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"", "a", "a:b", "__a", "0", "-0", "éa", "a\xff", "a\n", "__", "app.kubernetes.io/name"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := metric.IsName(s), nameRE.MatchString(s); got != want {
			t.Errorf("IsName(%q) = %v, want %v", s, got, want)
		}
		valid := labelRE.MatchString(s) && !strings.HasPrefix(s, "__")
		if got := metric.IsLabelName(s); got != valid {
			t.Errorf("IsLabelName(%q) = %v, want %v", s, got, valid)
		}
		if metric.IsName(s) && !metric.IsUTF8Name(s) || metric.IsLabelName(s) && !metric.IsUTF8LabelName(s) {
			t.Errorf("IsUTF8Name(%q) is false, though it is a legacy name", s)
		}
		once := metric.SanitizeLabelName(s)
		if !labelRE.MatchString(once) || strings.HasPrefix(once, "__") {
			t.Errorf("SanitizeLabelName(%q) = %q, not a label name", s, once)
		}
		if valid && once != s {
			t.Errorf("SanitizeLabelName(%q) = %q, though it was valid", s, once)
		}
		if twice := metric.SanitizeLabelName(once); twice != once {
			t.Errorf("SanitizeLabelName is not idempotent: %q, %q, %q", s, once, twice)
		}
	})
}
