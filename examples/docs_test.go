package examples_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var (
	codeBlock  = regexp.MustCompile("(?ms)^```(\\w+) ([^\\n]*)\\n(.*?)^```$")
	attribute  = regexp.MustCompile(`(\w+)="([^"]*)"`)
	docAddress = "127.0.0.1:8080"
)

// block is a block of code in a page, with the attributes behind its language.
type block struct {
	language string
	attrs    map[string]string
	body     string
}

func blocks(t *testing.T, page string) (out []block) {
	t.Helper()
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range codeBlock.FindAllStringSubmatch(string(data), -1) {
		b := block{m[1], make(map[string]string), m[3]}
		for _, a := range attribute.FindAllStringSubmatch(m[2], -1) {
			b.attrs[a[1]] = a[2]
		}
		out = append(out, b)
	}
	return out
}

// TestOperatorPage builds the programs of docs/operator.md, runs the test among
// them, and compares what the page says that the programs answer.
func TestOperatorPage(t *testing.T) {
	page := blocks(t, filepath.Join("..", "docs", "operator.md"))
	dir := module(t)
	programs := make(map[string]string) // address by folder
	for _, b := range page {
		if b.language != "go" {
			continue
		}
		file := filepath.Join(dir, b.attrs["title"])
		folder := filepath.Dir(b.attrs["title"])
		if programs[folder] == "" {
			programs[folder] = freeAddress(t)
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(b.body, docAddress, programs[folder])), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	goTool(t, dir, "vet", "./...")
	goTool(t, dir, "test", "./...")
	answers := 0
	started := make(map[string]bool)
	for _, b := range page {
		path, ok := b.attrs["get"]
		if !ok {
			continue
		}
		answers++
		folder := b.attrs["of"]
		if folder == "" {
			folder = "."
		}
		if !started[folder] {
			started[folder] = true
			run(t, dir, folder)
		}
		got := get(t, "http://"+programs[folder]+path)
		if !matches(b.body, got) {
			t.Errorf("%s of %s: want\n%s\ngot\n%s", path, folder, b.body, got)
		}
	}
	if len(programs) < 4 || answers < 4 {
		t.Errorf("found %d programs and %d answers: the pattern is broken", len(programs), answers)
	}
}

// module makes a module that needs what this one needs.
func module(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	parent, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(data), "=> ../", "=> "+parent+"/")
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func goTool(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// run runs a program until the test ends.
func run(t *testing.T, dir, folder string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "program")
	goTool(t, dir, "build", "-o", binary, "./"+folder)
	cmd := exec.CommandContext(t.Context(), binary) // killed with the test's context
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() })
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}

// get tries until somebody answers, for ten seconds at most.
func get(t *testing.T, url string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			defer func() { _ = resp.Body.Close() }()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			return string(body)
		}
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// matches compares texts, where a line of three dots in want stands for any
// number of lines.
func matches(want, got string) bool {
	pattern := regexp.QuoteMeta(want)
	pattern = strings.ReplaceAll(pattern, regexp.QuoteMeta("...")+"\n", "(?:.*\n)*?")
	return regexp.MustCompile("^" + pattern + "$").MatchString(got)
}

func TestMatches(t *testing.T) {
	f := func(want, got string, ok bool) {
		t.Helper()
		if matches(want, got) != ok {
			t.Errorf("matches(%q, %q) is not %v", want, got, ok)
		}
	}
	f("a\n", "a\n", true)
	f("a\n", "a\nb\n", false)
	f("...\nb\n", "a\nb\n", true)
	f("...\nb\n", "b\n", true)
	f("a\n...\n", "a\nb\nc\n", true)
	f("a\n...\nd\n", "a\nb\nc\n", false)
	f("a.c\n", "abc\n", false)
}
