package kopf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/operator/metric"
)

func TestDecode(t *testing.T) {
	f := func(body string, want any) {
		t.Helper()
		got, err := decode(body)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("decode(%s) = %#v, %v, want %#v", body, got, err, want)
		}
	}
	f(`null`, nil)
	f(` true `, true)
	f(`"a"`, "a")
	f(`[]`, []any{})
	f(`{}`, map[string]any{})
	f(`{"a": 1, "a": 2}`, map[string]any{"a": number("2")}) // the last one counts
	f(`{"a": {"b": 1}, "a": {"c": 2}}`, map[string]any{"a": map[string]any{"c": number("2")}})
	f(`[NaN, Infinity,-Infinity]`, []any{number("NaN"), number("Infinity"), number("-Infinity")})
	f(`{"NaN":NaN}`, map[string]any{"NaN": number("NaN")})
	f(`["NaN", "\"NaN", "\\", NaN, "x\\\"Infinity"]`, []any{"NaN", `"NaN`, `\`, number("NaN"), `x\"Infinity`})
	f(`[0e1, 0e2, 0e3, 0E1, 10e1, -0e1, NaN]`, []any{number("0"), number("0"), number("0"), number("0E1"), number("10e1"), number("-0e1"), number("NaN")})
	f(`["0e1", "0e3"]`, []any{"0e1", "0e3"})
	f(`"\u00e9\ud83d\ude00 \ud83d \ude00"`, "é😀 \ufffd \ufffd")
	f("\"a\xff\xfeb\"", "a\ufffd\ufffdb")
	f(strings.Repeat("[", 64)+strings.Repeat("]", 64), nest(64))
}

func nest(depth int) (v any) {
	v = []any{}
	for range depth - 1 {
		v = []any{v}
	}
	return v
}

func TestDecodeRejects(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		v, err := decode(body)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("decode(%.50s) = %v, error %v, want one with %q", body, v, err, want)
		}
	}
	f("", "it is empty")
	f(" \n", "it is empty")
	f("{} x", "something follows")
	f("{}}", "something follows")
	f("1 NaN", "something follows")
	f(strings.Repeat("[", 65)+strings.Repeat("]", 65), "more than 64")
	f(strings.Repeat(`{"a":`, 65)+"1"+strings.Repeat("}", 65), "more than 64")
	f(strings.Repeat("[", 1<<20), "depth")
	f(`{"a": <b>}`, `near "{\"a\": <b>}"`)
	for _, body := range []string{
		"nan", "+Infinity", "-NaN", "1NaN", "NaN1", "NaNNaN", "InfinityNaN", "--Infinity", "1Infinity", ".5", "5.", "01", "+1", "1e", "0x1",
		"[1,]", `{"a":1,}`, `{1:1}`, `{NaN:1}`, `{'a':1}`, `{"a" 1}`, "[1 2]", "\"a\nb\"", `"a`, `"\x"`, `"\u12"`, "tru", "\ufeff{}", "[", "{", `{"a":`,
	} {
		f(body, "")
	}
}

// TestOpenStringIsOneWord: if each token in it were one, with a search for the
// end of the string after each, a body of a megabyte would take an hour.
func TestOpenStringIsOneWord(t *testing.T) {
	body := `"a` + strings.Repeat(`\"NaN 1`, 100)
	if words := word.FindAllString(body, -1); len(words) != 1 || words[0] != body {
		t.Errorf("%d words, want 1", len(words))
	}
}

func TestFloat(t *testing.T) {
	f := func(n number, want float64) {
		t.Helper()
		if got := n.float(); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("%s is %v, want %v", n, got, want)
		}
	}
	f("1.5", 1.5)
	f("NaN", math.NaN())
	f("Infinity", math.Inf(1))
	f("-Infinity", math.Inf(-1))
	f("1e400", math.Inf(1))
	f("-1"+number(strings.Repeat("0", 400)), math.Inf(-1))
	f("1e-400", 0)
}

