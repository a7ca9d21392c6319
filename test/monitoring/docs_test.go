package monitoring

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/config"
)

// page is docs/dashboards.md.
func page(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", "dashboards.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

var tableRow = regexp.MustCompile("(?m)^\\| \\[([^]]+)\\]\\(\\.\\./([^)]+)\\) \\| `([^`]+)` \\| [^|]+ \\| ([^|]*)\\|$")

// TestDocumentedDashboards compares the table of the page with the dashboards, and the
// groups there with what the descriptions of panels say.
func TestDocumentedDashboards(t *testing.T) {
	got, want := map[string]string{}, map[string]string{}
	for _, m := range tableRow.FindAllStringSubmatch(page(t), -1) {
		got[m[3]] = fmt.Sprintf("%s %s %s", m[1], m[2], strings.NewReplacer("`", "", " ", "").Replace(m[4]))
	}
	for _, b := range boards(t) {
		groups := map[string]bool{}
		for _, p := range b.all() {
			_, flag, _ := strings.Cut(p.Description, "--enable ")
			for _, g := range strings.FieldsFunc(flag, func(r rune) bool { return r == ',' || r == '.' }) {
				groups[g] = true
			}
		}
		want[b.UID] = fmt.Sprintf("%s %s %s", b.Title, b.file, strings.Join(slices.Sorted(maps.Keys(groups)), ","))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/dashboards.md (-want +got):\n%s", diff)
	}
}

// TestDocumentedScrape loads the configuration of Prometheus that the page shows.
func TestDocumentedScrape(t *testing.T) {
	_, rest, _ := strings.Cut(page(t), "title=\"prometheus.yaml\"\n")
	text, _, _ := strings.Cut(rest, "```")
	cfg, err := config.Load(text, slog.New(slog.DiscardHandler))
	if err != nil || len(cfg.ScrapeConfigs) != 1 || !cfg.ScrapeConfigs[0].HonorLabels {
		t.Errorf("the configuration is %q: %v", text, err)
	}
}

// checkConfigMaps runs the commands of the page, and finds all files in what they have
// made.
func checkConfigMaps(t *testing.T) {
	made := 0
	for line := range strings.Lines(page(t)) {
		args, ok := strings.CutPrefix(strings.TrimSpace(line), "kubectl ")
		if !ok {
			continue
		}
		args = strings.ReplaceAll(args, "=catalog/", "="+filepath.Join("..", "..", "catalog")+"/")
		if _, err := control.Kubectl(t.Context(), strings.Fields(args)...); err != nil {
			t.Error(err)
		}
		made++
	}
	out, err := control.Kubectl(t.Context(), "get", "configmaps", "--selector", "grafana_dashboard=1", "--output", "jsonpath={.items[*].data}")
	if err != nil || made < 2 {
		t.Fatalf("%d commands: %v", made, err)
	}
	for _, b := range boards(t) {
		family := path.Base(path.Dir(path.Dir(b.file)))
		if strings.Contains(page(t), "--from-file=catalog/"+family+"/") && !strings.Contains(out, fmt.Sprintf("%q", path.Base(b.file))) {
			t.Errorf("no ConfigMap has %s", b.file)
		}
	}
}
