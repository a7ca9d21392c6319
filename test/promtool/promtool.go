// Package promtool builds Prometheus' own tool for checking metrics and rules.
package promtool

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Build returns the path of promtool of the Prometheus that this module requires. It
// is built in the module's own folder, with the versions of its own go.mod, and
// kept in a cache: a cold build takes minutes.
func Build(ctx context.Context) (string, error) {
	const module = "github.com/prometheus/prometheus"
	found, err := goCommand(ctx, "", "list", "-m", "-f", "{{.Version}} {{.Dir}}", module)
	if err != nil {
		return "", err
	}
	version, folder, _ := strings.Cut(found, " ")
	cache := os.Getenv("KUBEVITALS_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("finding a cache folder: %w: set KUBEVITALS_CACHE to one", err)
		}
		cache = filepath.Join(user, "kubevitals")
	}
	cache = filepath.Join(cache, "promtool", strings.Join([]string{version, runtime.Version(), runtime.GOOS, runtime.GOARCH}, "-"))
	promtool := filepath.Join(cache, "promtool")
	if _, err := os.Stat(promtool); err == nil {
		return promtool, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	// A name of its own until it is complete: another test may build as well.
	partial := fmt.Sprintf("%s.%d", promtool, os.Getpid())
	defer func() { _ = os.Remove(partial) }()
	// Without the service discoveries, which are most of the program.
	_, err = goCommand(ctx, folder, "build", "-mod=readonly", "-trimpath", "-buildvcs=false",
		"-tags", "remove_all_sd", "-ldflags", "-s -w", "-o", partial, "./cmd/promtool")
	if err != nil {
		return "", err
	}
	if err := os.Rename(partial, promtool); err != nil {
		return "", err
	}
	return promtool, nil
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
