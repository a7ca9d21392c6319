package kubestatemetrics

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// values makes a configuration that reads a text in every way in which a text
// becomes a number or is compared with one.
func values(t *testing.T, text string) input {
	t.Helper()
	const config = `
spec:
  resources:
  - groupVersionKind: {group: g.io, version: v1, kind: K}
    metrics:
    - {name: value, each: {type: Gauge, gauge: {path: [v]}}}
    - {name: element, each: {type: Gauge, gauge: {path: [l], valueFrom: [v], labelsFromPath: {x: [n]}, nilIsZero: true}}}
    - {name: child, each: {type: Gauge, gauge: {path: [m], labelFromKey: k}}}
    - {name: state, each: {type: StateSet, stateSet: {path: [v], labelName: s, list: [other, TEXT]}}}
    - {name: found, each: {type: Gauge, gauge: {path: [n, "[v=LOOKUP]", i]}}}
`
	quoted, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	lookup := string(quoted[1 : len(quoted)-1])
	object := map[string]any{
		"apiVersion": "g.io/v1", "kind": "K", "v": text,
		"l": []any{map[string]any{"v": text, "n": "a"}, map[string]any{"n": "b"}},
		"m": map[string]any{text: int64(1), "x": text},
		"n": []any{
			map[string]any{"v": int64(0), "i": int64(1)}, map[string]any{"v": true, "i": int64(2)}, map[string]any{"v": "5.0", "i": int64(3)},
			map[string]any{"v": 0.25, "i": int64(4)}, map[string]any{"v": "inf", "i": int64(5)}, map[string]any{"v": text, "i": int64(6)},
		},
	}
	return input{strings.NewReplacer("TEXT", string(quoted), "LOOKUP", lookup).Replace(config), object}
}

// overflows matches numbers that kube-state-metrics computes for minutes, or
// whose exponent it takes for another one. Documented.
var overflows = regexp.MustCompile(`[eE][+-]?0*[1-9][0-9]{4,}`)

func comparable(text string) bool {
	return len(text) <= 64 && utf8.ValidString(text) && !overflows.MatchString(text)
}

// compareValue fails the test for a difference of any kind.
func compareValue(t *testing.T, text string) {
	t.Helper()
	if name, err := compare(values(t, text)); err != nil || name != "" {
		t.Errorf("%q: %s%v", text, name, err)
	}
}

// texts to convert: each way in which a text is a number, and what is close to
// one.
var convertible = []string{
	"true", "True", "TRUE", "tRuE", "yes", "YES", "y", "t", "on", "off", "false", "False", "no", "No", "unknown", "UNKNOWN", "f", "n",
	"yeſ", "falſe", "un\u212Anown", "Ready", " true", "true ",
	"2024-01-01T00:00:00Z", "2024-01-01T00:00:00.999Z", "2024-01-01T02:00:00+02:00", "1969-12-31T23:59:59Z", "2024-01-01T00:00:00,5Z",
	"0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2024-01-01", "2024-13-01T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01t00:00:00z", "2024-01-01 00:00:00Z",
	"2024-01-01T0:00:00Z", "2024-01-01T00:00:00", "2016-12-31T23:59:60Z", "2024-01-01T00:00:00+24:00", "2024-01-01T00:00:00-00:00",
	"0", "-0", "+0", "00", "1", "+1", "-1", "007", "1.", ".5", "-.5", "1.50", "0.1", "1.1.1", "..", ".", "+", "-", "+-1", "--1", "",
	"250m", "5m", "90m", "-5m", "1n", "0.1n", "1u", "5k", "5K", "5Ki", "5Mi", "5Gi", "1.5Gi", "5Ti", "5Pi", "5Ei", "16Ei", "0.5Ki", "1M", "1G", "1T", "1P", "1E", "1e", "1KiB", "1Kb", "1 Ki",
	"m", "k", "K", "Ki", "Mi", "M", "G", "T", "P", "E", "Ei", "e", "n", "u", "i", "mi", "mm", "e3", "E3", "E+3", "e-3", "+m", ".m", "-Ki", "Gi1", "E1E", "None", "Ki-", "G-1", "e+",
	"1e3", "1E3", "1e+3", "1e-3", "1e-9", "1e-12", "1.5e3", "1e308", "1e309", "1e400", "-1e400", "1e-400", "-1e-400", "0e5", "1e0003", "1e00000000000003", "1e-0003", "0e0003", "1e999", "1e1000", "1e9999",
	"-1e9999", "1e-9999", "-1e-9999", "0e9999", "1.e9999", ".5e-9999", "-0e-9999", "0e-9999", "1e+9999", "1e3Ki", "1e3m", "1e3.5", "1e1000e3", "0.0e1000",
	"0.0000000001", "0.0000000011", "123456789.123456789", "9223372036854775807", "9223372036854775808", "-9223372036854775809", "123456789012345678901234567890", "0.1234567890123456789",
	"9999999999999999999999999999999999999999Ki", "8Ei", "9223372036854775807Ki",
	"0%", "28%", "100%", "250%", "0028%", "28.5%", "-5%", "+5%", "%", "5%%", "5% ", "٣%", "99999999999999999999999999%",
	"inf", "Inf", "+Inf", "-inf", "infinity", "Infinity", "-Infinity", "nan", "NaN", "NAN", "+nan",
	"1_000", "1__000", "_1", "1_", "0x10", "0x1p4", "0X1P-2", "0x_1p4", "0b11", "0o17", "1h", "10s", "2160h", "1d", "1,5", "１", "½", "\u00a05", "5\n", "null", "[]", "{}",
}

func TestValues(t *testing.T) {
	for _, text := range convertible {
		if !comparable(text) {
			t.Errorf("%q is not for this test", text)
			continue
		}
		compareValue(t, text)
	}
}

// FuzzValue compares what any text is as a number. To run it:
//
//	go test ./kubestatemetrics -run '^$' -fuzz '^FuzzValue$' -fuzztime 30s -fuzzminimizetime 100x
func FuzzValue(f *testing.F) {
	for _, text := range convertible {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if comparable(text) {
			compareValue(t, text)
		}
	})
}
