package controlplane

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseManifests(t *testing.T) {
	f := func(manifests string, want ...string) {
		t.Helper()
		objects, err := ParseManifests([]byte(manifests))
		if err != nil {
			t.Errorf("%q: %v", manifests, err)
			return
		}
		var got []string
		for _, object := range objects {
			got = append(got, describe(object))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("objects of %q (-want +got):\n%s", manifests, diff)
		}
	}
	f("")
	f("# nothing\n---\n---\nnull\n")
	f(`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}`, `v1 Pod "a"`)
	f("apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: x}\n---\napiVersion: g/v2\nkind: B\nmetadata: {name: b}\n",
		`v1 Pod "x/a"`, `g/v2 B "b"`)
	f("apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: a}}\n- {apiVersion: g/v2, kind: B, metadata: {name: b}}\n",
		`v1 Pod "a"`, `g/v2 B "b"`)
	f("{apiVersion: v1, kind: List, items: []}")
}

func TestParseManifestsErrors(t *testing.T) {
	f := func(manifests, want string) {
		t.Helper()
		if _, err := ParseManifests([]byte(manifests)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got error %v, want %q in it", manifests, err, want)
		}
	}
	f("apiVersion: v1", "document 1: ")
	f("kind: Pod", "document 1: ")
	f("{apiVersion: v1, kind: Pod}\n---\n[", "document 2: ")
	f("{apiVersion: v1, kind: List, items: [{kind: Pod, metadata: {name: a}}]}", `document 1: object "a": no apiVersion`)
}

func TestManifestFiles(t *testing.T) {
	dir := t.TempDir()
	if _, err := manifestFiles(dir); err == nil {
		t.Error("an empty folder is no error")
	}
	for _, name := range []string{"b.yml", "a.yaml", "c.json", "kustomization.yaml", "README.md"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := manifestFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(dir, "a.yaml"), filepath.Join(dir, "b.yml"), filepath.Join(dir, "c.json")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if got, err = manifestFiles(want[0]); err != nil || len(got) != 1 || got[0] != want[0] {
		t.Errorf("got %v, error %v for a file", got, err)
	}
}

func TestGatewayAPICRDs(t *testing.T) {
	f := func(channel string, with, without string) {
		t.Helper()
		paths, err := GatewayAPICRDs(channel)
		if err != nil {
			t.Fatal(err)
		}
		names := make([]string, len(paths))
		for i, path := range paths {
			names[i] = filepath.Base(path)
		}
		all := strings.Join(names, " ")
		if !strings.Contains(all, with) || without != "" && strings.Contains(all, without) {
			t.Errorf("channel %s: got %s, want it with %q and without %q", channel, all, with, without)
		}
	}
	f("standard", "gateway.networking.k8s.io_gateways.yaml", "x-k8s.io")
	f("standard", "gateway.networking.k8s.io_httproutes.yaml", "vap")
	f("experimental", "gateway.networking.x-k8s.io_xmeshes.yaml", "vap")
	if _, err := GatewayAPICRDs("beta"); err == nil {
		t.Error("channel beta is no error")
	}
}
