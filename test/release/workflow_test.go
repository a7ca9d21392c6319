package release

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// TestConfiguration has GoReleaser check its file, without a word about what is
// deprecated.
func TestConfiguration(t *testing.T) {
	if out := goreleaser(t, root(t), "check"); strings.Contains(strings.ToLower(out), "deprecat") {
		t.Error(out)
	}
	var config struct {
		Dockers []struct {
			Dockerfile, ID string
			Images, Flags  []string
			Platforms      []string
			BuildArgs      map[string]string `json:"build_args"`
		} `json:"dockers_v2"`
	}
	if err := yaml.Unmarshal(read(t, root(t), ".goreleaser.yaml"), &config); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range config.Dockers {
		got = append(got, d.ID)
		if diff := cmp.Diff([]string{"ghcr.io/kubevitals/" + d.ID}, d.Images); diff != "" {
			t.Errorf("images of %s (-want +got):\n%s", d.ID, diff)
		}
		target, ok := strings.CutPrefix(strings.Join(d.Flags, " "), "--target=")
		if !ok || target != d.ID || d.Dockerfile != "deploy/Dockerfile" {
			t.Errorf("%s is made of the target %q of %s", d.ID, target, d.Dockerfile)
		}
		for _, platform := range d.Platforms {
			goos, arch, _ := strings.Cut(platform, "/")
			if p := planImage(t, target, goos, arch, d.BuildArgs); len(p.runs) != 0 {
				t.Errorf("%s for %s is compiled: %s", d.ID, platform, p.runs)
			}
		}
	}
	if diff := cmp.Diff([]string{"kubevitals", "kube-state-metrics", "metrics-proxy"}, got); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
}

// workflow is a workflow of GitHub, as far as it is tested.
type workflow struct {
	On          map[string]map[string][]string
	Permissions map[string]string
	Jobs        map[string]struct {
		Permissions map[string]string
		Env         map[string]string
		Steps       []struct{ Uses, Run string }
	}
}

var (
	pinned  = regexp.MustCompile(`^[a-z-]+/[a-z-]+@v\d+$`)
	makes   = regexp.MustCompile(`(?m)\bmake ([a-z-]+)`)
	allowed = map[string]string{"contents": "write", "packages": "write", "id-token": "write"}
)

// TestWorkflow reads the workflow: what starts it, what it may do, and that the
// targets it makes are there.
func TestWorkflow(t *testing.T) {
	data := read(t, root(t), ".github", "workflows", "release.yaml")
	// The library reads YAML 1.1, where the key "on" is a boolean; GitHub reads 1.2.
	data = bytes.Replace(data, []byte("\non:\n"), []byte("\n\"on\":\n"), 1)
	var w workflow
	if err := yaml.Unmarshal(data, &w); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]map[string][]string{"push": {"tags": {"v*"}}}, w.On); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if w.Permissions == nil || len(w.Permissions) > 0 {
		t.Errorf("all jobs may %v", w.Permissions)
	}
	made := make(map[string]bool)
	for name, job := range w.Jobs {
		if diff := cmp.Diff(allowed, job.Permissions); diff != "" {
			t.Errorf("permissions of %s (-want +got):\n%s", name, diff)
		}
		if job.Env["VERSION"] != "${{ github.ref_name }}" {
			t.Errorf("the version of %s is %q", name, job.Env["VERSION"])
		}
		for _, step := range job.Steps {
			if step.Uses != "" && !pinned.MatchString(step.Uses) {
				t.Errorf("%s uses %s: want a major version", name, step.Uses)
			}
			for _, m := range makes.FindAllStringSubmatch(step.Run, -1) {
				made[m[1]] = true
				command(t, root(t), "make", "--dry-run", m[1], "VERSION="+tagged)
			}
		}
	}
	if diff := cmp.Diff(map[string]bool{"snapshot": true, "release": true}, made); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
}

// TestVersion gives a copy of the tree a version, as docs/releasing.md says, and
// builds it: that of the modules, the rock and the changes.
func TestVersion(t *testing.T) {
	const version = "v1.7.8"
	dir := copyTree(t)
	tool := filepath.Join(t.TempDir(), "version")
	command(t, root(t), "go", "build", "-C", filepath.Join("tools", "release"), "-o", tool, "./version")
	out, err := try(t, dir, tool, "check", version)
	for _, file := range []string{"go.mod", filepath.Join("operator", "prom", "go.mod"), "rockcraft.yaml", "CHANGELOG.md"} {
		if err == nil || !strings.Contains(out, file) {
			t.Errorf("before the version is set, check does not speak of %s (%v):\n%s", file, err, out)
		}
	}
	for _, wrong := range []string{"1.7.8", "v1.7", "v2.0.0", "v1.7.8+build"} {
		if out, err := try(t, dir, tool, "set", wrong); err == nil {
			t.Errorf("%s is taken for a version: %s", wrong, out)
		}
	}
	pending := section(t, dir, "Unreleased")
	command(t, dir, tool, "set", version)
	command(t, dir, tool, "check", version)
	if got := command(t, dir, tool, "notes", version); got != pending {
		t.Errorf("notes (-want +got):\n%s", cmp.Diff(pending, got))
	}
	if rest := section(t, dir, "Unreleased"); rest != "" {
		t.Errorf("the next version has already %s", rest)
	}
	if out, err := try(t, dir, tool, "check", "v1.7.9"); err == nil {
		t.Errorf("another version is there as well: %s", out)
	}
	before := read(t, dir, "CHANGELOG.md")
	command(t, dir, tool, "set", version)
	if diff := cmp.Diff(string(before), string(read(t, dir, "CHANGELOG.md"))); diff != "" {
		t.Errorf("to set it twice changes (-once +twice):\n%s", diff)
	}
	for _, module := range []string{".", filepath.Join("operator", "prom"), "otelreceiver"} {
		list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{.Path}} {{.Version}}{{end}}", "./...")
		list.Dir, list.Env = filepath.Join(dir, module), append(os.Environ(), "GOPROXY=off")
		out, err := list.CombinedOutput()
		if err != nil || !strings.Contains(string(out), fmt.Sprintf("kubevitals/operator %s\n", version)) {
			t.Errorf("module %s does not need operator %s (%v):\n%s", module, version, err, out)
		}
	}
	tags := strings.Fields(command(t, dir, tool, "tags", "v0.1.0"))
	if last := tags[len(tags)-1]; last != "v0.1.0" {
		t.Errorf("the last tag is %s", last)
	}
	page := string(read(t, root(t), "docs", "releasing.md"))
	for _, tag := range tags {
		if !regexp.MustCompile(`(?m)^ *for tag in (?:.* )?` + regexp.QuoteMeta(tag) + `[ ;].*do$`).MatchString(page) {
			t.Errorf("docs/releasing.md does not make the tag %s", tag)
		}
	}
}

// section returns what the CHANGELOG has below a heading.
func section(t *testing.T, dir, heading string) string {
	t.Helper()
	_, after, ok := strings.Cut(string(read(t, dir, "CHANGELOG.md")), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("the CHANGELOG has no heading %s", heading)
	}
	after, _, _ = strings.Cut(after, "\n## ")
	return strings.TrimSpace(after)
}
