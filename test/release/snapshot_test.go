package release

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

var dist = flag.String("dist", "", "folder that holds a snapshot to check, instead of making one for this machine's platform")

// snapshot is what GoReleaser has left in a folder.
type snapshot struct {
	dir       string
	version   string // with a v
	platforms []string
	stamp     stamp // what the program of this machine's platform says of itself
}

var host = runtime.GOOS + "_" + runtime.GOARCH

// TestSnapshot checks archives that GoReleaser has made: those of "make
// snapshot", with -dist, or one for this machine, of a repository that has the
// tags of a release. It compares the programs with what the Dockerfile builds in
// another folder.
func TestSnapshot(t *testing.T) {
	s := &snapshot{dir: *dist, platforms: []string{"darwin_amd64", "darwin_arm64", "linux_amd64", "linux_arm64"}}
	if s.dir == "" {
		s.platforms = []string{host}
		s.dir = makeSnapshot(t)
	}
	var metadata struct{ Version string }
	if err := json.Unmarshal(read(t, s.dir, "metadata.json"), &metadata); err != nil {
		t.Fatal(err)
	}
	s.version = "v" + metadata.Version
	if *dist == "" && s.version != "v1.2.4-snapshot" {
		t.Errorf("after %s comes %s", tagged, s.version)
	}
	s.checkFiles(t)
	s.checkSums(t)
	if *dist == "" {
		if diff := cmp.Diff(string(read(t, s.dir, "checksums.txt")), string(read(t, makeSnapshot(t), "checksums.txt"))); diff != "" {
			t.Errorf("the same commit in another folder gives other files (-one +other):\n%s", diff)
		}
	}
	archives := make(map[string]archive)
	for _, platform := range s.platforms {
		archives[platform] = s.open(t, platform)
	}
	own, ok := archives[host]
	if !ok {
		t.Fatalf("no archive is for %s, which could be run", host)
	}
	s.checkVersion(t, own)
	for platform, a := range archives {
		t.Run(platform, func(t *testing.T) {
			s.checkArchive(t, a)
			a.checkStatic(t)
			s.checkPaths(t, a)
			s.checkBill(t, platform, a)
			s.checkAgain(t, platform, a)
		})
	}
}

// makeSnapshot runs GoReleaser as the Makefile does, in a copy of the tree, for
// the platform of this machine.
func makeSnapshot(t *testing.T) string {
	t.Helper()
	dir := copyTree(t)
	commitTree(t, dir)
	var config map[string]any
	if err := yaml.Unmarshal(read(t, dir, ".goreleaser.yaml"), &config); err != nil {
		t.Fatal(err)
	}
	for _, build := range config["builds"].([]any) {
		b := build.(map[string]any)
		b["goos"], b["goarch"] = []string{runtime.GOOS}, []string{runtime.GOARCH}
	}
	data, err := yaml.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, data, dir, ".goreleaser.yaml")
	goreleaser(t, dir, "release", "--snapshot", "--clean", "--skip=docker,sign")
	return filepath.Join(dir, "dist")
}

func goreleaser(t *testing.T, dir string, args ...string) string {
	t.Helper()
	modfile := filepath.Join(root(t), "tools", "release", "go.mod")
	return command(t, dir, append([]string{"go", "tool", "-modfile=" + modfile, "goreleaser"}, args...)...)
}

// name returns the name of an archive, without what it ends in.
func (s *snapshot) name(platform string) string {
	return "kubevitals_" + strings.TrimPrefix(s.version, "v") + "_" + platform
}

// checkFiles wants every archive and its bill of materials, and no others.
func (s *snapshot) checkFiles(t *testing.T) {
	t.Helper()
	want := []string{"checksums.txt"}
	for _, platform := range s.platforms {
		want = append(want, s.name(platform)+".tar.gz", s.name(platform)+".tar.gz.cdx.json")
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		if !e.IsDir() && !slices.Contains([]string{"artifacts.json", "config.yaml", "metadata.json"}, e.Name()) {
			got = append(got, e.Name())
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// checkSums wants the right checksum of each archive and bill.
func (s *snapshot) checkSums(t *testing.T) {
	t.Helper()
	got := make(map[string]string)
	for line := range strings.Lines(string(read(t, s.dir, "checksums.txt"))) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok {
			t.Errorf("checksums.txt has the line %q", line)
		}
		got[name] = sum
	}
	want := make(map[string]string)
	for _, platform := range s.platforms {
		for _, end := range []string{".tar.gz", ".tar.gz.cdx.json"} {
			sum := sha256.Sum256(read(t, s.dir, s.name(platform)+end))
			want[s.name(platform)+end] = hex.EncodeToString(sum[:])
		}
	}
	if !maps.Equal(want, got) {
		t.Errorf("checksums (-want +got):\n%s", cmp.Diff(want, got))
	}
}

// stamp is what a release says of itself.
type stamp struct{ version, commit, date string }

var versionLine = regexp.MustCompile(`^kubevitals (\S+) \(commit (\S+), (\S+), (go\S+), (\S+)\)$`)

// checkVersion runs the program of this machine's platform.
func (s *snapshot) checkVersion(t *testing.T, a archive) {
	t.Helper()
	line := command(t, t.TempDir(), a.program, "version")
	m := versionLine.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("the program says %q", line)
	}
	s.stamp = stamp{version: m[1], commit: m[2], date: m[3]}
	if s.stamp.version != s.version || m[5] != runtime.GOOS+"/"+runtime.GOARCH {
		t.Errorf("the program of version %s says %q", s.version, line)
	}
	if *dist != "" {
		return
	}
	if head := command(t, filepath.Dir(s.dir), "git", "rev-parse", "HEAD"); s.stamp.commit != head || s.stamp.date != commitTime {
		t.Errorf("the program of commit %s at %s says %q", head, commitTime, line)
	}
	eval := command(t, root(t), a.program, "eval", filepath.Join("internal", "cli", "demo", "cluster.yaml"))
	if !strings.Contains(eval, "\ngatewayapi_") {
		t.Errorf("the program gives no metrics of the demo:\n%s", eval)
	}
}
