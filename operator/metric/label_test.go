package metric_test

import (
	"reflect"
	"strconv"
	"testing"

	"github.com/kubevitals/kubevitals/operator/metric"
)

func TestLabels(t *testing.T) {
	f := func(pairs []string, want ...metric.Label) {
		t.Helper()
		got := metric.Labels(pairs...)
		if len(got) == 0 && len(want) == 0 {
			return
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("Labels(%q) = %q, want %q", pairs, got, want)
		}
	}
	f(nil)
	f([]string{"a", "1"}, metric.Label{"a", "1"})
	f([]string{"b", "2", "a", "1"}, metric.Label{"a", "1"}, metric.Label{"b", "2"})
	f([]string{"a"}, metric.Label{"a", ""})
	f([]string{"b", "2", "a"}, metric.Label{"a", ""}, metric.Label{"b", "2"})
	// Equal names keep their order, so that validation names the second.
	f([]string{"b", "", "a", "2", "a", "1"}, metric.Label{"a", "2"}, metric.Label{"a", "1"}, metric.Label{"b", ""})
}

func TestSortLabels(t *testing.T) {
	labels := []metric.Label{{"z", "1"}, {"a", "2"}, {"m", "3"}, {"a", "1"}, {"_", "5"}, {"B", "6"}}
	metric.SortLabels(labels)
	want := []metric.Label{{"B", "6"}, {"_", "5"}, {"a", "2"}, {"a", "1"}, {"m", "3"}, {"z", "1"}}
	if !reflect.DeepEqual(labels, want) {
		t.Errorf("got %q, want %q", labels, want)
	}
}

// TestSortLabelsIsStable has more labels than any sort keeps in order by accident.
func TestSortLabelsIsStable(t *testing.T) {
	var labels []metric.Label
	for i := range 200 {
		labels = append(labels, metric.Label{Name: string(rune('a' + i*7%3)), Value: strconv.Itoa(i)})
	}
	metric.SortLabels(labels)
	for i := range labels[1:] {
		before, after := labels[i], labels[i+1]
		m, _ := strconv.Atoi(before.Value)
		n, _ := strconv.Atoi(after.Value)
		if before.Name > after.Name || before.Name == after.Name && m > n {
			t.Errorf("%v stands before %v", before, after)
		}
	}
}

func TestCompareLabels(t *testing.T) {
	// In ascending order; equal sets share a row.
	rows := [][][]metric.Label{
		{nil, {}},
		{metric.Labels("a", "")},
		{metric.Labels("a", "1"), metric.Labels("a", "1")},
		{metric.Labels("a", "1", "b", "1")},
		{metric.Labels("a", "1", "b", "2")},
		{metric.Labels("a", "1", "c", "0")},
		{metric.Labels("a", "2")},
		{metric.Labels("aa", "0")},
		{metric.Labels("b", "0")},
	}
	sign := func(n int) int { return min(1, max(-1, n)) }
	for i, row := range rows {
		for j, other := range rows {
			want := sign(i - j)
			for _, a := range row {
				for _, b := range other {
					if got := sign(metric.CompareLabels(a, b)); got != want {
						t.Errorf("CompareLabels(%q, %q) has the sign %d, want %d", a, b, got, want)
					}
				}
			}
		}
	}
}
