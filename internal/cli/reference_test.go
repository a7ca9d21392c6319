package cli_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/kubevitals/kubevitals/catalog"
	"github.com/kubevitals/kubevitals/internal/cli"
	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

const generated = "<!-- Written by `make generate`. -->\n\n"

// TestCLIReference writes docs/reference/cli.md from the commands themselves.
func TestCLIReference(t *testing.T) {
	var b strings.Builder
	b.WriteString(generated + "# Command line\n")
	var section func(cmd *cobra.Command)
	section = func(cmd *cobra.Command) {
		if !cmd.IsAvailableCommand() && cmd.HasParent() {
			return
		}
		text := cmd.Long
		if text == "" {
			text = cmd.Short
		}
		fmt.Fprintf(&b, "\n## %s\n\n```text\n%s\n\n%s```\n", cmd.CommandPath(), text, cmd.UsageString())
		for _, sub := range cmd.Commands() {
			section(sub)
		}
	}
	section(cli.Root(cli.Streams{}))
	compareGolden(t, filepath.Join("..", "..", "docs", "reference", "cli.md"), b.String())
}

// TestMetricReference writes docs/reference/metrics.md from the catalogs, and
// from what a demo serves.
func TestMetricReference(t *testing.T) {
	var b strings.Builder
	b.WriteString(generated + "# Metrics\n\nA family with a group is off: it needs `--enable GROUP`, all of them where there are two.\n")
	for _, name := range catalog.Names() {
		fmt.Fprintf(&b, "\n## Catalog %s\n\n%s| family | type | group | labels | meaning |\n|---|---|---|---|---|\n", name, aboutLabels(name))
		set := compileCatalog(t, name, catalogGroups(t, name)...)
		groups := familyGroups(set)
		for i, f := range set.Families() {
			b.WriteString(row(f.Name, f.Type.String(), quoted(groups[f.Name]), catalogLabels(set, name, i), f.Help))
		}
	}
	b.WriteString("\n## About Kubevitals itself\n\nBesides these, `go_*` and `process_*` as of any Go program.\n\n| family | type | labels | meaning |\n|---|---|---|---|\n")
	about, self, others := podMetrics(t)
	rows := slices.Concat(selfMetrics(t), others)
	slices.SortStableFunc(rows, func(a, b string) int { return strings.Compare(familyOf(a), familyOf(b)) })
	for _, line := range slices.CompactFunc(rows, func(a, b string) bool { return familyOf(a) == familyOf(b) }) {
		b.WriteString(line)
	}
	b.WriteString("\n## About each target of `kubevitals pods`\n\nEach has the labels of the target, `k8s_pod_name` and `k8s_namespace` among them.\n\n" +
		"| family | type | labels | meaning |\n|---|---|---|---|\n")
	for _, line := range about {
		b.WriteString(line)
	}
	b.WriteString("\n## About `kubevitals pods` itself\n\n| family | type | labels | meaning |\n|---|---|---|---|\n")
	for _, line := range self {
		b.WriteString(line)
	}
	compareGolden(t, filepath.Join("..", "..", "docs", "reference", "metrics.md"), b.String())
}

// familyOf returns the family that a table row is about.
func familyOf(row string) string {
	return strings.Split(row, "`")[1]
}

// podMetrics returns a table row for each family that the command pods has about
// targets, about scraping them, and about itself otherwise.
func podMetrics(t *testing.T) (about, self, others []string) {
	t.Helper()
	a := newPodsAPI(t)
	a.add(t, "shop", "good", says("a 1\n"))
	a.add(t, "shop", "bad", says("<"))
	dir := t.TempDir()
	auth := write(t, dir, "auth.yaml", "- {bearerTokenFile: "+write(t, dir, "token", "secret")+"}\n")
	s := servePods(t, a, "--pod-auth", auth, "--aggregate", "a=max")
	_, _ = s.get(t, "/metrics")
	_, body := s.get(t, "/metrics")
	labels := labelsByFamily(t, body)
	for _, m := range header.FindAllStringSubmatch(body, -1) {
		for _, common := range []string{"k8s_pod_name", "k8s_namespace"} {
			delete(labels[m[1]], common)
		}
		line := row(m[1], m[3], list(labels[m[1]]), m[2])
		switch {
		case m[1] == "up", strings.HasPrefix(m[1], "scrape_"):
			about = append(about, line)
		case strings.HasPrefix(m[1], "kubevitals_pods_"):
			self = append(self, line)
		case strings.HasPrefix(m[1], "kubevitals_"):
			others = append(others, line)
		}
	}
	return about, self, others
}

