package cel

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// FuzzCompileEval compiles any source and evaluates it over any object: nothing
// may panic or run on, and every result is of the kinds promised.
func FuzzCompileEval(f *testing.F) {
	for _, source := range absent {
		f.Add(source, fixture)
	}
	for _, source := range hostile {
		f.Add(source, `{"items": [{"value": 1}, {"value": 2}], "text": "aaaa"}`)
	}
	f.Add(`object.a.b[0]["c"].?d.orValue(1) in [1, 2.0, 'x'] ? b'x' : {1: [object]}`, `{"a": {"b": [{"c": 1e300}]}}`)
	f.Add(`'%s %d %.3f %x %e %b %o'.format(object)`, `["a", 1, 2.5, 255, 1.0, 3, 8]`)
	limited, plain := newEnv(f, Options{CostLimit: 10000}), newEnv(f, Options{})
	f.Fuzz(func(t *testing.T, source, text string) {
		var object any
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if d.Decode(&object) != nil {
			return
		}
		values := []any{numbers(object), nil, map[string]any{"kind": "Web"}}
		for _, e := range []*Env{plain, limited} {
			x, err := e.Compile(source, names)
			if err != nil {
				if bad, ok := err.(*Error); !ok || bad.Message == "" || bad.Offset < 0 || bad.Offset > len(source) {
					t.Errorf("%q: the error %#v has no place in the source", source, err)
				}
				return
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			got, err := x.Eval(ctx, values)
			cancel()
			if err != nil {
				if got != nil || strings.ContainsAny(err.Error(), "\n\r") || strings.Contains(err.Error(), "internal error") {
					t.Errorf("%q over %q: got %v, error %v", source, text, got, err)
				}
				continue
			}
			checkKinds(t, got)
		}
	})
}

func checkKinds(t *testing.T, v any) {
	switch v := v.(type) {
	case nil, string, int64, float64, bool, time.Time, time.Duration:
	case []any:
		for _, element := range v {
			checkKinds(t, element)
		}
	case map[string]any:
		for _, element := range v {
			checkKinds(t, element)
		}
	default:
		t.Errorf("the result has a value of type %T", v)
	}
}
