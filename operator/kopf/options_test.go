package kopf_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/operator/kopf"
	"github.com/kubevitals/kubevitals/operator/metric"
)

func TestNewRejects(t *testing.T) {
	f := func(o kopf.Options, want ...string) {
		t.Helper()
		if o.URL == "" {
			o.URL = endpoint
		}
		s, err := kopf.New(o)
		wantErr(t, err, append(want, "kopf: ")...)
		if s != nil {
			t.Error("there is a source beside the error")
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error has the password: %v", err)
		}
	}
	f(kopf.Options{URL: "localhost:8080/healthz"}, "URL must be like http://host:port/path", `the scheme is "localhost"`)
	f(kopf.Options{URL: "/healthz"}, `the scheme is ""`)
	f(kopf.Options{URL: "http:///healthz"}, "there is no host")
	f(kopf.Options{URL: "http://:8080/healthz"}, "there is no host")
	f(kopf.Options{URL: "http://user:secret@[::/"}, "missing ']'")
	f(kopf.Options{URL: "http://user:secret@host:port/"}, "URL")
	f(kopf.Options{URL: "ftp://user:secret@host/"}, `the scheme is "ftp"`)
	f(kopf.Options{Timeout: -time.Second}, "must not be negative")
	f(kopf.Options{MaxBody: -1}, "must not be negative")
	f(kopf.Options{MaxItems: -1}, "must not be negative")
	f(kopf.Options{MaxValues: -1}, "must not be negative")
	f(kopf.Options{Info: []string{"fine", ""}}, `Info: path "": it is empty`)
	f(kopf.Options{Timestamps: []string{"a..b"}}, `Timestamps: path "a..b"`, `the key "" must be written as [""]`)

	rule := func(change func(*kopf.Rule), want ...string) {
		t.Helper()
		r := kopf.Rule{Probe: "q", Path: "$.a[*]", Name: "x"}
		change(&r)
		f(kopf.Options{Rules: []kopf.Rule{{Name: "fine", Path: "$"}, r}}, append(want, "rule 2 ("+r.Name+`): probe "q": `)...)
	}
	rule(func(r *kopf.Rule) { r.Name = "" }, `metric name ""`)
	rule(func(r *kopf.Rule) { r.Name = "kopf_probe_up" }, "begin with kopf_probe_ belong to the source")
	rule(func(r *kopf.Rule) { r.Unit = "seconds" }, "does not end in its unit")
	rule(func(r *kopf.Rule) { r.Type = metric.Histogram }, "cannot give a histogram", "$metrics")
	rule(func(r *kopf.Rule) { r.Type = metric.GaugeHistogram }, "cannot give a gaugehistogram")
	rule(func(r *kopf.Rule) { r.Type = metric.Summary }, "cannot give a summary")
	rule(func(r *kopf.Rule) { r.Type = 99 }, "99 is no type")
	rule(func(r *kopf.Rule) { r.Name, r.Type = "fine", metric.Gauge }, "its type is gauge, but rule 1 (fine)", "says unknown")
	for path, want := range map[string]string{
		"":                `path "": it must begin with $`,
		".a":              "it must begin with $",
		"$a":              `at "a": a dot or a bracket must come here`,
		"$.a[0]b":         `at "b": a dot or a bracket`,
		"$.":              `the key "" must be written as [""]`,
		"$.a.":            `the key ""`,
		"$.a*":            `the key "a*" must be written as ["a*"]`,
		"$.a]":            `the key "a]"`,
		"$.a\n":           `the key "a\n"`,
		"$[":              `at "[": brackets must hold`,
		"$[]":             `at "[]": brackets must hold`,
		"$[-1]":           `at "[-1]": brackets must hold`,
		"$[+1]":           "brackets must hold",
		"$['a']":          "a key in double quotes, a number or a star",
		"$[`a`]":          "brackets must hold",
		`$["a`:            "brackets must hold",
		`$["a"`:           "brackets must hold",
		`$["a"x]`:         "brackets must hold",
		"$[9e9]":          "brackets must hold",
		"$[1":             "brackets must hold",
		"$[1] .a":         "a dot or a bracket",
		"$[123456789012]": "brackets must hold",
	} {
		rule(func(r *kopf.Rule) { r.Path = path }, want, "path ")
	}
	label := func(name, value string, want ...string) {
		t.Helper()
		rule(func(r *kopf.Rule) { r.Labels = map[string]string{name: value} }, append(want, `"`+name+`"`)...)
	}
	label("__a", "b", "starts with two underscores")
	label("", "b", "label name")
	label("a", "\xff", "not valid UTF-8")
	label("a", "$x", `value "$x"`, "after $ comes a path, the number of a star, or a second $")
	label("a", "$0", "the path of the rule has 1 stars")
	label("a", "$2", "the path of the rule has 1 stars")
	label("a", "$.x[", "brackets must hold")
	label("a", "$.*.*", "it has more stars than the path of the rule, which has 1")
}

// TestNewReportsEverything at once.
func TestNewReportsEverything(t *testing.T) {
	_, err := kopf.New(kopf.Options{Timeout: -1, Info: []string{""}, Timestamps: []string{"["}, Rules: []kopf.Rule{{}, {Name: "x"}}})
	wantErr(t, err, "kopf: Timeout", "kopf: URL", "kopf: Info", "kopf: Timestamps", "kopf: rule 1", "kopf: rule 2")
	if n := strings.Count(err.Error(), "\n"); n != 5 {
		t.Errorf("%d lines, want 6: %v", n+1, err)
	}
}
