package rule_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

// checkNumber compares a number as it is written in an exposition, or an error.
func checkNumber(t *testing.T, in any, want string) {
	t.Helper()
	n, err := rule.ToNumber(in)
	got := string(exposition.AppendValue(nil, n))
	if err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("ToNumber(%#v): got %s, want %s", in, got, want)
	}
}

func TestToNumber(t *testing.T) {
	f := func(in any, want string) {
		t.Helper()
		checkNumber(t, in, want)
	}
	f(true, "1")
	f(false, "0")
	f(int64(-7), "-7")
	f(int64(math.MaxInt64), "9.223372036854776e+18")
	f(7, "7")
	f(2.5, "2.5")
	f(math.Inf(-1), "-Inf")
	f(math.NaN(), "NaN")

	f(nil, "nothing is not a number")
	f([]any{int64(1)}, "a list is not a number")
	f(map[string]any{}, "a map is not a number")
	f(json.Number("1"), "a number is not a number")
	f("Ready", `"Ready" is not a number, a boolean, a time or a quantity`)
}

func TestTextToNumber(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		checkNumber(t, in, want)
	}
	bad := func(in string) {
		t.Helper()
		if n, err := rule.ToNumber(in); err == nil {
			t.Errorf("ToNumber(%q): got %v, want an error", in, n)
		}
	}

	f("true", "1")
	f("True", "1")
	f("TRUE", "1")
	f("tRuE", "1")
	f("yes", "1")
	f("YES", "1")
	f("false", "0")
	f("False", "0")
	f("no", "0")
	f("No", "0")
	f("unknown", "0")
	f("Unknown", "0")
	f("UNKNOWN", "0")
	bad("yeſ") // an s but for its case
	bad("on")
	bad("off")
	bad("Ready")
	bad("y")

	f("2024-01-01T00:00:00Z", "1.7040672e+09")
	f("2024-01-01T00:00:00.999Z", "1.7040672e+09") // the fraction is dropped
	f("2024-01-01T02:00:00+02:00", "1.7040672e+09")
	f("1970-01-01T00:00:01Z", "1")
	f("1969-12-31T23:59:59Z", "-1")
	bad("2024-01-01")
	bad("2024-13-01T00:00:00Z")
	bad("2024-01-01 00:00:00Z")

	f("250m", "0.25")
	f("5Gi", "5.36870912e+09")
	f("1Ki", "1024")
	f("2M", "2e+06")
	f("1e3", "1000")
	f(".5", "0.5")
	f(".5Gi", "5.36870912e+08")
	f("-5m", "-0.005")
	f("+1", "1")
	f("-1", "-1")
	f("0", "0")
	f("1n", "1e-09")
	f("5m", "0.005") // not five minutes
	f("90m", "0.09")
	bad("1KiB")
	bad(" 1")
	bad("1 ")

	f("1e-9", "1e-09")
	f("1e-12", "1e-09") // a quantity is never below one nano
	f("5E", "5e+18")
	f("5Ei", "5.764607523034235e+18")
	f("1e400", "+Inf")
	f("1e0003", "1000")
	f("-1e9999", "-Inf")
	f("1e-9999", "1e-09")
	f("-1e-9999", "-1e-09")
	f("0e-9999", "0")
	f("0e9999", "NaN")

	// A quantity may lack its number.
	f("m", "0")
	f("M", "0")
	f("Ki", "0")
	f("E", "0")
	f("e5", "0")
	f("+", "0")
	f(".", "0")
	bad("i")
	bad("None")

	f("28%", "0.28")
	f("0%", "0")
	f("250%", "2.5")
	bad("28.5%")
	bad("-5%")
	bad("+5%")
	bad("%")
	bad("5%%")

	f("inf", "+Inf")
	f("-Inf", "-Inf")
	f("Infinity", "+Inf")
	f("NaN", "NaN")
	f("1_000", "1000")
	bad("")
	bad("1h")
	bad("10s")
	bad("2160h")
	bad("0x10")
	bad("one")
}

// TestNumberEnds converts some characters that any user may write into an
// object, and that take resource.ParseQuantity minutes or for ever, in which
// nothing else is evaluated.
func TestNumberEnds(t *testing.T) {
	for _, text := range []string{"1e-99999999", "-1E-99999999", "1e99999999", "1e+2147483647", strings.Repeat("9", 1<<20), "0." + strings.Repeat("0", 1<<20) + "1"} {
		done := make(chan struct{})
		go func() {
			_, _ = rule.ToNumber(text)
			close(done)
		}()
		select {
		case <-done:
		case <-time.After(30 * time.Second):
			t.Fatalf("converting %.20s does not end", text)
		}
	}
}
