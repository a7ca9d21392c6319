package kubestatemetrics

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExamples makes sure that kube-state-metrics takes the legacy files of
// examples/rules as they are, and gives the same series for the objects of their
// tests, without any deviation.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "examples", "rules", "*", "crs.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no examples (%v)", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			config := read(t, file)
			_, golden, _ := strings.Cut(read(t, strings.TrimSuffix(file, ".yaml")+".txtar"), "-- input.yaml --\n")
			objects, _, ok := strings.Cut(golden, "-- output.prom --\n")
			if !ok {
				t.Fatal("the test has no input.yaml before an output.prom")
			}
			given := 0
			for _, text := range strings.Split(objects, "\n---\n") {
				in := input{config, objectOf(t, text)}
				in.resolve()
				switch deviation, err := compare(in); {
				case err != nil:
					t.Error(err)
				case deviation != "":
					t.Errorf("deviation: %s\n%s", deviation, text)
				}
				if o, err := run(in); err == nil {
					given += len(o.their)
				}
			}
			if given == 0 {
				t.Error("kube-state-metrics gives no series")
			}
		})
	}
}

// resolve names the kind of the object where the configuration has wildcards,
// as kube-state-metrics does by the CRDs of a cluster.
func (in *input) resolve() {
	apiVersion, _ := in.object["apiVersion"].(string)
	kind, _ := in.object["kind"].(string)
	_, version, _ := strings.Cut(apiVersion, "/")
	in.config = strings.ReplaceAll(in.config, `version: "*", kind: "*"`, "version: "+version+", kind: "+kind)
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