func TestPathsAreUnambiguous(t *testing.T) {
	f := func(p path, want string) {
		t.Helper()
		got := p.String()
		if got != want {
			t.Errorf("%v is written %s, want %s", p, got, want)
		}
		if back, err := parsePattern(got); err != nil || !reflect.DeepEqual(back, p) {
			t.Errorf("%s is read as %v, %v, want %v", got, back, err, p)
		}
	}
	key := func(keys ...string) (p path) {
		for _, k := range keys {
			p = append(p, step{key: k})
		}
		return p
	}
	f(key("a", "b"), "a.b")
	f(key("a.b"), `["a.b"]`)
	f(key("a", "b.c", "d"), `a["b.c"].d`)
	f(key("a", ""), `a[""]`)
	f(key("a", "0"), "a.0")
	f(path{{key: "a"}, {kind: stepIndex, index: 0}, {key: "b"}}, "a[0].b")
	f(key("a", "[0]"), `a["[0]"]`)
	f(key("a", "*"), `a["*"]`)
	f(path{{kind: stepAny}, {key: "b"}, {kind: stepAny}}, "[*].b[*]")
	f(key(`a"b\`), `["a\"b\\"]`)
	f(key(`a\b`, "$", "main:<locals>/x y"), `a\b.$.main:<locals>/x y`)
	f(key("a\nb", "é"), `["a\nb"].é`)
}

// FuzzDecode holds the decoder against the standard one.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"a":[1,NaN,-Infinity,"NaN\"",null,true,0e1]}`, `"\ud83d\ude00\ud83d"`, "[1NaN]", "\"\xff\"", `{"":{}}`, `"\`, "NaN"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got, err := decode(body)
		d := json.NewDecoder(strings.NewReader(body))
		d.UseNumber()
		var want any
		valid := json.Valid([]byte(body)) && d.Decode(&want) == nil
		switch {
		case valid && err != nil && !strings.Contains(err.Error(), "more than 64"):
			t.Errorf("%q is JSON, but: %v", body, err)
		case valid && err == nil:
			if a, b := standard(got), standard(want); !reflect.DeepEqual(a, b) {
				t.Errorf("%q is %#v, want %#v", body, a, b)
			}
		case !valid && err == nil:
			// With the tokens gone it must be JSON.
			out, err := json.Marshal(standard(got))
			if err != nil || !strings.Contains(body, "NaN") && !strings.Contains(body, "Infinity") {
				t.Errorf("%q is no JSON, but gave %s, %v", body, bytes.TrimSpace(out), err)
			}
		}
	})
}

// standard turns numbers into floats, with texts for those that JSON does not have.
func standard(v any) any {
	switch v := v.(type) {
	case json.Number:
		return number(v).float()
	case number:
		if f := v.float(); !math.IsNaN(f) && !math.IsInf(f, 0) || strings.ContainsAny(string(v), "0123456789") {
			return f
		}
		return string(v)
	case map[string]any:
		for k := range v {
			v[k] = standard(v[k])
		}
	case []any:
		for i := range v {
			v[i] = standard(v[i])
		}
	}
	return v
}

// FuzzFamilies feeds whole bodies through everything behind the request.
func FuzzFamilies(f *testing.F) {
	s, err := New(Options{
		URL: "http://localhost", MaxItems: 5, MaxValues: 50, Info: []string{"*.a", "*.*[0]"}, Timestamps: []string{"*"},
		Rules: []Rule{
			{Probe: "a", Path: "$.*.*", Name: "x", Labels: map[string]string{"a": "$1", "b": "$.*[0]", "c": "$.x"}},
			{Probe: "b", Path: "$", Name: "y_total", Type: 2},
		},
	})
	if err != nil {
		f.Fatal(err)
	}
	for _, body := range []string{
		`{"a":{"$metrics":[{"name":"x","type":"histogram","buckets":{"1":1},"sum":NaN,"count":2}]},"b":-1}`,
		`{"a":{"$metrics":[{"name":"x","type":"summary","quantiles":{"0.5":1,"NaN":2},"sum":1,"count":2,"labels":{"quantile":""}}]}}`,
		`{"a":{"b":{"c":1},"x":"y"},"":[[[["2019-11-07T18:03:52Z"]]]],"\ud800":1,"\ud801":2}`,
		`{"a":{"$metrics":[{"name":"x","timestamp":1e11,"value":Infinity},{"name":"x","type":"info"}]},"b":true}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		v, err := decode(body)
		probes, ok := v.(map[string]any)
		if err != nil || !ok {
			return
		}
		families, err := s.families(probes)
		total := 0
		for i, fam := range families {
			if err := fam.Validate(); err != nil {
				t.Error(err)
			}
			if i > 0 && families[i-1].Name >= fam.Name || len(fam.Samples) == 0 {
				t.Errorf("family %d is %s with %d samples", i, fam.Name, len(fam.Samples))
			}
			seen := make(map[string]bool)
			for _, x := range fam.Samples {
				if err := x.Validate(fam.Type); err != nil {
					t.Errorf("%s: %v", fam.Name, err)
				}
				if key := seriesKey(x.Labels); seen[key] {
					t.Errorf("%s%v is there twice", fam.Name, x.Labels)
				} else {
					seen[key] = true
				}
				if !x.Time.IsZero() && (x.Time.Year() < 1970 || x.Time.Year() > 9999 || x.Time.Nanosecond()%int(time.Millisecond) != 0) {
					t.Errorf("%s has the time %v", fam.Name, x.Time)
				}
			}
			total += len(fam.Samples)
		}
		if total > 50 {
			t.Errorf("%d samples", total)
		}
		if err != nil && len(err.Error()) > (maxProblems+2)*(maxProblemSize+10) {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
		again, err2 := s.families(probes)
		if a, b := show(families, err), show(again, err2); a != b {
			t.Errorf("the same body gave\n%s\nand\n%s", a, b)
		}
	})
}

// show writes families so that NaN equals NaN, and pointers what they point to.
func show(families []metric.Family, err error) string {
	var b strings.Builder
	for _, f := range families {
		fmt.Fprintln(&b, f.Desc)
		for _, s := range f.Samples {
			fmt.Fprintln(&b, s.Labels, s.Value, s.Time)
			if s.Histogram != nil {
				fmt.Fprintln(&b, *s.Histogram)
			}
			if s.Summary != nil {
				fmt.Fprintln(&b, *s.Summary)
			}
		}
	}
	fmt.Fprint(&b, err)
	return b.String()
}
