package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/kubevitals/kubevitals/catalog"
)

// TestExplain runs the command lines of each file in testdata/explain: the lines
// of its file "commands", on the other files. What they print, with their exit
// codes, is the file "output".
//
//	go test ./internal/cli -run TestExplain -update
func TestExplain(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(here, "testdata", "explain", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests (%v)", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { checkExplain(t, file) })
	}
}

func checkExplain(t *testing.T, file string) {
	t.Helper()
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir, commands := t.TempDir(), ""
	output := -1
	for i, f := range a.Files {
		switch f.Name {
		case "commands":
			commands = string(f.Data)
		case "output":
			output = i
		default:
			write(t, dir, f.Name, string(f.Data))
		}
	}
	if output < 0 {
		t.Fatalf("%s has no output", file)
	}
	var b strings.Builder
	t.Chdir(dir)
	for command := range strings.Lines(commands) {
		r := run(t, nil, append([]string{"explain", "--now", "2026-01-01T00:00:00Z"}, words(command)...)...)
		fmt.Fprintf(&b, "$ explain %s%s%s(exit code %d)\n\n", command, r.stderr, r.out, r.code)
	}
	if got, want := b.String(), string(a.Files[output].Data); got != want {
		if !*update {
			t.Errorf("%s differs (-want +got):\n%s", file, cmp.Diff(want, got))
			return
		}
		a.Files[output].Data = []byte(got)
		write(t, filepath.Dir(file), filepath.Base(file), string(txtar.Format(a)))
	}
}

// TestExplainCatalogs makes sure that what eval gives for the objects of the
// catalogs' tests, explain explains: the same series, each with a rule.
func TestExplainCatalogs(t *testing.T) {
	for _, name := range catalog.Names() {
		for _, file := range catalogTests(t, name) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var input []byte
			for _, f := range a.Files {
				if f.Name == "input.yaml" {
					input = f.Data
				}
			}
			checkExplained(t, name, input)
		}
	}
}

// checkExplained compares explain with eval for some objects.
func checkExplained(t *testing.T, name string, input []byte) {
	t.Helper()
	now := "--now=2026-01-01T00:00:00Z"
	want := make(map[string]int)
	for line := range strings.Lines(run(t, input, "eval", now, "--catalog", name, "-").ok(t)) {
		if !strings.HasPrefix(line, "#") {
			want[line]++
		}
	}
	if len(want) == 0 {
		return // all of it is in groups that are off
	}
	series := ""
	for line := range strings.Lines(run(t, input, "explain", "--catalog", name, now, `{__name__=~".+"}`, "-").ok(t)) {
		switch {
		case !strings.HasPrefix(line, " ") && line != "\n":
			series = line
		case strings.HasPrefix(line, "  rule") && want[series] > 0:
			delete(want, series)
		}
	}
	for line := range want {
		t.Errorf("catalog %s: not explained: %s", name, line)
	}
}

// words splits a command line; single quotes keep blanks together.
func words(line string) []string {
	var out []string
	for i, part := range strings.Split(strings.TrimSpace(line), "'") {
		if i%2 == 1 {
			out = append(out, part)
		} else {
			out = append(out, strings.Fields(part)...)
		}
	}
	return out
}
