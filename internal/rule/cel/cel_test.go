package cel

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fixture is the object the tests read, with integers as int64 as the decoders
// of Kubernetes give them.
const fixture = `{
  "metadata": {"name": "web-0", "labels": {"app.kubernetes.io/name": "web"}, "generation": 7, "nothing": null},
  "spec": {"replicas": 3, "ratio": 1.5, "paused": false, "memory": "1536Mi", "image": "registry.example/team/web:1.2.3",
    "start": "2024-05-06T07:08:09Z", "timeout": "90s"},
  "status": {"conditions": [
    {"type": "Ready", "status": "True", "since": "2024-05-06T07:08:09Z"},
    {"type": "Degraded", "status": "False"}],
    "mixed": [{"x": 1}, {"y": 2}, null], "replicas": {"b": 2, "a": 1}}
}`

var names = []string{"object", "gone", "gvk"}

func decode(t testing.TB, text string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return numbers(v)
}

// numbers replaces the numbers of a decoder by int64 where they are integers.
func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = numbers(v[k])
		}
	}
	return v
}

func vars(t testing.TB) []any {
	return []any{decode(t, fixture), nil, map[string]any{"kind": "Web", "group": "example"}}
}

func newEnv(t testing.TB, opts Options) *Env {
	t.Helper()
	e, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func compile(t testing.TB, e *Env, source string) *Expression {
	t.Helper()
	x, err := e.Compile(source, names)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	return x
}

func TestEval(t *testing.T) {
	tests := []struct {
		source string
		want   any
	}{
		{`'text'`, "text"},
		{`object.metadata.name`, "web-0"},
		{`object.metadata.generation`, int64(7)},
		{`object.spec.ratio`, 1.5},
		{`object.spec.paused`, false},
		{`object.status.replicas`, map[string]any{"a": int64(1), "b": int64(2)}},
		{`object.metadata.labels["app.kubernetes.io/name"]`, "web"},
		{`object.status.conditions[0].type`, "Ready"},
		{`gvk.kind + '/' + object.metadata.name`, "Web/web-0"},
		{`object.spec.replicas > 2.5`, true},
		{`object.spec.ratio < 2`, true},
		{`double(object.spec.replicas) * 0.5`, 1.5},
		{`object.spec.replicas + 1`, int64(4)},
		{`3u`, int64(3)},
		{`18446744073709551615u`, 18446744073709551615.0},
		{`timestamp(object.spec.start)`, time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)},
		{`duration(object.spec.timeout)`, 90 * time.Second},
		{`timestamp(object.spec.start).getFullYear()`, int64(2024)},
		{`object.status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')`, true},
		{`object.status.conditions.filter(c, c.status == 'False').map(c, c.type)`, []any{"Degraded"}},
		{`object.status.conditions.map(c, c)[1].status`, "False"},
		{`size(object.status.conditions)`, int64(2)},
		{`object.status.replicas.map(k, k).size()`, int64(2)},
		{`object.status.replicas.transformMap(k, v, v * 10)`, map[string]any{"a": int64(10), "b": int64(20)}},
		{`object.status.conditions.transformList(i, c, i)`, []any{int64(0), int64(1)}},
		{`{'a': [1, 2.5, null, true], 'b': {'c': 'd'}}`, map[string]any{"a": []any{int64(1), 2.5, nil, true}, "b": map[string]any{"c": "d"}}},
		{`{1: 'a', true: 'b', 2u: 'c'}`, map[string]any{"1": "a", "true": "b", "2": "c"}},
		{`[[1], [2]].map(l, l + [3])`, []any{[]any{int64(1), int64(3)}, []any{int64(2), int64(3)}}},
		{`[1, 2] + [3]`, []any{int64(1), int64(2), int64(3)}},
		{`cel.bind(s, object.spec, s.image.split(':')[1])`, "1.2.3"},
		{`object.spec.image.split('/')`, []any{"registry.example", "team", "web:1.2.3"}},
		{`object.spec.image.lastIndexOf(':')`, int64(25)},
		{`['a', 'b'].join('-')`, "a-b"},
		{`'%s is %d'.format([object.metadata.name, object.spec.replicas])`, "web-0 is 3"},
		{`object.metadata.name.replace('web', 'api')`, "api-0"},
		{`object.metadata.name.upperAscii()`, "WEB-0"},
		{`base64.encode(bytes('hi'))`, "aGk="},
		{`string(base64.decode('aGk='))`, "hi"},
		{`math.greatest(1, 3, 2)`, int64(3)},
		{`sets.contains([1, 2, 3], [2])`, true},
		{`[1, 2, 3].sum()`, int64(6)},
		{`object.status.conditions.map(c, c.type).indexOf('Degraded')`, int64(1)},
		{`'Degraded' in object.status.conditions.map(c, c.type)`, true},
		{`'a' in object.status.replicas`, true},
		{`object.metadata.name in ['web-0', 'web-1']`, true},
		{`object.status.replicas == {'a': 1, 'b': 2.0}`, true},
		{`[1, 2] != [1, 2]`, false},
		{`object.metadata.name.matches('^web-[0-9]+$')`, true},
		{`object.spec.image.find('[0-9.]+$')`, "1.2.3"},
		{`'a1b2'.findAll('[0-9]')`, []any{"1", "2"}},
		{`'a1b2'.findAll('[0-9]', 1)`, []any{"1"}},
		{`quantity(object.spec.memory)`, 1536.0 * 1024 * 1024},
		{`quantity('500m')`, 0.5},
		{`quantity('1Gi').isGreaterThan(quantity('1G'))`, true},
		{`url('https://example.com:80/path').getHost()`, "example.com:80"},
		{`url('https://example.com/path')`, "https://example.com/path"},
		{`ip('192.168.0.1')`, "192.168.0.1"},
		{`cidr('10.0.0.0/8')`, "10.0.0.0/8"},
		{`cidr('10.0.0.0/8').containsIP('10.1.2.3')`, true},
		{`semver('1.2.3')`, "1.2.3"},
		{`semver('1.2.3').isLessThan(semver('1.10.0'))`, true},
		{`format.dns1123Label().validate('Not Valid').hasValue()`, true},
		{`type(1)`, "int"},
		{`optional.none()`, nil},
		{`optional.of('x')`, "x"},
		{`object.?spec.?replicas`, int64(3)},
		{`object.?spec.?nope`, nil},
		{`null`, nil},
	}
	e := newEnv(t, Options{})
	values := vars(t)
	for _, test := range tests {
		got, err := compile(t, e, test.source).Eval(t.Context(), values)
		if err != nil {
			t.Errorf("%s: %v", test.source, err)
			continue
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", test.source, diff)
		}
	}
	if diff := cmp.Diff(vars(t), values); diff != "" {
		t.Errorf("evaluating changed the variables: -want +got\n%s", diff)
	}
}

