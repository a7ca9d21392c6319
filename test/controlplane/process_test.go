package controlplane

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// roleVariable tells a copy of the test program which part it plays in
// TestChildDiesWithParent.
const roleVariable = "CONTROLPLANE_TEST_ROLE"

// TestChildDiesWithParent kills a process that has started a child. Both hold
// the writing end of a pipe: it is closed when both have ended.
func TestChildDiesWithParent(t *testing.T) {
	switch os.Getenv(roleVariable) {
	case "parent":
		cmd := roleCommand(t, "child")
		cmd.Stdout = os.Stdout
		if err := runProcess(cmd); err != nil {
			t.Fatal(err)
		}
		return
	case "child":
		if _, err := os.Stdout.WriteString("child runs\n"); err != nil {
			t.Fatal(err)
		}
		select {} // until it is killed
	}
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ends a child with its parent")
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	cmd := roleCommand(t, "parent")
	cmd.Stdout = writer
	parent, err := startProcess(cmd)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(writer.Close(), reader.SetReadDeadline(time.Now().Add(time.Minute))); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 64)
	n, err := reader.Read(buffer)
	if got := string(buffer[:n]); err != nil || got != "child runs\n" {
		t.Errorf("got %q, error %v from the child", got, err)
	}
	if err := parent.kill(); err != nil {
		t.Error(err)
	}
	if rest, err := io.ReadAll(reader); err != nil {
		t.Errorf("the child has outlived its parent: %v; it says %q", err, rest)
	}
}

// roleCommand returns the command of this test program in a role.
func roleCommand(t *testing.T, role string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-test.run=^TestChildDiesWithParent$")
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	return cmd
}

func TestLockFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lockFile(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*pollInterval)
	defer cancel()
	if _, err := lockFile(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got error %v while another holds the lock", err)
	}
	waiting := make(chan error)
	go func() {
		unlock, err := lockFile(t.Context(), path)
		if err == nil {
			unlock()
		}
		waiting <- err
	}()
	unlock()
	if err := <-waiting; err != nil {
		t.Errorf("after the lock was given back: %v", err)
	}
}

func TestWaitFor(t *testing.T) {
	tries := 0
	err := waitFor(t.Context(), time.Minute, "three", func(context.Context) error {
		if tries++; tries < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil || tries != 3 {
		t.Errorf("got error %v after %d tries", err, tries)
	}

	errBroken := errors.New("broken")
	err = waitFor(t.Context(), time.Minute, "it", func(context.Context) error { return finalError{errBroken} })
	if !errors.Is(err, errBroken) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got error %v, want the final one", err)
	}

	err = waitFor(t.Context(), time.Millisecond, "it", func(context.Context) error { return errBroken })
	if !errors.Is(err, errBroken) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got error %v, want the last one and the deadline", err)
	}
}

func TestTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte(strings.Repeat("line\n", 2000)+"the end\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := tail(path); len(got) > 5000 || !strings.HasSuffix(got, "line\nthe end") {
		t.Errorf("got %d bytes, ending in %q", len(got), got[max(0, len(got)-20):])
	}
	if got := tail(path + "-missing"); !strings.Contains(got, "no such file") {
		t.Errorf("got %q of a missing file", got)
	}
}

func TestCacheFolder(t *testing.T) {
	t.Setenv(CacheVariable, "relative")
	if got, err := cacheFolder(); err == nil {
		t.Errorf("got %q for a relative path", got)
	}
	dir := t.TempDir()
	t.Setenv(CacheVariable, dir)
	if got, err := cacheFolder(); err != nil || got != filepath.Join(dir, "controlplane") {
		t.Errorf("got %q, error %v", got, err)
	}
}
