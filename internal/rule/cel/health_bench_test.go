package cel

import (
	"fmt"
	"testing"
)

// BenchmarkHealth compares what the functions about health cost for an object with
// some conditions with the plain paths of a rule for one type of condition.
//
//	go test ./internal/rule/cel -run '^$' -bench BenchmarkHealth -benchmem
func BenchmarkHealth(b *testing.B) {
	env, err := New(Options{})
	if err != nil {
		b.Fatal(err)
	}
	gvk := map[string]any{"group": "example.com", "version": "v1", "kind": "Thing"}
	param := map[string]any{"negative": []any{"Fenced"}, "positive": []any{}, "neutral": []any{}}
	for _, size := range []int{3, 10, 100} {
		conditions := make([]any, size)
		for i := range conditions {
			conditions[i] = map[string]any{"type": fmt.Sprint("Type", i), "status": "True", "reason": "Fine", "message": "all is well", "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": int64(3)}
		}
		object := map[string]any{
			"apiVersion": "example.com/v1", "kind": "Thing", "metadata": map[string]any{"name": "n", "generation": int64(3)},
			"status": map[string]any{"observedGeneration": int64(3), "conditions": conditions},
		}
		vars := []any{object, gvk, param, conditions[0]}
		for _, bench := range []struct{ name, source string }{
			{"plain", "condition.status == 'True'"},
			{"polarity", "healthy(condition.type in param.negative ? 'negative' : polarity(gvk, condition.type), condition.status)"},
			{"kstatus", "kstatus(object)"},
		} {
			x, err := env.Compile(bench.source, []string{"object", "gvk", "param", "condition"})
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("%s/%d conditions", bench.name, size), func(b *testing.B) {
				for b.Loop() {
					if v, err := x.Eval(b.Context(), vars); v == nil || err != nil {
						b.Fatal(v, err)
					}
				}
			})
		}
	}
}
