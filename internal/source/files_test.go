package source

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/internal/store"
)

// TestFilesKeepWhatWasGood breaks a file, mends it and removes it.
func TestFilesKeepWhatWasGood(t *testing.T) {
	dir := t.TempDir()
	set := setOf(t, "{group: a.io, kind: Foo}", "{group: a.io, kind: Bar}")
	s := store.New(set, store.Options{})
	f := &Files{Paths: []string{dir}, Set: set, Store: s, Log: slog.New(slog.DiscardHandler)}
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(what, wantKinds string, wantErr bool) {
		t.Helper()
		if err := f.Load(); (err != nil) != wantErr || (f.Err() != nil) != wantErr {
			t.Errorf("%s: error %v", what, err)
		}
		var kinds []string
		for _, k := range s.Status() {
			if k.Objects > 0 {
				kinds = append(kinds, k.GVK.Kind)
			}
		}
		if got := strings.Join(kinds, " "); got != wantKinds {
			t.Errorf("%s: objects of %q, want %q", what, got, wantKinds)
		}
	}
	put("foo.yaml", "{apiVersion: a.io/v1, kind: Foo, metadata: {name: f}, v: 1}")
	put("bar.yaml", "{apiVersion: a.io/v1, kind: Bar, metadata: {name: b}, v: 1}")
	expect("at first", "Foo Bar", false)
	put("bar.yaml", "apiVersion: [")
	expect("broken", "Foo Bar", true)
	expect("still broken", "Foo Bar", true)
	put("bar.yaml", "{apiVersion: a.io/v1, kind: Bar, metadata: {name: other}, v: 1}")
	expect("mended", "Foo Bar", false)
	if err := os.Remove(filepath.Join(dir, "bar.yaml")); err != nil {
		t.Fatal(err)
	}
	expect("removed", "Foo", false)
}

func TestFilesReadStdinOnce(t *testing.T) {
	set := setOf(t, "{group: a.io, kind: Foo}")
	s := store.New(set, store.Options{})
	f := &Files{
		Paths: []string{"-"}, Stdin: strings.NewReader("{apiVersion: a.io/v1, kind: Foo, v: 1}\n---\n{apiVersion: v1, kind: Pod}"),
		Set: set, Store: s, Log: slog.New(slog.DiscardHandler),
	}
	for range 2 {
		if err := f.Load(); err != nil {
			t.Fatal(err)
		}
		if st := s.Status(); len(st) != 1 || st[0].Objects != 1 {
			t.Errorf("status %+v", st)
		}
	}
	if n := f.Unmatched(); len(n) != 1 {
		t.Errorf("objects without a rule: %v", n)
	}
}

func TestConcerns(t *testing.T) {
	paths := []string{"/data/objects.yaml", "/dumps"}
	for name, want := range map[string]bool{
		"/data/objects.yaml": true, "/data/other.log": false, "/data/..data": true,
		"/dumps/a.yaml": true, "/dumps/sub/b.yaml": true, "/dumpster/c.yaml": false,
	} {
		if got := concerns(paths, name); got != want {
			t.Errorf("%s concerns us: %v, want %v", name, got, want)
		}
	}
}
