package cel

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// largeObject returns variables whose object has a list of n maps, a text of a mebibyte
// and a list of n numbers.
func largeObject(n int) []any {
	items := make([]any, n)
	counts := make([]any, n)
	for i := range items {
		items[i] = map[string]any{"name": fmt.Sprintf("item-%d", i), "value": int64(i)}
		counts[i] = int64(i)
	}
	return []any{map[string]any{
		"items": items, "counts": counts,
		"text": strings.Repeat("a", 1<<20), "dots": strings.Repeat(".", 1<<20), "back": strings.Repeat(`\`, 1000),
	}, nil, nil}
}

// hostile are expressions that would run for minutes or forever.
var hostile = []string{
	`object.items.exists(a, object.items.exists(b, object.items.exists(c, a.value + b.value + c.value < 0)))`,
	`object.items.map(a, object.items.map(b, object.items.map(c, [a, b, c]))).size()`,
	`object.items.filter(a, object.items.all(b, object.items.all(c, a == a && b == b && c == c))).size()`,
	`object.items.all(a, object.items.all(b, object.items.exists(c, c.nope == 1) || true))`,
	`object.items.transformMap(i, a, object.items.transformMap(j, b, object.items.transformMap(k, c, i + j + k)))`,
	`object.items.all(a, object.text.contains('aaaaaaaaaaaaab') || object.items.all(b, object.text.find('b*c') == ''))`,
	`object.items.all(a, object.items.all(b, (object.text + 'a').size() > 0 || true))`,
	`object.items.all(a, object.items.all(b, object.text.upperAscii().size() > 0 || true))`,
}

func TestBudget(t *testing.T) {
	e := newEnv(t, Options{})
	values := largeObject(3000)
	for _, source := range hostile {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		got, err := compile(t, e, source).Eval(ctx, values)
		cancel()
		if !errors.Is(err, ErrBudget) || got != nil {
			t.Errorf("%s: got %v, error %v, want %v", source, got, err, ErrBudget)
		}
	}
}

func TestCostLimit(t *testing.T) {
	e := newEnv(t, Options{CostLimit: 10000})
	values := largeObject(3000)
	for _, source := range hostile[:4] {
		if got, err := compile(t, e, source).Eval(t.Context(), values); !errors.Is(err, ErrCost) || got != nil {
			t.Errorf("%s: got %v, error %v, want %v", source, got, err, ErrCost)
		}
	}
	if got, err := compile(t, e, `object.items[7].name`).Eval(t.Context(), values); got != "item-7" || err != nil {
		t.Errorf("within the limit: got %v, error %v", got, err)
	}
}

// TestCostSeesCalls checks that the nodes of this package have a cost.
func TestCostSeesCalls(t *testing.T) {
	e := newEnv(t, Options{CostLimit: 1000})
	values := largeObject(10)
	for _, source := range []string{
		`object.text.matches('b')`,
		`object.text.replace('aaaa', 'b') == ''`,
		`object.text == object.text + 'b'`,
	} {
		if got, err := compile(t, e, source).Eval(t.Context(), values); !errors.Is(err, ErrCost) {
			t.Errorf("%s: got %v, error %v, want %v", source, got, err, ErrCost)
		}
	}
}

// doubled is an expression in which each name stands for two of the one before.
func doubled(first, each, body string) string {
	const steps = 60
	var b strings.Builder
	fmt.Fprintf(&b, "cel.bind(v0, %s, ", first)
	for i := 1; i <= steps; i++ {
		fmt.Fprintf(&b, "cel.bind(v%d, %s, ", i, strings.ReplaceAll(each, "V", fmt.Sprintf("v%d", i-1)))
	}
	b.WriteString(strings.ReplaceAll(body, "V", fmt.Sprintf("v%d", steps)))
	return b.String() + strings.Repeat(")", steps+1)
}

func TestLimits(t *testing.T) {
	nested := func(function string, n int) string {
		return strings.Repeat(function+"(", n) + "object.back" + strings.Repeat(")", n)
	}
	tests := []struct{ source, want string }{
		{`object.text.replace('a', 'bb')`, "replace: the values are too large"},
		{`object.text.replace('', 'b')`, "replace: the values are too large"},
		{`object.text + object.text`, "+: the values are too large"},
		{`bytes(object.text) + bytes(object.text)`, "+: the values are too large"},
		{`[object.text, object.text].join()`, "join: the values are too large"},
		{`object.counts.map(c, '').join(object.text)`, "join: the values are too large"},
		{`'%s%s'.format([object.text, object.text])`, "format: the values are too large"},
		{`object.text.split('')`, "split: the values are too large"},
		{`object.dots.split('.')`, "split: the values are too large"},
		{`object.dots.findAll('.')`, "findAll: the values are too large"},
		{`object.text.matches('(a{0,30}){0,30}b')`, "matches: the text of 1048576 bytes is too long"},
		{`object.text.indexOf(object.text.substring(500000) + 'b')`, "indexOf: the values are too large"},
		{`object.text.lastIndexOf(object.text.substring(500000) + 'b')`, "lastIndexOf: the values are too large"},
		{`base64.encode(bytes(object.text))`, "base64.encode: the values are too large"},
		{nested("strings.quote", 100), "strings.quote: the values are too large"},
		{`sets.contains(object.items + object.items, object.items)`, "sets.contains: the values are too large"},
		{`quantity('1e999999999')`, "too long for a quantity"},
		{`quantity(object.text)`, "too long for a quantity"},
		{`object.items.map(a, object.text.upperAscii()).size()`, "makes more than 64 MiB"},
		{`object.items.map(a, object.text.substring(1)).size()`, "makes more than 64 MiB"},
		{`object.items.map(a, object.text.replace('a', 'b')).size()`, "makes more than 64 MiB"},
		{`object.items.map(a, object.dots.substring(800000).split('.')).size()`, "makes more than 64 MiB"},
		{doubled(`'a'`, `V + V`, `V`), "+: the values are too large"},
		{doubled(`[1]`, `V + V`, `V`), "+: the values are too large"},
		{doubled(`[1]`, `[V, V]`, `V`), "the result has more than"},
		{doubled(`{'a': 1}`, `{'a': V, 'b': V}`, `V`), "the result has more than"},
		{doubled(`[1]`, `[V, V]`, `V == V`), "==: the values are too large"},
		{doubled(`[1]`, `[V, V]`, `V != V`), "!=: the values are too large"},
		{doubled(`[1]`, `[V, V]`, `V in [V]`), "in: the values are too large"},
		{doubled(`[1]`, `[V, V]`, `[V].indexOf(V)`), "indexOf: the values are too large"},
		{doubled(`[1]`, `[V, V]`, `sets.equivalent(V, V)`), "sets.equivalent: the values are too large"},
		{doubled(`[1]`, `[V, V]`, `'%s'.format([V])`), "format: the values are too large"},
	}
	e := newEnv(t, Options{})
	values := largeObject(10000)
	for _, test := range tests {
		got, err := compile(t, e, test.source).Eval(t.Context(), values)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.100s: got %.20v, error %v, want %q", test.source, got, err, test.want)
		}
	}
}

// deadline is a context that is armed when Done is called.
type deadline struct {
	context.Context
	armed int
}

func (d *deadline) Done() <-chan struct{} {
	d.armed++
	return d.Context.Done()
}

func TestContextOnlyForLoops(t *testing.T) {
	e := newEnv(t, Options{})
	values := vars(t)
	for source, want := range map[string]bool{
		`object.metadata.name + 'x' == 'y'`:                            false,
		`object.status.conditions[0].type in ['a', 'b']`:               false,
		`object.status.conditions.exists(c, c.type == 'Ready')`:        true,
		`cel.bind(x, object.metadata.name, x + x)`:                     true,
		`object.status.conditions.exists(i, c, i > 0 && c.nope > 1)`:   true,
		strings.Repeat(`object.metadata.name.find('a') + `, 9) + `''`:  true,
		strings.Repeat(`object.status == object.spec || `, 9) + `true`: true,
	} {
		d := &deadline{Context: t.Context()}
		if _, err := compile(t, e, source).Eval(d, values); err != nil {
			t.Errorf("%s: %v", source, err)
		}
		if got := d.armed > 0; got != want {
			t.Errorf("%s: the context was asked %d times for its channel", source, d.armed)
		}
	}
}
