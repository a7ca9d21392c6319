package cel

import (
	"context"
	"testing"
	"time"

	"github.com/google/cel-go/cel"
)

const ready = `object.status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')`

// BenchmarkEval compares reading by hand with expressions:
//
//	go test -bench Eval -benchmem ./internal/rule/cel
func BenchmarkEval(b *testing.B) {
	e := newEnv(b, Options{})
	values := vars(b)
	object := values[0].(map[string]any)
	b.Run("name/hand", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if byHand(object) != "web-0" {
				b.Fatal("wrong name")
			}
		}
	})
	for _, bench := range []struct {
		name, source string
		want         any
		opts         Options
	}{
		{"name/cel", `object.metadata.name`, "web-0", Options{}},
		{"compare/cel", `object.spec.replicas > 2 && object.metadata.name != ''`, true, Options{}},
		{"concat/cel", `gvk.kind + '/' + object.metadata.name`, "Web/web-0", Options{}},
		{"absent/cel", `object.nope == 'a'`, nil, Options{}},
		{"exists/budget", ready, true, Options{}},
		{"exists/cost", ready, true, Options{CostLimit: 100000}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			env := e
			if bench.opts != (Options{}) {
				env = newEnv(b, bench.opts)
			}
			x := compile(b, env, bench.source)
			ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
			defer cancel()
			b.ReportAllocs()
			for b.Loop() {
				if got, err := x.Eval(ctx, values); got != bench.want || err != nil {
					b.Fatalf("got %v, error %v", got, err)
				}
			}
		})
	}
	// CEL as it is: what the package adds is the difference to these.
	b.Run("name/bare", func(b *testing.B) { benchBare(b, e, `object.metadata.name`, false) })
	b.Run("compare/bare", func(b *testing.B) {
		benchBare(b, e, `object.spec.replicas > 2 && object.metadata.name != ''`, false)
	})
	b.Run("exists/bare", func(b *testing.B) { benchBare(b, e, ready, false) })
	b.Run("exists/bare-context", func(b *testing.B) { benchBare(b, e, ready, true) })
}

func byHand(object map[string]any) string {
	metadata, _ := object["metadata"].(map[string]any)
	name, _ := metadata["name"].(string)
	return name
}

// benchBare runs an expression without the nodes of this package.
func benchBare(b *testing.B, e *Env, source string, withContext bool) {
	env, err := e.scope(names)
	if err != nil {
		b.Fatal(err)
	}
	tree, issues := env.Compile(source)
	if issues.Err() != nil {
		b.Fatal(issues.Err())
	}
	program, err := env.Program(tree, cel.EvalOptions(cel.OptOptimize), cel.InterruptCheckFrequency(1))
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()
	a := &activation{names: names, vars: vars(b)}
	b.ReportAllocs()
	for b.Loop() {
		if withContext {
			_, _, err = program.ContextEval(ctx, a)
		} else {
			_, _, err = program.Eval(a)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCompile is the price of loading an expression.
func BenchmarkCompile(b *testing.B) {
	e := newEnv(b, Options{})
	b.ReportAllocs()
	for b.Loop() {
		compile(b, e, ready)
	}
}
