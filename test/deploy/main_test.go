package deploy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/test/controlplane"
	"github.com/kubevitals/kubevitals/test/program"
)

// chart is the folder of the Helm chart.
const chart = "../../deploy/chart"

// operatorModule is Prometheus Operator.
const operatorModule = "github.com/prometheus-operator/prometheus-operator"

var (
	// control has the CRDs of the Gateway API, Kuadrant and Prometheus Operator.
	control *controlplane.ControlPlane
	// binary is kubevitals, promoperator what Prometheus Operator does.
	binary, promoperator string
)

func TestMain(m *testing.M) {
	code, err := testMain(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func testMain(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "kubevitals-deploy-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	binary, promoperator = filepath.Join(dir, "kubevitals"), filepath.Join(dir, "promoperator")
	if err := program.Build(ctx, binary); err != nil {
		return 1, err
	}
	if _, err := command(ctx, "../promoperator", "go", "build", "-o", promoperator, "."); err != nil {
		return 1, err
	}
	operator, err := command(ctx, "../promoperator", "go", "list", "-m", "-f", "{{.Dir}}", operatorModule)
	if err != nil {
		return 1, err
	}
	if control, err = controlplane.Start(ctx, controlplane.Options{}); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, control.Stop()) }()
	gateway, err := controlplane.GatewayAPICRDs("experimental")
	if err != nil {
		return 1, err
	}
	if err := control.InstallCRDs(ctx, append(gateway, filepath.Join(strings.TrimSpace(operator), "example", "prometheus-operator-crd"))...); err != nil {
		return 1, err
	}
	if err := control.Apply(ctx, controlplane.KuadrantCRDs()); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// command runs a program in a folder and returns what it prints.
func command(ctx context.Context, folder, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = folder
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, &errs)
	}
	return out.String(), nil
}

// helm runs the real helm.
func helm(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return command(t.Context(), ".", "go", append([]string{"tool", "-modfile=../../tools/helm/go.mod", "helm"}, args...)...)
}

// template returns the objects of the chart in a namespace, for values as YAML.
func template(t *testing.T, namespace, values string) string {
	t.Helper()
	out, err := helm(t, "template", "kubevitals", chart, "--namespace", namespace, "--values", writeFile(t, values))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// kubectl runs kubectl as the administrator.
func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := control.Kubectl(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// apply applies objects on the server, which must know each field of them.
func apply(t *testing.T, manifests string) {
	t.Helper()
	kubectl(t, "apply", "--server-side", "--validate=strict", "-f", writeFile(t, manifests))
}
