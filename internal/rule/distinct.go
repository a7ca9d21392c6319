package rule

import (
	"hash/maphash"
	"math"
)

// distinct tells which label sets of a family an object has given already. A set
// is a row of texts. A few rows are compared one by one, which costs less than
// hashing them; many are hashed.
type distinct struct {
	rows   []string // one after the other
	ends   []int    // of each row
	values []float64
	hashes map[uint64]float64
}

const (
	// compared is how many rows are compared one by one.
	compared = 16
	// maxKept is the size of a map that is used again for the next object.
	maxKept = 4096
)

// reset forgets all rows.
func (d *distinct) reset() {
	d.rows, d.ends, d.values = d.rows[:0], d.ends[:0], d.values[:0]
	if len(d.hashes) > maxKept {
		d.hashes = nil
	}
	clear(d.hashes)
}

// add adds the row that was appended to d.rows, and reports whether it is new, and
// if not, whether its value is that of the first.
func (d *distinct) add(seed maphash.Seed, value float64) (first, same bool) {
	start := 0
	if n := len(d.ends); n > 0 {
		start = d.ends[n-1]
	}
	row := d.rows[start:]
	if len(d.hashes) > 0 {
		d.rows = d.rows[:start]
		return d.hash(seed, row, value)
	}
	at := 0
	for i, end := range d.ends {
		if sameRow(d.rows[at:end], row) {
			d.rows = d.rows[:start]
			return false, equalValues(d.values[i], value)
		}
		at = end
	}
	d.values = append(d.values, value)
	if d.ends = append(d.ends, len(d.rows)); len(d.ends) <= compared {
		return true, false
	}
	if d.hashes == nil {
		d.hashes = make(map[uint64]float64, 2*compared)
	}
	at = 0
	for i, end := range d.ends {
		d.hash(seed, d.rows[at:end], d.values[i])
		at = end
	}
	return true, false
}

func (d *distinct) hash(seed maphash.Seed, row []string, value float64) (first, same bool) {
	var sum uint64
	for _, s := range row {
		sum = sum*31 + maphash.String(seed, s)
	}
	if before, known := d.hashes[sum]; known {
		return false, equalValues(before, value)
	}
	d.hashes[sum] = value
	return true, false
}

// equalValues takes NaN for equal to itself.
func equalValues(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

// sameRow compares from the end, as what samples share often comes first.
func sameRow(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := len(a) - 1; i >= 0; i-- {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
