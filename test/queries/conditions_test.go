package queries

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/kubevitals/kubevitals/test/program"
)

// TestConditionsQueries evaluates the queries of docs/conditions.md, in their order,
// on the objects that the page begins with.
func TestConditionsQueries(t *testing.T) {
	wants := []query{
		{name: "not healthy", by: "kind name", want: each(0, "Kustomization/apps", "Namespace/old", "Backup/nightly")},
		{name: "conditions", by: "kind type", want: each(0, "Kustomization/Ready", "Kustomization/Stalled", "Namespace/NamespaceFinalizersRemaining")},
		{name: "why", by: "kind type status reason", want: rows("Kustomization/Ready/False/BuildFailed", "Kustomization/Stalled/True/BuildFailed",
			"Namespace/NamespaceFinalizersRemaining/True/SomeFinalizersRemain")},
		{name: "counts", by: "kind health", want: rows("Kustomization/Failed", "Namespace/Terminating", "Backup/Terminating")},
		{name: "deletions", by: "kind name", want: nil},
		{name: "finalizers", by: "kind name finalizer", want: rows("Backup/nightly/example.com/snapshots")},
		{name: "not ready for an hour", by: "kind", want: rows("Kustomization", "Backup")},
		{name: "failed", by: "kind name", want: rows("Backup/nightly")},
		{name: "lag", by: "kind name", want: vector{"Backup/nightly": 2}},
	}
	s, blocks := documented(t, "conditions", "objects.yaml", "--enable", "reasons,ages,generations")
	if len(blocks) != len(wants) {
		t.Fatalf("the page has %d queries, %d are expected", len(blocks), len(wants))
	}
	for i, q := range wants {
		q.promQL = blocks[i]
		if q.name == "deletions" { // whose values are ages
			q.promQL, q.by, q.want = "count("+q.promQL+")", "", count(2)
		}
		s.check(t, q)
	}
}

// TestKymaQueries evaluates the query of docs/kyma.md.
func TestKymaQueries(t *testing.T) {
	s, blocks := documented(t, "kyma", "kyma.yaml")
	if len(blocks) != 1 {
		t.Fatalf("the page has %d queries", len(blocks))
	}
	s.check(t, query{name: "modules", promQL: blocks[0], by: "name", want: each(0, "telemetry")})
}

// documented serves the objects that a page shows, by the catalog it is about, and
// returns what Prometheus makes of them, and the queries of the page.
func documented(t *testing.T, catalog, title string, flags ...string) (s *server, blocks []string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/" + catalog + ".md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?ms)^```yaml title=\"" + title + "\"\n(.*?)^```$").FindSubmatch(page)
	if m == nil {
		t.Fatalf("the page has no %s", title)
	}
	file := filepath.Join(t.TempDir(), title)
	if err := os.WriteFile(file, m[1], 0o600); err != nil {
		t.Fatal(err)
	}
	p := program.Start(t, binary, append([]string{"state", "--from", file, "--catalog", catalog}, flags...)...)
	p.WaitReady(t)
	for _, block := range promQLBlock.FindAllSubmatch(page, -1) {
		blocks = append(blocks, string(block[1]))
	}
	return scrapeOnce(t, p.URL, scrapeOptions{honorLabels: true}), blocks
}
