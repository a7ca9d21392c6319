package cli_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	codeBlock = regexp.MustCompile("(?ms)^```(\\w+)([^\\n]*)\\n(.*?)^```$")
	fileTitle = regexp.MustCompile(`title="([^"]+)"`)
)

// TestDocs runs what the documentation shows. In a "console" block a line that
// starts with a dollar is run, and what follows must be its output; a line of
// three dots stands for any number of lines. A block with title="NAME" is
// written to that file before. In an "sh" block, which may need a cluster, each
// kubevitals command must have flags that exist.
func TestDocs(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	runbooks, err := filepath.Glob(filepath.Join(root, "docs", "runbooks", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	pages = append(pages, runbooks...)
	examples := 0
	for _, page := range append(pages, filepath.Join(root, "README.md"), filepath.Join(root, "examples", "rules", "README.md")) {
		t.Run(strings.TrimPrefix(page, root+string(filepath.Separator)), func(t *testing.T) {
			data, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			dir := docsDir(t, root)
			for _, m := range codeBlock.FindAllStringSubmatch(string(data), -1) {
				language, title, body := m[1], fileTitle.FindStringSubmatch(m[2]), m[3]
				switch {
				case language == "go": // built by the module examples
				case title != nil:
					if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(title[1])), 0o755); err != nil {
						t.Fatal(err)
					}
					write(t, dir, title[1], body)
				case language == "console":
					examples++
					checkConsole(t, dir, body)
				case language == "sh":
					examples++
					checkFlags(t, body)
				}
			}
		})
	}
	if examples < 5 {
		t.Errorf("found only %d examples: the pattern is broken", examples)
	}
}

// docsDir is a folder that looks like the repository, with kubevitals in bin.
func docsDir(t *testing.T, root string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"catalog", "deploy", "examples", "internal"} {
		if err := os.Symlink(filepath.Join(root, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"kubevitals", "kube-state-metrics", "metrics-proxy"} {
		if err := os.Symlink(self, filepath.Join(dir, "bin", name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func checkConsole(t *testing.T, dir, body string) {
	t.Helper()
	var command string
	var want []string
	check := func() {
		if command == "" {
			return
		}
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "KUBEVITALS_TEST_MAIN=1", "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
		out, _ := cmd.CombinedOutput()
		var got []string
		if len(out) > 0 {
			got = strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
		}
		if err := matchLines(want, got); err != nil {
			t.Errorf("$ %s\n%v\noutput:\n%s", command, err, out)
		}
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(body, "\n"), "\n") {
		if next, ok := strings.CutPrefix(line, "$ "); ok {
			check()
			command, want = next, nil
		} else {
			want = append(want, line)
		}
	}
	check()
}

// matchLines compares lines, where "..." in want stands for any number of them.
func matchLines(want, got []string) error {
	for i, line := range want {
		if line == "..." {
			rest := want[i+1:]
			for skip := 0; skip <= len(got); skip++ {
				if matchLines(rest, got[skip:]) == nil {
					return nil
				}
			}
			return fmt.Errorf("nothing after the dots matches %q", rest)
		}
		if len(got) == 0 {
			return fmt.Errorf("missing line %q", line)
		}
		if line != got[0] {
			return fmt.Errorf("got line  %q\nwant line %q", got[0], line)
		}
		got = got[1:]
	}
	if len(got) > 0 {
		return fmt.Errorf("unexpected line %q", got[0])
	}
	return nil
}

var kubevitalsCommand = regexp.MustCompile(`(?m)(?:^|\| )kubevitals ([^|#\n]*)`)

func checkFlags(t *testing.T, body string) {
	t.Helper()
	body = strings.ReplaceAll(body, "\\\n", " ")
	for _, m := range kubevitalsCommand.FindAllStringSubmatch(body, -1) {
		if r := run(t, nil, append(strings.Fields(m[1]), "--help")...); r.code != 0 {
			t.Errorf("kubevitals %s: %s", m[1], r.stderr)
		}
	}
}
