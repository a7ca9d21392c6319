package source

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	"k8s.io/client-go/rest"

	"github.com/kubevitals/kubevitals/internal/schema"
)

// kindLines writes kinds with what tells them apart: whether they are best, and
// whether they have a status.
func kindLines(kinds []KindSchema) string {
	var lines []string
	for _, k := range kinds {
		status := k.Schema.Find([]schema.Step{{Field: "status"}}).Found
		lines = append(lines, fmt.Sprintf("%s best=%t status=%t has=%t", k.GVK, k.Best, status, k.Has([]string{"status"})))
	}
	return strings.Join(lines, "\n")
}

func TestCRDSchemas(t *testing.T) {
	dir := t.TempDir()
	const crd = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: x}
spec:
  group: a.io
  names: {kind: Foo, plural: foos}
  versions:
  - {name: v1alpha1, served: true, schema: {openAPIV3Schema: {type: object}}}
  - {name: v2, served: false, schema: {openAPIV3Schema: {type: object}}}
  - {name: v1, served: true, schema: {openAPIV3Schema: {type: object, properties: {status: {type: object}}}}}
  - {name: v1beta2, served: true, schema: {openAPIV3Schema: {type: object}}}
`
	for name, text := range map[string]string{"a.yaml": crd, "b.yaml": strings.ReplaceAll(crd, "Foo", "Bar"), "c.yaml": "a: [b\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kinds, err := CRDSchemas([]string{dir, filepath.Join(dir, "none.yaml")})
	if err == nil || !strings.Contains(err.Error(), "c.yaml: document 1:") || !strings.Contains(err.Error(), "none.yaml: no such file") {
		t.Errorf("error %v", err)
	}
	want := `a.io/v1/Bar best=true status=true has=true
a.io/v1beta2/Bar best=false status=false has=false
a.io/v1alpha1/Bar best=false status=false has=false
a.io/v1/Foo best=true status=true has=true
a.io/v1beta2/Foo best=false status=false has=false
a.io/v1alpha1/Foo best=false status=false has=false`
	if got := kindLines(kinds); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestClusterSchemas: the server's order of versions counts, and only the
// documents of groups that are asked for are read.
func TestClusterSchemas(t *testing.T) {
	list := apidiscoveryv2.APIGroupDiscoveryList{Items: []apidiscoveryv2.APIGroupDiscovery{
		group("a.io", "v1beta1/Foo", "v1/Foo"), group("b.io", "v1/Bar"),
	}}
	document := func(version string) string {
		return fmt.Sprintf(`{"openapi": "3.0.0", "components": {"schemas": {"foo": {"type": "object",
			"x-kubernetes-group-version-kind": [{"group": "a.io", "version": %q, "kind": "Foo"}],
			"properties": {"status": {"type": "object"}}}}}}`, version)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/apis":
			_ = json.NewEncoder(w).Encode(list)
		case "/openapi/v3":
			_, _ = fmt.Fprint(w, `{"paths": {"apis/a.io/v1": {"serverRelativeURL": "/one?hash=1"},
				"apis/a.io/v1beta1": {"serverRelativeURL": "/two"}, "apis/b.io/v1": {"serverRelativeURL": "/bar"}}}`)
		case "/one":
			_, _ = fmt.Fprint(w, document("v1"))
		case "/two":
			_, _ = fmt.Fprint(w, document("v1beta1"))
		default:
			t.Errorf("request for %s", r.URL)
		}
	}))
	t.Cleanup(server.Close)
	cluster := clusterOf(setOf(t, "{group: a.io, kind: Foo}"))
	config := &rest.Config{Host: server.URL}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	if cluster.discoverer, err = newDiscoverer(config, client); err != nil {
		t.Fatal(err)
	}
	kinds, err := cluster.Schemas(t.Context(), func(group string) bool { return group == "a.io" })
	if err != nil {
		t.Fatal(err)
	}
	want := "a.io/v1/Foo best=false status=true has=true\na.io/v1beta1/Foo best=true status=true has=true"
	if got := kindLines(kinds); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
