package e2e

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/test/program"
)

// start runs the binary until the test ends.
func start(t *testing.T, args ...string) *program.Process {
	t.Helper()
	return program.Start(t, binary, args...)
}

// state runs kubevitals state for the shared control plane until it is ready.
func state(t *testing.T, args ...string) *program.Process {
	t.Helper()
	p := start(t, append([]string{"state", "--kubeconfig", control.Kubeconfig()}, args...)...)
	p.WaitReady(t)
	return p
}

// scrape returns the exposition, as it is sent when gzip is accepted.
func scrape(t *testing.T, p *program.Process) string {
	t.Helper()
	code, body := p.Get(t, "/metrics", http.Header{"Accept-Encoding": {"gzip"}})
	if code != http.StatusOK {
		t.Fatalf("scrape: status %d: %s", code, body)
	}
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// lines returns the lines of an exposition that contain all of some strings.
func lines(text string, all ...string) []string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		if !slices.ContainsFunc(all, func(s string) bool { return !strings.Contains(line, s) }) {
			out = append(out, line)
		}
	}
	return out
}

// gatewayFamilies returns the part of an exposition that is about objects.
func gatewayFamilies(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		name := strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE ")
		if strings.HasPrefix(name, "gatewayapi_") || strings.HasPrefix(name, "kuadrant_") {
			out.WriteString(line)
		}
	}
	return out.String()
}

// writeFile writes a file of the test.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	file := t.TempDir() + "/" + name
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// rewrite changes a file.
func rewrite(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
