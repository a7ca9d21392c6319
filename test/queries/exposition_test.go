package queries

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
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
	promtool := buildPromtool(t)
	cmd := exec.CommandContext(t.Context(), promtool, "check", "metrics")
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

// buildPromtool returns promtool of the Prometheus that this module requires. It
// is built in the module's own folder, with the versions of its own go.mod, and
// kept in a cache: a cold build takes minutes.
func buildPromtool(t *testing.T) string {
	t.Helper()
	const module = "github.com/prometheus/prometheus"
	found, err := goCommand(t.Context(), "", "list", "-m", "-f", "{{.Version}} {{.Dir}}", module)
	if err != nil {
		t.Fatal(err)
	}
	version, folder, _ := strings.Cut(found, " ")
	cache := os.Getenv("KUBEVITALS_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			t.Fatalf("finding a cache folder: %v: set KUBEVITALS_CACHE to one", err)
		}
		cache = filepath.Join(user, "kubevitals")
	}
	cache = filepath.Join(cache, "promtool", strings.Join([]string{version, runtime.Version(), runtime.GOOS, runtime.GOARCH}, "-"))
	promtool := filepath.Join(cache, "promtool")
	if _, err := os.Stat(promtool); err == nil {
		return promtool
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	// A name of its own until it is complete: another test may build as well.
	partial := fmt.Sprintf("%s.%d", promtool, os.Getpid())
	defer func() { _ = os.Remove(partial) }()
	// Without the service discoveries, which are most of the program.
	_, err = goCommand(t.Context(), folder, "build", "-mod=readonly", "-trimpath", "-buildvcs=false",
		"-tags", "remove_all_sd", "-ldflags", "-s -w", "-o", partial, "./cmd/promtool")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(partial, promtool); err != nil {
		t.Fatal(err)
	}
	return promtool
}

// goCommand runs the go command in a folder and returns what it prints.
func goCommand(ctx context.Context, folder string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("running go %s: %w\n%s", args[0], err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}
