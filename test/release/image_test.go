package release

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// plan is what BuildKit would do for an image.
type plan struct {
	image  ocispecs.Image
	bases  []string    // images that are pulled, with their platform
	runs   []*pb.Meta  // commands that are run
	copies [][2]string // from, to
}

// bases stands in the place of a registry: images without any configuration.
type bases struct{ pulled []string }

func (b *bases) ResolveImageConfig(_ context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	p := opt.ImageOpt.Platform
	if pulled := ref + " " + p.OS + "/" + p.Architecture; !slices.Contains(b.pulled, pulled) {
		b.pulled = append(b.pulled, pulled)
	}
	data, err := json.Marshal(ocispecs.Image{Platform: *p})
	return ref, digest.FromBytes(data), data, err
}

// planImage has BuildKit's frontend read deploy/Dockerfile on a machine with
// Linux on amd64.
func planImage(t *testing.T, target, os, arch string, arguments map[string]string) plan {
	t.Helper()
	registry := new(bases)
	state, image, _, _, err := dockerfile2llb.Dockerfile2LLB(t.Context(), read(t, root(t), "deploy", "Dockerfile"), dockerfile2llb.ConvertOpt{
		Config: dockerui.Config{
			Target: target, BuildArgs: arguments, BuildPlatforms: []ocispecs.Platform{{OS: "linux", Architecture: "amd64"}},
		},
		TargetPlatform: &ocispecs.Platform{OS: os, Architecture: arch}, MetaResolver: registry,
	})
	if err != nil {
		t.Fatal(err)
	}
	definition, err := state.Marshal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := plan{bases: registry.pulled}
	p.image.Platform, p.image.Config = image.Platform, image.Config.ImageConfig
	for _, data := range definition.Def {
		var op pb.Op
		if err := op.UnmarshalVT(data); err != nil {
			t.Fatal(err)
		}
		if run := op.GetExec(); run != nil {
			p.runs = append(p.runs, run.Meta)
		}
		for _, action := range op.GetFile().GetActions() {
			if c := action.GetCopy(); c != nil {
				p.copies = append(p.copies, [2]string{c.Src, c.Dest})
			}
		}
	}
	return p
}

// TestImages plans each image for two platforms, from the tree and from the
// programs of a release.
func TestImages(t *testing.T) {
	const certificates = "/etc/ssl/certs/ca-certificates.crt"
	ports := map[string][]string{"kube-state-metrics": {"8080/tcp", "8081/tcp"}, "metrics-proxy": {"15090/tcp"}}
	for _, target := range []string{"", "kubevitals", "kube-state-metrics", "metrics-proxy"} {
		for _, arch := range []string{"amd64", "arm64"} {
			for _, program := range []string{"built", "prebuilt"} {
				t.Run(path.Join(target+"-"+arch, program), func(t *testing.T) {
					p := planImage(t, target, "linux", arch, map[string]string{
						"PROGRAM": program, "VERSION": "v1.2.3", "COMMIT": "0123abcd", "DATE": commitTime,
					})
					name := target
					if name == "" {
						name = "kubevitals"
					}
					if diff := cmp.Diff([]string{"docker.io/library/golang:1.26 linux/amd64"}, p.bases); diff != "" {
						t.Errorf("base images (-want +got):\n%s", diff)
					}
					wantCopies, wantRuns := [][2]string{{certificates, "/etc/ssl/certs/"}, {"/linux/" + arch + "/kubevitals", "/kubevitals"}}, 0
					if program == "built" {
						wantCopies, wantRuns = [][2]string{{certificates, "/etc/ssl/certs/"}, {"/", "/src/"}}, 1
					}
					wantCopies = append(wantCopies, [2]string{"/kubevitals", "/" + name})
					if diff := cmp.Diff(wantCopies, p.copies); diff != "" || len(p.runs) != wantRuns {
						t.Errorf("%d commands, and copies (-want +got):\n%s", len(p.runs), diff)
					}
					config := p.image.Config
					if diff := cmp.Diff([]string{"/" + name}, config.Entrypoint); diff != "" || config.User != "65532:65532" || p.image.Architecture != arch {
						t.Errorf("the image is for %s, of user %q, and starts %v", p.image.Architecture, config.User, config.Entrypoint)
					}
					for _, port := range ports[name] {
						if _, ok := config.ExposedPorts[port]; !ok {
							t.Errorf("the image does not expose %s", port)
						}
					}
					for label, want := range map[string]string{"title": name, "version": "v1.2.3", "revision": "0123abcd", "created": commitTime, "licenses": "Apache-2.0"} {
						if got := config.Labels["org.opencontainers.image."+label]; got != want {
							t.Errorf("the label %s is %q, not %q", label, got, want)
						}
					}
				})
			}
		}
	}
}

// checkAgain builds the program as the Dockerfile does, in another folder, and
// wants the same bytes. It does so for all platforms of a snapshot, or for this
// machine's.
func (s *snapshot) checkAgain(t *testing.T, platform string, a archive) {
	t.Helper()
	goos, arch, _ := strings.Cut(platform, "_")
	p := planImage(t, "", goos, arch, map[string]string{"VERSION": s.stamp.version, "COMMIT": s.stamp.commit, "DATE": s.stamp.date})
	if len(p.runs) != 1 {
		t.Fatalf("the Dockerfile runs %d commands, want one that builds", len(p.runs))
	}
	again := filepath.Join(t.TempDir(), "kubevitals")
	line := strings.Join(p.runs[0].Args[2:], " ")
	if strings.Count(line, " -o /kubevitals ") != 1 {
		t.Fatalf("the Dockerfile does not build /kubevitals: %s", line)
	}
	cmd := exec.CommandContext(t.Context(), p.runs[0].Args[0], p.runs[0].Args[1], strings.Replace(line, " -o /kubevitals ", " -o "+again+" ", 1))
	cmd.Dir = copyTree(t)
	cmd.Env = append(os.Environ(), slices.DeleteFunc(p.runs[0].Env, func(v string) bool { return strings.HasPrefix(v, "PATH=") })...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	if !bytes.Equal(read(t, a.program), read(t, again)) {
		t.Errorf("the Dockerfile builds another program than GoReleaser: compare\n%s\nwith\n%s",
			command(t, root(t), "go", "version", "-m", a.program), command(t, root(t), "go", "version", "-m", again))
	}
}
