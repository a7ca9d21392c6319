package examples

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPlainSize holds the exporter with everything that the SDK has, RBAC and
// TLS included, to 7 MiB. HTTP/2 is left out of the build, as neither its server
// nor its client uses it.
func TestPlainSize(t *testing.T) {
	t.Setenv("CGO_ENABLED", "0")
	binary := filepath.Join(t.TempDir(), "plain")
	goTool(t, "build", "-trimpath", "-tags", "nethttpomithttp2", "-ldflags", "-s -w", "-o", binary, "./plain")
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes", info.Size())
	if info.Size() > 7<<20 {
		t.Errorf("the binary has %d bytes, more than %d", info.Size(), 7<<20)
	}
}

// TestPlainModules: the exporter is built of the standard library and the SDK.
func TestPlainModules(t *testing.T) {
	got := goTool(t, "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "./plain")
	for _, module := range unique(got) {
		if module != "github.com/kubevitals/kubevitals/examples" && module != "github.com/kubevitals/kubevitals/operator" {
			t.Errorf("the module %s is in the build", module)
		}
	}
}
