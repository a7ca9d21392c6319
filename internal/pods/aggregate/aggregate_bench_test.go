package aggregate_test

import (
	"fmt"
	"testing"

	"github.com/kubevitals/kubevitals/internal/pods/aggregate"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

// BenchmarkScrape has 100 pods of 100 series: go test -run xxx -bench Scrape.
func BenchmarkScrape(b *testing.B) {
	rules, err := aggregate.ParseRules([]string{"requests_total=sum"})
	if err != nil {
		b.Fatal(err)
	}
	a := aggregate.New(aggregate.Options{Rules: rules})
	var lines []byte
	for i := range 100 {
		lines = fmt.Appendf(lines, "requests_total{code=\"200\",handler=\"/api/v1/query_%d\",method=\"GET\"} %d\n", i, i)
	}
	var ids []string
	for i := range 100 {
		ids = append(ids, fmt.Sprintf("pod-%d", i))
	}
	b.SetBytes(int64(100 * len(lines)))
	b.ReportAllocs()
	for b.Loop() {
		a.Begin(ids)
		for _, id := range ids {
			if err := a.Add(target(id), requests, exposition.Text, lines); err != nil {
				b.Fatal(err)
			}
		}
		if got := a.Families(); len(got) != 1 || len(got[0].Samples) != 100 {
			b.Fatal(got)
		}
	}
}
