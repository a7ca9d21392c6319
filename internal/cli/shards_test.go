package cli_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/kubevitals/kubevitals/catalog"
	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/shard"
	"github.com/kubevitals/kubevitals/internal/source"
	"github.com/kubevitals/kubevitals/internal/store"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

// catalogObjects returns the objects of the demo, and of the tests of all catalogs.
func catalogObjects(t *testing.T) []map[string]any {
	t.Helper()
	var all []map[string]any
	read := func(name string, data []byte) {
		objects, err := source.ReadObjects([]string{"-"}, bytes.NewReader(data))
		if err != nil && len(objects) == 0 {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, objects...)
	}
	demo, err := os.ReadFile(filepath.Join("demo", "cluster.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	read("demo", demo)
	for _, name := range catalog.Names() {
		for _, file := range catalogTests(t, name) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range a.Files {
				if strings.HasPrefix(f.Name, "input") {
					read(file, f.Data)
				}
			}
		}
	}
	return all
}

// exposed returns what a shard gives of some objects: the headers of families, and
// how often each sample is there.
func exposed(t *testing.T, set *rule.Set, objects []map[string]any, part shard.Shard) (headers []string, samples map[string]int) {
	t.Helper()
	s := store.New(set, store.Options{Shard: part, Budget: time.Minute, Now: func() time.Time { return time.Unix(1.8e9, 0) }})
	files := &source.Files{Set: set, Store: s}
	files.Put(slices.Clone(objects), 0)
	families, err := s.Gather(t.Context(), exposition.Text)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	w := exposition.NewWriter(&text, exposition.Text, false)
	for _, f := range families {
		w.WriteRendered(f)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	samples = make(map[string]int)
	for line := range strings.Lines(text.String()) {
		if strings.HasPrefix(line, "#") {
			headers = append(headers, line)
		} else {
			samples[line]++
		}
	}
	return headers, samples
}

// TestShards: with all catalogs and all of their groups, shards are disjoint, and
// together what one instance gives.
func TestShards(t *testing.T) {
	objects := catalogObjects(t)
	for _, name := range catalog.Names() {
		t.Run(name, func(t *testing.T) {
			set := compileCatalog(t, name, catalogGroups(t, name)...)
			wantHeaders, want := exposed(t, set, objects, shard.Shard{})
			if len(want) < 100 {
				t.Fatalf("only %d samples", len(want))
			}
			for count := 1; count <= 5; count++ {
				var headers []string
				together := make(map[string]int)
				for i := range count {
					h, samples := exposed(t, set, objects, shard.Shard{Index: i, Count: count})
					headers = append(headers, h...)
					for line, n := range samples {
						together[line] += n
					}
				}
				if diff := cmp.Diff(want, together); diff != "" {
					t.Errorf("%d shards (-one instance +together):\n%s", count, diff)
				}
				if diff := cmp.Diff(unique(wantHeaders), unique(headers)); diff != "" {
					t.Errorf("headers of %d shards (-one instance +together):\n%s", count, diff)
				}
			}
		})
	}
}

func unique(lines []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(lines)))
}

// TestShardsServe runs shards of files, which say which ones they are.
func TestShardsServe(t *testing.T) {
	const count = 3
	args := []string{"state", "--from", filepath.Join("demo", "cluster.yaml"), "--catalog", "gateway-api", "--catalog", "kuadrant"}
	own := func(s *server) map[string]bool {
		out := make(map[string]bool)
		_, body := s.get(t, "/metrics")
		for line := range strings.Lines(body) {
			if strings.HasPrefix(line, "gatewayapi_") || strings.HasPrefix(line, "kuadrant_") {
				out[line] = true
			}
		}
		return out
	}
	whole := serve(t, args...)
	_, body := whole.get(t, "/metrics")
	for _, line := range []string{"kubevitals_state_shard 0\n", "kubevitals_state_total_shards 1\n"} {
		if !strings.Contains(body, line) {
			t.Errorf("one instance: no line %s", line)
		}
	}
	together := make(map[string]bool)
	for i := range count {
		s := serve(t, append(args, fmt.Sprintf("--shard=%d", i), fmt.Sprintf("--total-shards=%d", count))...)
		_, body := s.get(t, "/metrics")
		for _, line := range []string{fmt.Sprintf("kubevitals_state_shard %d\n", i), "kubevitals_state_total_shards 3\n"} {
			if !strings.Contains(body, line) {
				t.Errorf("shard %d: no line %s", i, line)
			}
		}
		if _, page := s.get(t, "/"); !strings.Contains(page, fmt.Sprintf("Objects from files, shard %d of 3, counted from 0", i)) {
			t.Errorf("shard %d: the landing page does not say so:\n%s", i, page)
		}
		mine := own(s)
		if len(mine) == 0 {
			t.Errorf("shard %d serves nothing", i)
		}
		for line := range mine {
			if together[line] {
				t.Errorf("two shards serve %s", line)
			}
			together[line] = true
		}
	}
	if diff := cmp.Diff(own(whole), together); diff != "" {
		t.Errorf("-one instance +shards:\n%s", diff)
	}
}
