package queries

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/kubevitals/kubevitals/test/program"
)

// binary is kubevitals, built with the race detector.
var binary string

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "kubevitals-queries-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "kubevitals")
	if err := program.Build(context.Background(), binary, "-race"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}
