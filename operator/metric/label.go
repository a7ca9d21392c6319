package metric

import (
	"slices"
	"strings"
)

// Label is a name and a value. A label with an empty value is the same as no
// label, as in Prometheus.
type Label struct {
	Name, Value string
}

// Labels makes labels of alternating names and values, sorted by name. A last
// name without a value gets the empty value.
func Labels(pairs ...string) []Label {
	labels := make([]Label, 0, (len(pairs)+1)/2)
	for i := 0; i < len(pairs); i += 2 {
		l := Label{Name: pairs[i]}
		if i+1 < len(pairs) {
			l.Value = pairs[i+1]
		}
		labels = append(labels, l)
	}
	SortLabels(labels)
	return labels
}

// SortLabels sorts labels by name, in place and stably.
func SortLabels(labels []Label) {
	slices.SortStableFunc(labels, CompareNames)
}

// CompareNames orders labels by their names alone.
func CompareNames(a, b Label) int {
	return strings.Compare(a.Name, b.Name)
}

// CompareLabels orders two label sets that are sorted by name: label by label,
// by name and then by value; the shorter of two equal beginnings comes first.
func CompareLabels(a, b []Label) int {
	for i := range min(len(a), len(b)) {
		if c := strings.Compare(a[i].Name, b[i].Name); c != 0 {
			return c
		}
		if c := strings.Compare(a[i].Value, b[i].Value); c != 0 {
			return c
		}
	}
	return len(a) - len(b)
}
