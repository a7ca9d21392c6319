package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/test/controlplane"
	"github.com/kubevitals/kubevitals/test/program"
)

// control is the control plane of all tests, with the experimental CRDs of the
// Gateway API and those of Kuadrant. Tests keep apart by namespaces; those that
// break the API server, or need other CRDs, start one of their own.
var control *controlplane.ControlPlane

// binary is kubevitals, built with the race detector.
var binary string

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "kubevitals-e2e-")
	if err != nil {
		return fail(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "kubevitals")
	if err := program.Build(context.Background(), binary, "-race"); err != nil {
		return fail(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	control, err = startControlPlane(ctx, "experimental")
	if err != nil {
		return fail(err)
	}
	defer func() { _ = control.Stop() }()
	if err := control.Apply(ctx, controlplane.KuadrantCRDs()); err != nil {
		return fail(err)
	}
	return m.Run()
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func startControlPlane(ctx context.Context, channel string) (*controlplane.ControlPlane, error) {
	c, err := controlplane.Start(ctx, controlplane.Options{})
	if err != nil {
		return nil, err
	}
	crds, err := controlplane.GatewayAPICRDs(channel)
	if err == nil {
		err = c.InstallCRDs(ctx, crds...)
	}
	if err != nil {
		_ = c.Stop()
		return nil, err
	}
	return c, nil
}

// ownControlPlane starts a control plane for one test.
func ownControlPlane(t *testing.T, channel string) *controlplane.ControlPlane {
	t.Helper()
	if os.Getenv(controlplane.ClusterVariable) != "" {
		t.Skipf("needs a control plane of its own, and %s names a cluster", controlplane.ClusterVariable)
	}
	c, err := startControlPlane(t.Context(), channel)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the control plane's files are kept in %s", c.Keep())
		}
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// skipNotOwned skips a test that needs a control plane of its own, where an
// environment variable names another cluster. Any other error fails it.
func skipNotOwned(t *testing.T, err error) {
	t.Helper()
	switch {
	case errors.Is(err, controlplane.ErrNotOwned):
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
}
