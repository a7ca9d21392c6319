package release

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// root is the repository.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// command runs a program in a folder and returns its output without the space
// around it. The test ends if the program fails.
func command(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := try(t, dir, args...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func try(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(bytes.TrimSpace(out)), err
}

func read(t *testing.T, path ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t *testing.T, data []byte, path ...string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(path...), data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// copyTree copies the working copy to a folder of its own, without what Git
// ignores.
func copyTree(t *testing.T) string {
	t.Helper()
	to := t.TempDir()
	list := command(t, root(t), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	for name := range strings.SplitSeq(strings.Trim(list, "\x00"), "\x00") {
		from := filepath.Join(root(t), name)
		info, err := os.Lstat(from)
		if os.IsNotExist(err) || err == nil && !info.Mode().IsRegular() { // deleted, or a link
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(to, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name), read(t, from), info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

const (
	commitTime = "2026-01-02T03:04:05Z"
	tagged     = "v1.2.3"
)

// commitTree makes a repository of a folder, with the tags of a release.
func commitTree(t *testing.T, dir string) {
	t.Helper()
	t.Setenv("GIT_AUTHOR_DATE", commitTime)
	t.Setenv("GIT_COMMITTER_DATE", commitTime)
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	t.Setenv("GIT_CONFIG_SYSTEM", os.DevNull)
	git := func(args ...string) {
		t.Helper()
		command(t, dir, append([]string{"git", "-c", "user.name=test", "-c", "user.email=test@example.com"}, args...)...)
	}
	git("init", "--quiet", "--initial-branch=main")
	git("remote", "add", "origin", "https://github.com/kubevitals/kubevitals")
	git("add", "--all")
	git("commit", "--quiet", "--message", "all")
	for tag := range strings.FieldsSeq(versionTool(t, dir, "tags", tagged)) {
		git("tag", tag)
	}
}

// versionTool runs tools/release/version in a copy of the tree.
func versionTool(t *testing.T, dir string, args ...string) string {
	t.Helper()
	tool := filepath.Join(t.TempDir(), "version")
	command(t, root(t), "go", "build", "-C", filepath.Join("tools", "release"), "-o", tool, "./version")
	return command(t, dir, append([]string{tool}, args...)...)
}