var sampleName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*`)

// labelsByFamily gathers the label names of each family of an exposition.
func labelsByFamily(t *testing.T, text string) map[string]map[string]bool {
	t.Helper()
	out := make(map[string]map[string]bool)
	for line := range strings.Lines(text) {
		name := sampleName.FindString(line)
		if name == "" {
			continue
		}
		samples, err := exposition.ParseSamples(exposition.Text, metric.Desc{Name: name}, []byte(line))
		if err != nil {
			t.Fatal(err)
		}
		if out[name] == nil {
			out[name] = make(map[string]bool)
		}
		for _, l := range samples[0].Labels {
			out[name][l.Name] = true
		}
	}
	return out
}

// commonLabels are the labels that every family of a catalog has, by its name.
var commonLabels = map[string][]string{
	"gateway-api": {"customresource_group", "customresource_kind", "customresource_version", "name", "namespace"},
	"kuadrant":    {"customresource_group", "customresource_kind", "customresource_version", "name", "namespace"},
}

// aboutLabels says which labels every family of a catalog has.
func aboutLabels(name string) string {
	if commonLabels[name] == nil {
		return ""
	}
	return "Every family also has the labels `customresource_group`, `customresource_kind`, `customresource_version`, `name` and, for namespaced kinds, `namespace`.\n\n"
}

// catalogLabels are the labels of a family of a catalog besides those of all.
func catalogLabels(set *rule.Set, name string, family int) string {
	labels, spread := set.Labels(family)
	if spread {
		return "one for each key"
	}
	names := make(map[string]bool)
	for _, name := range labels {
		names[name] = true
	}
	for _, common := range commonLabels[name] {
		delete(names, common)
	}
	return list(names)
}

func list(names map[string]bool) string {
	return quoted(slices.Sorted(maps.Keys(names)))
}

func quoted(names []string) string {
	var out []string
	for _, name := range names {
		out = append(out, "`"+name+"`")
	}
	return strings.Join(out, ", ")
}

var header = regexp.MustCompile(`(?m)^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$`)

// selfMetrics returns a table row for each family that a served command has
// about itself. What needs a cluster, a receiver or TLS is added by hand.
func selfMetrics(t *testing.T) []string {
	t.Helper()
	// Nobody listens at the port: the families about pushes are there all the same.
	_, body := serve(t, "state", "--from", filepath.Join("demo", "cluster.yaml"), "--otlp-endpoint", "http://127.0.0.1:1").get(t, "/metrics")
	labels := labelsByFamily(t, body)
	rows := []string{
		row("kubevitals_auth_decisions_total", "counter", "`result`", "Requests for protected routes, by what became of them; with --auth."),
		row("kubevitals_cert_expiry_timestamp_seconds", "gauge", "", "When the certificate ends that the server shows; with --tls-cert or --tls-self-signed."),
		row("kubevitals_leader", "gauge", "", "Whether this process leads; with --leader-elect."),
		row("kubevitals_lease_failures_total", "counter", "", "Requests for the Lease of the leader election that failed; with --leader-elect."),
		row("kubevitals_otlp_last_success_timestamp_seconds", "gauge", "", "When a push was last taken as a whole, or but for points that were refused."),
		row("kubevitals_state_api_requests_total", "counter", "`code`, `verb`", "Requests to the API server, by what they do and their status code."),
		row("kubevitals_state_kind_error_info", "gauge", "`group`, `kind`, `reason`, `version`", "Why the kind is not up."),
		row("kubevitals_state_rule_errors_total", "counter", "`reason`, `rule`", "What rules asked for and objects could not give, by family and reason."),
		row("kubevitals_timer_last_success_timestamp_seconds", "gauge", "`timer`", "When the timer's function last returned without an error."),
	}
	for _, m := range header.FindAllStringSubmatch(body, -1) {
		if strings.HasPrefix(m[1], "kubevitals_") || m[1] == "gateway_metrics_up" {
			rows = append(rows, row(m[1], m[3], list(labels[m[1]]), m[2]))
		}
	}
	slices.Sort(rows)
	return slices.Compact(rows)
}

func row(name string, cells ...string) string {
	return fmt.Sprintf("| `%s` | %s |\n", name, strings.Join(cells, " | "))
}
