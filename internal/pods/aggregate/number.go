package aggregate

import (
	"math"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// group is an aggregate of numbers.
type group struct {
	labels        []metric.Label
	target        string // the last
	n             int
	sum, max, min float64
	scaled        float64 // the sum times scale, which does not overflow on the way
}

const scale = 0x1p-64

// addNumber adds what a target says, and returns how many numbers there are more;
// less than 0 if there is no room.
func (f *family) addNumber(id string, r *row, room int) int {
	v := r.values[0]
	g := f.groups[r.key]
	size := 1 + labelSize(r.key)
	switch {
	case g == nil && room < size:
		return -1
	case g == nil:
		f.groups[r.key] = &group{labels: cloneLabels(r.labels), target: id, n: 1, sum: v, max: v, min: v, scaled: v * scale}
		return size
	case g.target == id:
		return 0 // a duplicate
	}
	g.target = id
	g.n++
	g.sum += v
	g.scaled += v * scale
	if v > g.max || math.IsNaN(g.max) {
		g.max = v
	}
	if v < g.min || math.IsNaN(g.min) {
		g.min = v
	}
	return 0
}

func (g *group) value(op Op) float64 {
	switch op {
	case Max:
		return g.max
	case Min:
		return g.min
	case Avg:
		if !isFinite(g.sum) {
			return g.scaled / float64(g.n) / scale
		}
		return g.sum / float64(g.n)
	case Count:
		return float64(g.n)
	default:
		if !isFinite(g.sum) {
			return g.scaled / scale
		}
		return g.sum
	}
}
