package crs_test

import "testing"

// row is a statement about the semantics of kube-state-metrics: a metric, an
// object, and all series and problems that they give. Where the series of
// kube-state-metrics are invalid or random, a comment says so, and the row has
// what is made of it here.
type row struct {
	name, metric, object, want string
}

// rows checks each row. Names are not repeated, so that one finds a failure.
func rows(t *testing.T, list []row) {
	t.Helper()
	seen := make(map[string]bool)
	for _, r := range list {
		if seen[r.name] {
			t.Errorf("two rows are called %q", r.name)
		}
		seen[r.name] = true
		t.Run(r.name, func(t *testing.T) { check(t, r.metric, r.object, r.want) })
	}
}

// of puts the metric of each row, which is a block of a type, into its metric.
func of(typ, block string, list []row) []row {
	for i := range list {
		list[i].metric = "each: {type: " + typ + ", " + block + ": {" + list[i].metric + "}}"
	}
	return list
}

// twice is the problem of a series that kube-state-metrics gives more than once.
const twice = `! m duplicate: another sample of the object has the same labels`

// conflict is the problem of a series that is there twice with other values.
const conflict = `! m conflict: another sample of the object has the same labels and another value: add a label that tells them apart`
