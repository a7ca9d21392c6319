package cel

import "testing"

// absent are expressions without a value, one for each way CEL has to say so.
var absent = []string{
	// Keys and fields.
	`object.nope`,
	`object.nope.deeper`,
	`object.status["nope"]`,
	`object.metadata.name.field`,
	`object.metadata.name["field"]`,
	`object.metadata.generation.field`,
	`object.metadata[object.metadata.name]`,
	`{'a': 1}[object.metadata.name]`,
	`{'a': 1}.b`,
	`object.status.replicas.transformMap(k, v, v).nope`,
	`(object.spec.paused ? object.spec : object.status).nope`,
	// Indexes.
	`object.status.conditions[2]`,
	`object.status.conditions[-1].type`,
	`object.status.conditions[object.spec.replicas]`,
	`[1, 2][5]`,
	`([1] + [object.spec.replicas])[object.spec.replicas]`,
	`object.status.conditions.map(c, c.type)[7]`,
	`object.metadata.name.split('-')[3]`,
	// Null and what is below it.
	`object.metadata.nothing`,
	`object.metadata.nothing.field`,
	`object.metadata.nothing[0]`,
	`object.metadata.nothing["a"]`,
	`object.metadata.nothing > 1`,
	`1 < object.metadata.nothing`,
	`object.metadata.nothing + 1`,
	`'a' + object.metadata.nothing`,
	`-object.metadata.nothing`,
	`!object.metadata.nothing`,
	`size(object.metadata.nothing)`,
	`string(object.metadata.nothing) + ''`,
	`double(object.metadata.nothing)`,
	`object.metadata.nothing.startsWith('a')`,
	`object.metadata.nothing.matches('a')`,
	`object.metadata.nothing.replace('a', 'b')`,
	`object.metadata.nothing.split('a')`,
	`quantity(object.metadata.nothing)`,
	`timestamp(object.metadata.nothing)`,
	`duration(object.metadata.nothing)`,
	`'a' in object.metadata.nothing`,
	`object.metadata.nothing && true`,
	`false || object.metadata.nothing`,
	`object.metadata.nothing ? 1 : 2`,
	`(object.metadata.nothing ? object.spec : object.status).replicas`,
	`string(size(object.metadata.nothing) + 1)`,
	`object.metadata.nothing.exists(x, true)`,
	`object.metadata.nothing.map(x, x)`,
	`object.metadata.nothing.exists(i, x, true)`,
	`object.status.mixed.map(m, m)[2] > 1`,
	// Absent variables.
	`gone`,
	`gone.field`,
	`gone[0]`,
	`gone == 'a'`,
	`'a' != gone`,
	`gone in ['a']`,
	`gone in object.status.replicas`,
	`gone < 1`,
	`gone + 'a'`,
	`gone.map(x, x)`,
	`gone ? 1 : 2`,
	// Operations over what is absent.
	`object.nope == 'a'`,
	`object.nope != 'a'`,
	`object.nope > 1`,
	`object.nope + 1`,
	`!object.nope`,
	`object.nope in ['a']`,
	`object.nope ? 1 : 2`,
	`object.nope && true`,
	`false || object.nope`,
	`[object.nope]`,
	`{'a': object.nope}`,
	`size(object.nope)`,
	`has(object.nope.deeper)`,
	`cel.bind(x, object.nope, x + 1)`,
	`'%s'.format([object.nope])`,
	// Loops in which some elements lack a field.
	`object.nope.exists(x, true)`,
	`object.status.mixed.all(m, m.x == 1)`,
	`object.status.mixed.exists(m, m.x == 3)`,
	`object.status.mixed.map(m, m.x)`,
	`object.status.mixed.filter(m, m.x == 1)`,
	`object.status.conditions.all(c, c.since != '')`,
	`object.status.mixed.exists(i, m, m.x == 3)`,
	// Optionals.
	`object.?nope`,
	`object.?nope.deeper`,
	`object[?'nope']`,
	`gone.?field`,
	`optional.none()`,
	`object.?nope.value()`,
}

func TestAbsent(t *testing.T) {
	values := vars(t)
	for name, e := range map[string]*Env{"plain": newEnv(t, Options{}), "cost limit": newEnv(t, Options{CostLimit: 100000})} {
		for _, source := range absent {
			got, err := compile(t, e, source).Eval(t.Context(), values)
			if got != nil || err != nil {
				t.Errorf("%s: %s: got %v, error %v, want nothing", name, source, got, err)
			}
		}
	}
}

// TestAbsorbed lists the operations that have a value although an operand is
// absent.
func TestAbsorbed(t *testing.T) {
	tests := []struct {
		source string
		want   any
	}{
		{`object.nope == 'a' || true`, true},
		{`true || object.nope == 'a'`, true},
		{`object.nope == 'a' && false`, false},
		{`gone == 'a' || true`, true},
		{`object.metadata.nothing > 1 || true`, true},
		{`true ? 1 : object.nope`, int64(1)},
		{`has(object.nope)`, false},
		{`has(object.metadata.nothing)`, true},
		{`has(object.metadata.nothing.deeper)`, false},
		{`has(gone.field)`, false},
		{`has(object.nope) && object.nope > 1`, false},
		{`has(object.nope) ? object.nope : 5`, int64(5)},
		{`object.?nope.orValue(5)`, int64(5)},
		{`object.?nope.?deeper.orValue('x')`, "x"},
		{`gone.?field.orValue('x')`, "x"},
		{`object.?nope.hasValue()`, false},
		{`object.?nope.optMap(x, x + 1).orValue(3)`, int64(3)},
		{`gone == null`, true},
		{`null != gone`, false},
		{`object.metadata.nothing == null`, true},
		{`object.metadata.nothing == 'a'`, false},
		{`object.status.mixed.exists(m, m.x == 1)`, true},
		{`object.status.mixed.exists(m, m.y == 2)`, true},
		{`object.status.mixed.all(m, m.x == 2)`, false},
		{`['gone'].exists(gone, gone == 'gone')`, true},
	}
	e := newEnv(t, Options{})
	values := vars(t)
	for _, test := range tests {
		got, err := compile(t, e, test.source).Eval(t.Context(), values)
		if got != test.want || err != nil {
			t.Errorf("%s: got %v, error %v, want %v", test.source, got, err, test.want)
		}
	}
}
