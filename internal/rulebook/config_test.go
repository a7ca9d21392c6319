package rulebook

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// folder writes files into a folder of their own.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestFiles has what is in folders, in order, and a file that may be missing.
func TestFiles(t *testing.T) {
	dir := folder(t, map[string]string{"b.yml": "", "a.yaml": "", ".hidden.yaml": "", "README.md": "", "c.json": ""})
	gone := filepath.Join(dir, "gone.yaml")
	f := func(c Config, want ...string) {
		t.Helper()
		var got []string
		for _, file := range c.Files() {
			name := strings.TrimPrefix(file.Name, dir+"/")
			if file.Legacy {
				name += " legacy"
			}
			got = append(got, name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	f(Config{Paths: []string{dir}, Legacy: filepath.Join(dir, "a.yaml")}, "a.yaml", "b.yml", "c.json", "a.yaml legacy")
	f(Config{Legacy: gone}, "gone.yaml legacy") // reading it tells that it is not there
	f(Config{Legacy: gone, MayMiss: true})
	f(Config{Paths: []string{gone}}, "gone.yaml")
}

// TestDefaults are used when nothing else is asked for.
func TestDefaults(t *testing.T) {
	f := func(c Config, families bool) {
		t.Helper()
		set, err := c.Load(io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(set.Families()) > 0; got != families {
			t.Errorf("families: %t, want %t", got, families)
		}
	}
	f(Config{}, true)
	f(Config{NoDefaults: true}, false)
	f(Config{ConfigMaps: true}, false)
}

// TestSurvey leaves out files with errors, and goes on with the others.
func TestSurvey(t *testing.T) {
	dir := folder(t, map[string]string{
		"a.yaml": rulesOf("a", "gauge"), "b.yaml": rulesOf("b", "gouge"), "c.yaml": rulesOf("c", "gauge") + "    enable: some\n",
	})
	c := Config{Paths: []string{dir, filepath.Join(dir, "gone.yaml")}, Enable: []string{"some"}}
	s, err := c.Survey()
	if err != nil {
		t.Fatal(err)
	}
	var families []string
	for _, f := range s.Set.Families() {
		families = append(families, f.Name)
	}
	if diff := cmp.Diff([]string{"a", "c"}, families); diff != "" {
		t.Errorf("families (-want +got)\n%s", diff)
	}
	if len(s.Files) != 3 || len(s.Errs) != 1 {
		t.Errorf("%d files and %d errors, want 3 and 1: %v", len(s.Files), len(s.Errs), s.Errs)
	}
	if err := s.Findings.Err(); err == nil || !strings.Contains(err.Error(), "gouge") {
		t.Errorf("findings are %v", err)
	}
	if diff := cmp.Diff([]string{"some"}, c.Enable); diff != "" {
		t.Errorf("the configuration has changed (-want +got)\n%s", diff)
	}
}
