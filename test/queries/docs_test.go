package queries

import (
	"os"
	"regexp"
	"testing"
)

var promQLBlock = regexp.MustCompile("(?ms)^```promql\n(.*?)^```$")

// TestDocumentedQueries evaluates the queries of docs/gateway-api.md, in their
// order, on the sample cluster.
func TestDocumentedQueries(t *testing.T) {
	page, err := os.ReadFile("../../docs/gateway-api.md")
	if err != nil {
		t.Fatal(err)
	}
	wants := []query{
		{name: "listeners that do not work", by: "name listener_name type", want: each(0,
			"shop-partners/edi/Programmed", "shop-partners/edi/ResolvedRefs")},
		{name: "routes that are not attached", by: "name parent_namespace parent_name", want: each(0,
			"partner-api/gateway-system/shop-public", "summer-sale/staging/shop-preview")},
		{name: "routes without an AuthPolicy", by: "name", want: vector{
			"catalog": unix("2026-02-10T10:00:00Z"), "partner-api": unix("2026-03-10T08:00:00Z"), "summer-sale": unix("2026-05-05T09:00:00Z"),
		}},
		{name: "why conditions are not met", by: "name parent_name status reason", want: rows(
			"partner-api/shop-public/False/NotAllowedByListeners")},
		{name: "status of an older generation", by: "name type", want: each(1,
			"partner-api/Accepted", "partner-api/ResolvedRefs")},
	}
	blocks := promQLBlock.FindAllSubmatch(page, -1)
	if len(blocks) != len(wants) {
		t.Fatalf("the page has %d queries, %d are expected", len(blocks), len(wants))
	}
	s := scrapeOnce(t, startDemo(t, "reasons", "generations"), scrapeOptions{honorLabels: true})
	for i, q := range wants {
		q.promQL = string(blocks[i][1])
		s.check(t, q)
	}
}
