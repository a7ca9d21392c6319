package queries

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
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
	// The program is of the tree that this module is part of.
	cmd := exec.Command("go", "build", "-race", "-o", binary, "./cmd/kubevitals")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building kubevitals: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}
