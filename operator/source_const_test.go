package operator_test

import (
	"context"
	"testing"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// sourceFunc is a source made of a function.
type sourceFunc func(context.Context) ([]metric.Family, error)

func (f sourceFunc) Families(ctx context.Context) ([]metric.Family, error) { return f(ctx) }

// TestConstLabels: two sources of the same families stay apart, and no label of
// a sample is overwritten, even if its slices share memory.
func TestConstLabels(t *testing.T) {
	o := newOperator(operator.Options{})
	o.Collect("collector", emits(gauge("a", 1), gauge("a", 2, "zone", "x"), gauge("a", 3, "instance", "own")),
		operator.ConstLabels("instance", "one", "empty", ""))
	memory := []metric.Label{{Name: "n", Value: "1"}, {Name: "n", Value: "2"}, {Name: "n", Value: "3"}}
	o.AddSource("source", sourceFunc(func(context.Context) ([]metric.Family, error) {
		return []metric.Family{{Desc: metric.Desc{Name: "a", Type: metric.Gauge}, Samples: []metric.Sample{
			{Labels: memory[0:1], Value: 4}, {Labels: memory[1:2], Value: 5}, {Labels: memory[2:3], Value: 6},
		}}}, nil
	}), operator.ConstLabels("instance", "two"))
	for range 2 {
		wantSeries(t, scrape(t, o),
			`a{instance="one"} 1`, `a{instance="one",zone="x"} 2`, `a{instance="own"} 3`,
			`a{instance="two",n="1"} 4`, `a{instance="two",n="2"} 5`, `a{instance="two",n="3"} 6`)
	}
}
