package dashboard_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kubevitals/kubevitals/internal/dashboard"
)

var update = flag.Bool("update", false, "write catalog/*/dashboards anew")

// TestGenerated compares the files of the catalogs with what is declared, and with
// -update writes them. A file that nothing declares is one too many.
func TestGenerated(t *testing.T) {
	root := filepath.Join("..", "..", "catalog")
	var want []string
	for _, f := range dashboard.All() {
		data, err := f.JSON()
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(root, f.Family, "dashboards", f.Name)
		want = append(want, file)
		if *update {
			write(t, file, data)
			continue
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s is not what is declared (%v): run \"make generate\"", file, err)
		}
	}
	got, err := filepath.Glob(filepath.Join(root, "*", "dashboards", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range got {
		if slices.Contains(want, file) {
			continue
		}
		if !*update {
			t.Errorf("nothing declares %s: run \"make generate\"", file)
		} else if err := os.Remove(file); err != nil {
			t.Error(err)
		}
	}
}

func write(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
}