// TestEvalShares checks that what a variable holds comes back as it is.
func TestEvalShares(t *testing.T) {
	e := newEnv(t, Options{})
	values := vars(t)
	status := values[0].(map[string]any)["status"].(map[string]any)
	for _, source := range []string{`object.status`, `[object.status][0]`, `object.status.conditions.size() > 0 ? object.status : null`, `object.?status`} {
		got, err := compile(t, e, source).Eval(t.Context(), values)
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		status["marker"] = source
		if m, ok := got.(map[string]any); !ok || m["marker"] != source {
			t.Errorf("%s: the map was copied", source)
		}
	}
}

func TestEvalErrors(t *testing.T) {
	tests := []struct{ source, want string }{
		{`1 / (object.spec.replicas - 3)`, "division by zero"},
		{`1 % (object.spec.replicas - 3)`, "modulus by zero"},
		{`object.spec.replicas + 0.5`, "no such overload: int + double"},
		{`object.metadata.name < 3`, "no such overload: string < int"},
		{`object.metadata.name && true`, "no such overload: string && bool"},
		{`!object.metadata.name`, "no such overload: !string"},
		{`-object.metadata.name`, "no such overload: -string"},
		{`object.metadata.name ? 1 : 2`, "no such overload: string ? ... : ..."},
		{`size(object.spec.replicas)`, "no such overload: size(int)"},
		{`object.spec.replicas.matches('a')`, "no such overload: matches(int)"},
		{`object.spec.replicas.replace('a', 'b')`, "no such overload: replace(int, string, string)"},
		{`'a' in object.spec.replicas`, "no such overload: string in int"},
		{`object.spec.replicas.exists(x, x == 1)`, "got 'types.Int', expected iterable type"},
		{`bytes('x')`, "the result is bytes: convert it with string() or base64.encode()"},
		{`{1.5: 2}`, "map key of type double"},
		{`int(object.metadata.name)`, "type conversion error from 'string' to 'int'"},
		{`timestamp(object.metadata.name)`, "invalid RFC 3339 timestamp"},
		{`9223372036854775807 + object.spec.replicas`, "integer overflow"},
		{`quantity(object.metadata.name)`, "quantit"},
		{`object.metadata.name.substring(99)`, "index out of range: 99"},
	}
	e := newEnv(t, Options{})
	values := vars(t)
	for _, test := range tests {
		got, err := compile(t, e, test.source).Eval(t.Context(), values)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, error %v, want an error with %q", test.source, got, err, test.want)
		}
	}
}

