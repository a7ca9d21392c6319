package release

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// archive is an unpacked archive.
type archive struct {
	headers []*tar.Header
	files   map[string][]byte // by path
	program string            // where its program has been put
	zipped  time.Time         // what gzip's header says
}

func (s *snapshot) open(t *testing.T, platform string) archive {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(read(t, s.dir, s.name(platform)+".tar.gz")))
	if err != nil {
		t.Fatal(err)
	}
	a := archive{files: make(map[string][]byte), program: filepath.Join(t.TempDir(), "kubevitals"), zipped: unzipped.ModTime}
	for r := tar.NewReader(unzipped); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		a.headers, a.files[header.Name] = append(a.headers, header), data
	}
	if err := os.WriteFile(a.program, a.files[s.name(platform)+"/kubevitals"], 0o755); err != nil {
		t.Fatal(err)
	}
	return a
}

// checkArchive wants the program and what belongs to it, with nothing of this
// machine or this moment.
func (s *snapshot) checkArchive(t *testing.T, a archive) {
	t.Helper()
	date, err := time.Parse(time.RFC3339, s.stamp.date)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, h := range a.headers {
		name := filepath.Base(h.Name)
		names = append(names, name)
		mode := int64(0o644)
		if name == "kubevitals" {
			mode = 0o755
		}
		if h.Mode != mode || h.Uid != 0 || h.Gid != 0 || h.Uname != "root" || h.Gname != "root" {
			t.Errorf("%s has mode %o, owner %s (%d) and group %s (%d)", h.Name, h.Mode, h.Uname, h.Uid, h.Gname, h.Gid)
		}
		if date.Unix() > 0 && !h.ModTime.Equal(date) {
			t.Errorf("%s is of %s, and the commit of %s", h.Name, h.ModTime, date)
		}
		if name != "kubevitals" && !bytes.Equal(a.files[h.Name], read(t, root(t), name)) {
			t.Errorf("%s is not that of the tree", h.Name)
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"CHANGELOG.md", "LICENSE", "README.md", "kubevitals"}, names); diff != "" {
		t.Errorf("the archive (-want +got):\n%s", diff)
	}
	if !a.zipped.IsZero() {
		t.Errorf("the archive says when it was compressed: %s", a.zipped)
	}
}

// checkStatic wants programs for Linux that need no library and no loader.
func (a archive) checkStatic(t *testing.T) {
	t.Helper()
	data := read(t, a.program)
	if !bytes.HasPrefix(data, []byte(elf.ELFMAG)) {
		return // macOS has no static programs
	}
	file, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	libraries, err := file.ImportedLibraries()
	if err != nil || len(libraries) > 0 {
		t.Errorf("the program needs the libraries %q (%v)", libraries, err)
	}
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the program needs a loader")
		}
	}
}

// checkPaths wants nothing in a program that says where it was built.
func (s *snapshot) checkPaths(t *testing.T, a archive) {
	t.Helper()
	paths := []string{root(t), filepath.Dir(s.dir)}
	for _, variable := range []string{"GOMODCACHE", "GOCACHE", "GOROOT"} {
		paths = append(paths, command(t, root(t), "go", "env", variable))
	}
	data := read(t, a.program)
	for _, path := range paths {
		if bytes.Contains(data, []byte(path+"/")) {
			t.Errorf("the program has the path %s", path)
		}
	}
}

// checkBill wants the modules in the bill of materials that the Go command
// finds in the program.
func (s *snapshot) checkBill(t *testing.T, platform string, a archive) {
	t.Helper()
	type component struct{ Name, Version, PURL string }
	var bill struct {
		BOMFormat    string
		SerialNumber string
		Metadata     struct{ Component component }
		Components   []component
	}
	if err := json.Unmarshal(read(t, s.dir, s.name(platform)+".tar.gz.cdx.json"), &bill); err != nil {
		t.Fatal(err)
	}
	const us = "github.com/kubevitals/kubevitals"
	if c := bill.Metadata.Component; bill.BOMFormat != "CycloneDX" || bill.SerialNumber == "" || c.Name != us || c.Version != s.version {
		t.Errorf("the bill is %s %q of %+v", bill.BOMFormat, bill.SerialNumber, c)
	}
	var want, got []string
	for _, c := range bill.Components {
		got = append(got, c.Name+"@"+c.Version)
		if c.PURL != "pkg:golang/"+c.Name+"@"+c.Version {
			t.Errorf("%s has the URL %s", c.Name, c.PURL)
		}
	}
	for line := range strings.Lines(command(t, root(t), "go", "version", "-m", a.program)) {
		fields := append(strings.Fields(line), "", "", "")
		switch fields[0] {
		case a.program + ":":
			want = append(want, "stdlib@"+strings.TrimPrefix(fields[1], "go"))
		case "dep":
			want = append(want, fields[1]+"@"+fields[2])
		case "=>":
			name, _, _ := strings.Cut(want[len(want)-1], "@")
			if strings.HasPrefix(fields[1], "./") {
				want[len(want)-1] = name + "@" + s.version
			} else {
				want[len(want)-1] = fields[1] + "@" + fields[2]
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("modules (-in the program +in the bill):\n%s", diff)
	}
	if len(want) < 20 {
		t.Errorf("only %d modules were compared", len(want))
	}
}
