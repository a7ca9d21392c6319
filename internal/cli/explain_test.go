package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
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
