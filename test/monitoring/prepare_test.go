package monitoring

import (
	"path/filepath"
	"testing"

	"github.com/kubevitals/kubevitals/test/controlplane"
	"github.com/kubevitals/kubevitals/test/program"
)

// control is a real API server with the CRDs of the Gateway API.
var control *controlplane.ControlPlane

// binary is kubevitals, built with the race detector.
var binary string

// prepare makes control and binary, for as long as the test.
func prepare(t *testing.T) {
	t.Helper()
	binary = filepath.Join(t.TempDir(), "kubevitals")
	if err := program.Build(t.Context(), binary, "-race"); err != nil {
		t.Fatal(err)
	}
	var err error
	if control, err = controlplane.Start(t.Context(), controlplane.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := control.Stop(); err != nil {
			t.Error(err)
		}
	})
	crds, err := controlplane.GatewayAPICRDs("experimental")
	if err != nil {
		t.Fatal(err)
	}
	if err := control.InstallCRDs(t.Context(), crds...); err != nil {
		t.Fatal(err)
	}
}
