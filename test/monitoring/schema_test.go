package monitoring

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/kubevitals/kubevitals/catalog"
)

// grafanaSchema is what Grafana's own types say of a dashboard.
func grafanaSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	const name = "schema.json"
	data, err := os.ReadFile(filepath.Join("grafana", name))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(name, doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestSchema holds each dashboard against Grafana's own types.
func TestSchema(t *testing.T) {
	schema := grafanaSchema(t)
	for _, b := range boards(t) {
		if err := schema.Validate(document(t, dashboardFile(t, b.file))); err != nil {
			t.Errorf("%s: %#v", b.file, err)
		}
	}
}

// TestSchemaRefuses makes sure that the schema tells right from wrong.
func TestSchemaRefuses(t *testing.T) {
	schema := grafanaSchema(t)
	good := string(dashboardFile(t, "catalog/gateway-api/dashboards/gatewayclasses.json"))
	for _, c := range []struct{ name, old, new string }{
		{"field of a dashboard", `"uid": "gatewayapigatewayclass"`, `"uid": "x", "panel": []`},
		{"field of a panel", `"type": "stat"`, `"type": "stat", "titel": "x"`},
		{"type of panel", `"type": "stat"`, `"type": "stats"`},
		{"option", `"colorMode": "background"`, `"colorMode": "backdrop"`},
		{"option of another panel", `"justifyMode": "center"`, `"justifyMode": "center", "showHeader": true`},
		{"threshold", `"mode": "absolute"`, `"mode": "absolutely"`},
		{"variable", `"type": "query"`, `"type": "queries"`},
		{"legend", `"format": "table"`, `"format": "tabel"`},
		{"row", `"collapsed": false`, `"collapsed": "no"`},
		{"unit", `"unit": "short"`, `"unit": 1`},
	} {
		if !strings.Contains(good, c.old) {
			t.Errorf("%s: there is no %s", c.name, c.old)
			continue
		}
		if err := schema.Validate(document(t, []byte(strings.ReplaceAll(good, c.old, c.new)))); err == nil {
			t.Errorf("%s: %s is taken for good", c.name, c.new)
		}
	}
}

func document(t *testing.T, data []byte) any {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// dashboardFile returns a dashboard by the name that the catalog shows for it.
func dashboardFile(t *testing.T, name string) []byte {
	t.Helper()
	files, err := catalog.Dashboards(filepath.Base(filepath.Dir(filepath.Dir(name))))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.File == name {
			return f.Data
		}
	}
	t.Fatalf("the catalog has no %s", name)
	return nil
}
