package crs_test

import (
	"strconv"
	"testing"
)

// TestNumber converts values by a gauge. An empty want stands for the problem
// that a text is none.
func TestNumber(t *testing.T) {
	for _, r := range []struct{ name, value, want string }{
		{"null", `null`, ``},
		{"true", `true`, `1`},
		{"false", `false`, `0`},

		{"text true", `"true"`, `1`},
		{"text True", `"True"`, `1`},
		{"text TRUE", `"TRUE"`, `1`},
		{"text yes", `"yes"`, `1`},
		{"text yES", `"yES"`, `1`},
		{"text false", `"false"`, `0`},
		{"text False", `"False"`, `0`},
		{"text no", `"no"`, `0`},
		{"text No", `"No"`, `0`},
		{"text unknown", `"unknown"`, `0`},
		{"text Unknown", `"Unknown"`, `0`},
		{"text on", `"on"`, `error`},
		{"text off", `"off"`, `error`},
		{"text Ready", `"Ready"`, `error`},
		{"text with a long s", `"falſe"`, `error`}, // which is an s but for its case

		{"time", `"2024-01-01T00:00:00Z"`, `1.7040672e+09`},
		{"time without its fraction", `"2024-01-01T00:00:00.999Z"`, `1.7040672e+09`},
		{"time with an offset", `"2024-01-01T02:00:00+02:00"`, `1.7040672e+09`},
		{"time before 1970", `"1969-12-31T23:59:59.5Z"`, `-1`},
		{"date", `"2024-01-01"`, `error`},
		{"time with a space", `"2024-01-01 00:00:00Z"`, `error`},

		{"milli", `250m`, `0.25`},
		{"minutes are milli", `5m`, `0.005`},
		{"ninety minutes are milli", `90m`, `0.09`},
		{"binary", `5Gi`, `5.36870912e+09`},
		{"nano", `1n`, `1e-09`},
		{"decimal", `2M`, `2e+06`},
		{"exponent", `"1e3"`, `1000`},
		{"exponent with zeros", `"1e0003"`, `1000`},
		{"huge exponent", `"1e9999"`, `+Inf`},
		{"zero with a huge exponent", `"0e9999"`, `NaN`},
		{"tiny exponent", `"-1e-9999"`, `-1e-09`},
		{"no digit before the point", `".5"`, `0.5`},
		{"plus", `"+1"`, `1`},
		{"below one nano", `"1e-12"`, `1e-09`},
		{"unit alone", `m`, `0`},
		{"binary unit alone", `Ki`, `0`},
		{"sign alone", `"+"`, `0`},
		{"no unit", `1KiB`, `error`},

		{"percent", `28%`, `0.28`},
		{"many percent", `250%`, `2.5`},
		{"fraction of a percent", `28.5%`, `error`},
		{"negative percent", `"-5%"`, `error`},
		{"percent alone", `"%"`, `error`},

		{"inf", `inf`, `+Inf`},
		{"negative inf", `"-Inf"`, `-Inf`},
		{"infinity", `Infinity`, `+Inf`},
		{"not a number", `"NaN"`, `NaN`},
		{"underscore", `"1_000"`, `1000`},
		{"hexadecimal float", `"0x1p4"`, `16`},
		{"empty", `""`, `error`},
		{"hours", `1h`, `error`},
		{"seconds", `10s`, `error`},
		{"many hours", `2160h`, `error`},
		{"hexadecimal", `"0x10"`, `error`},

		// Objects have no other types of numbers: they come from JSON.
		{"integer", `-7`, `-7`},
		{"largest integer", `9223372036854775807`, `9.223372036854776e+18`},
		{"float", `2.5`, `2.5`},
		{"large float", `1704067200.5`, `1.7040672005e+09`},
	} {
		t.Run(r.name, func(t *testing.T) {
			want := ""
			switch text, _ := strconv.Unquote(r.value); {
			case r.want == "error" && r.value[0] != '"':
				want = notNumber(strconv.Quote(r.value))
			case r.want == "error":
				want = notNumber(strconv.Quote(text))
			case r.want != "":
				want = "m " + r.want
			}
			check(t, `each: {type: Gauge, gauge: {path: [v]}}`, `v: `+r.value, want)
		})
	}
}

func TestNumberOfNil(t *testing.T) {
	rows(t, of("Gauge", "gauge", []row{
		{"null and nilIsZero", `path: [v], nilIsZero: true`, `v: null`, `m 0`},
		{"text and nilIsZero", `path: [v], nilIsZero: true`, `v: Ready`, notNumber(`"Ready"`)},
		{"empty text and nilIsZero", `path: [v], nilIsZero: true`, `v: ""`, notNumber(`""`)},
		{"list in a list", `path: [l]`, `l: [[1]]`, `! m value: element 0: a list is not a number`},
		{"map in a list", `path: [l]`, `l: [{}]`, `! m value: element 0: a map is not a number`},
	}))
}
