package kubestatemetrics

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
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
				in.resolve(t)
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

// resolve takes a configuration out of the values of a Helm chart, and names the kind
// of the object where it has wildcards, as kube-state-metrics does by the CRDs of a
// cluster.
func (in *input) resolve(t *testing.T) {
	t.Helper()
	var config map[string]any
	if err := yaml.Unmarshal([]byte(in.config), &config); err != nil {
		t.Fatal(err)
	}
	if values, ok := config["customResourceState"].(map[string]any); ok {
		config, _ = values["config"].(map[string]any)
	}
	apiVersion, _ := in.object["apiVersion"].(string)
	group, version, _ := strings.Cut(apiVersion, "/")
	spec, _ := config["spec"].(map[string]any)
	resources, _ := spec["resources"].([]any)
	for _, r := range resources {
		resource, _ := r.(map[string]any)
		gvk, _ := resource["groupVersionKind"].(map[string]any)
		if gvk["group"] != group {
			continue
		}
		if gvk["version"] == "*" {
			gvk["version"] = version
		}
		if gvk["kind"] == "*" {
			gvk["kind"] = in.object["kind"]
		}
	}
	text, err := yaml.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	in.config = string(text)
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
