package otelreceiver

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.yaml.in/yaml/v3"
)

// blocks returns the blocks of YAML in the README.
func blocks(t *testing.T) (out []string) {
	t.Helper()
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(data, -1) {
		out = append(out, string(m[1]))
	}
	return out
}

// TestReadmeConfigs: the configurations can be read and are valid, and their
// pipelines have what they name.
func TestReadmeConfigs(t *testing.T) {
	n := 0
	for _, text := range blocks(t) {
		var doc struct {
			Receivers, Exporters map[string]map[string]any
			Service              struct {
				Pipelines map[string]struct{ Receivers, Exporters []string }
			}
		}
		if err := yaml.Unmarshal([]byte(text), &doc); err != nil || doc.Service.Pipelines == nil {
			continue // the manifest
		}
		n++
		for name, body := range doc.Receivers {
			var id component.ID
			if err := id.UnmarshalText([]byte(name)); err != nil || id.Type() != Type {
				t.Errorf("receiver %s: %v", name, err)
			}
			c := NewFactory().CreateDefaultConfig()
			if err := confmap.NewFromStringMap(body).Unmarshal(c); err != nil {
				t.Errorf("%s: %v", name, err)
			} else if err := confmap.Validate(c); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for name, p := range doc.Service.Pipelines {
			for _, r := range p.Receivers {
				if _, ok := doc.Receivers[r]; !ok {
					t.Errorf("pipeline %s: no receiver %s", name, r)
				}
			}
			for _, e := range p.Exporters {
				if _, ok := doc.Exporters[e]; !ok {
					t.Errorf("pipeline %s: no exporter %s", name, e)
				}
			}
		}
	}
	if n != 3 {
		t.Errorf("%d configurations", n)
	}
}

// TestReadmeManifest: the manifest asks for this module, and for versions of the
// collector that it is made for.
func TestReadmeManifest(t *testing.T) {
	data, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := func(module string) string {
		m := regexp.MustCompile(`(?m)^\t` + regexp.QuoteMeta(module) + ` (v\S+)`).FindSubmatch(data)
		if m == nil {
			t.Fatalf("go.mod has no %s", module)
		}
		return string(m[1])
	}
	stable, unstable := version("go.opentelemetry.io/collector/component"), version("go.opentelemetry.io/collector/component/componenttest")
	type module struct{ Gomod, Path string }
	var manifest struct {
		Dist                            map[string]string
		Receivers, Exporters, Providers []module
		Replaces                        []string
	}
	for _, text := range blocks(t) {
		if strings.HasPrefix(text, "dist:") {
			if err := yaml.Unmarshal([]byte(text), &manifest); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(manifest.Receivers) != 1 || !strings.HasPrefix(string(data), "module "+strings.Fields(manifest.Receivers[0].Gomod)[0]+"\n") {
		t.Errorf("receivers: %v", manifest.Receivers)
	}
	for _, m := range append(manifest.Exporters, manifest.Providers...) {
		name, v, _ := strings.Cut(m.Gomod, " ")
		if !strings.HasPrefix(name, "go.opentelemetry.io/collector/") || v != stable && v != unstable {
			t.Errorf("%s: go.mod has %s and %s", m.Gomod, stable, unstable)
		}
	}
	for _, r := range manifest.Replaces {
		name, _, _ := strings.Cut(r, " ")
		if !strings.Contains(string(data), "\t"+name+" => ") {
			t.Errorf("go.mod does not replace %s", name)
		}
	}
	if text, err := os.ReadFile("README.md"); err != nil || !strings.Contains(string(text), "| OpenTelemetry Collector | "+unstable+" |") {
		t.Errorf("the README does not name version %s: %v", unstable, err)
	}
}

// TestReadmeKeys: the table has all keys of the configuration, and no other.
func TestReadmeKeys(t *testing.T) {
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(data), "## Configuration")
	table, _, _ = strings.Cut(table, "\n## ")
	documented := make(map[string]bool)
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(table, -1) {
		documented[m[1]] = true
	}
	for f := range reflect.TypeFor[Config]().Fields() {
		key := f.Tag.Get("mapstructure")
		if key != "" && !documented[key] {
			t.Errorf("%s is not documented", key)
		}
		delete(documented, key)
	}
	for key := range documented {
		t.Errorf("%s is documented, and no key", key)
	}
}

// TestMetadata: metadata.yaml says what the factory says.
func TestMetadata(t *testing.T) {
	data, err := os.ReadFile("metadata.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Type   string
		Status struct {
			Class     string
			Stability map[string][]string
		}
	}
	if err := yaml.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	signals := m.Status.Stability[strings.ToLower(NewFactory().MetricsStability().String())]
	if m.Type != Type.String() || m.Status.Class != "receiver" || len(signals) != 1 || signals[0] != "metrics" {
		t.Errorf("%+v", m)
	}
}