func TestEvalVariableCount(t *testing.T) {
	x := compile(t, newEnv(t, Options{}), `object.a`)
	if _, err := x.Eval(t.Context(), []any{nil}); err == nil {
		t.Error("too few variables were taken")
	}
}

func TestCompileErrors(t *testing.T) {
	tests := []struct {
		source string
		offset int
		want   string
	}{
		{`object.`, 7, "Syntax error"},
		{`objekt.a`, 0, "undeclared reference to 'objekt'"},
		{`object.a == nope`, 12, "undeclared reference to 'nope'"},
		{"'ä' +\n  nope", 9, "undeclared reference to 'nope'"},
		{`a1 + b1`, 0, "undeclared reference to 'a1'; undeclared reference to 'b1'"},
		{`1 + 'a'`, 2, "found no matching overload for '_+_'"},
		{`object.a.matches('(')`, 17, "missing closing )"},
		{`object.a.matches(object.b)`, 16, "write it as a string literal"},
		{`object.a.matches('((a{30}){30}b{300}){1}(c{900})(d{900})')`, 17, "instructions"},
		{`now() > 1`, 3, "undeclared reference to 'now'"},
		{`duration('never')`, 8, "type conversion error"},
		{strings.Repeat(" ", maxSource) + "1", maxSource, "more than 4096"},
		{strings.Repeat("(", 1000) + "1" + strings.Repeat(")", 1000), 0, "recursion limit"},
	}
	e := newEnv(t, Options{})
	for _, test := range tests {
		_, err := e.Compile(test.source, names)
		var got *Error
		if !errors.As(err, &got) {
			t.Errorf("%s: got %v, want an *Error", oneLine(test.source), err)
			continue
		}
		if got.Offset != test.offset || !strings.Contains(got.Message, test.want) || strings.ContainsAny(got.Message, "\n^|") {
			t.Errorf("%s: got %d %q, want %d and %q", oneLine(test.source), got.Offset, got.Message, test.offset, test.want)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	e := newEnv(t, Options{})
	values := vars(t)
	shared := compile(t, e, `object.status.conditions.exists(c, c.type == 'Ready' && c.nope == 1)`)
	done := make(chan error)
	for range 8 {
		go func() {
			for range 50 {
				x, err := e.Compile(`object.metadata.name < 3 || object.spec.nope > 1`, names)
				if err == nil {
					_, _ = x.Eval(context.Background(), values)
					_, err = shared.Eval(context.Background(), values)
				}
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
