package queries

import (
	"errors"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/kubevitals/kubevitals/test/promtool"
)

// fixedNames begin the names that others have chosen: the linter may have
// something to say against those.
var fixedNames = []string{"gatewayapi_", "kuadrant_", "gateway_metrics_up"}

func TestLint(t *testing.T) {
	body := scrapeText(t)
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if !hasFixedName(p.Metric) {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// TestPromtool runs the exposition through "promtool check metrics", which
// exits with 3 if it is well-formed but the linter has findings.
func TestPromtool(t *testing.T) {
	tool, err := promtool.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), tool, "check", "metrics")
	cmd.Stdin = strings.NewReader(scrapeText(t))
	out, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 3 {
		for line := range strings.Lines(string(out)) {
			if !hasFixedName(line) {
				t.Error(line)
			}
		}
	} else if err != nil {
		t.Fatalf("promtool check metrics: %v\n%s", err, out)
	}
}

func hasFixedName(text string) bool {
	for _, prefix := range fixedNames {
		if strings.HasPrefix(text, prefix) {
			return true
		}
	}
	return false
}

// scrapeText returns the exposition of the sample cluster in the text format.
func scrapeText(t *testing.T) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, startDemo(t)+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("scrape: status %d, %v: %s", resp.StatusCode, err, body)
	}
	return string(body)
}
