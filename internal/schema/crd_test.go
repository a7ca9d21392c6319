package schema

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"sigs.k8s.io/yaml"
)

func TestFromCRDs(t *testing.T) {
	crds, err := FromCRDs(load(t, "crds.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	labels, categories := map[string]string{"shop.example/monitored": "true"}, []string{"all", "shop"}
	alpha, shop := Kind{"shop.example", "v1alpha1", "Order"}, Kind{"shop.example", "v1", "Shop"}
	want := map[Kind]*CRD{
		order: {Plural: "orders", Namespaced: true, Categories: categories, Labels: labels, Served: true},
		alpha: {Plural: "orders", Namespaced: true, Categories: categories, Labels: labels},
		shop:  {Plural: "shops", Served: true},
	}
	if diff := cmp.Diff(want, crds, cmpopts.IgnoreFields(CRD{}, "Schema")); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	object := []string{"apiVersion", "kind", "metadata"}
	spec := []string{"address", "backup", "channel", "extra", "lines", "port", "prices", "rank", "template"}
	checkFind(t, crds[order].Schema, map[string]Result{
		"":                            found(0, "object", append(object, "spec", "status")...),
		"metadata.name":               found(2, "string"),
		"metadata.annotations[]":      found(3, "string"),
		"metadata.managedFields[]":    found(3, "object", "apiVersion", "fieldsType", "fieldsV1", "manager", "operation", "subresource", "time"),
		"spec.adress":                 missing(1, "object", "address", spec...),
		"spec.address.street":         missing(2, "object", ""),
		"spec.address[]":              missing(2, "object", ""),
		"spec.backup":                 found(2, "object", object...),
		"spec.backup.metadata.labels": found(4, "map"),
		"spec.backup.spec":            unknown(2, "object", object...),
		"spec.channel":                found(2, "string").withEnum("web", "phone"),
		"spec.extra.gift":             found(3, "boolean"),
		"spec.extra.bow":              unknown(2, "object", "gift"),
		"spec.lines":                  found(2, "list").withMax(16),
		"spec.lines[].sizes":          found(4, "list").withMax(4),
		"spec.lines[].sizes[]":        found(5, "number"),
		"spec.lines[].color":          missing(3, "object", "", "amount", "sizes", "sku"),
		"spec.port.name":              unknown(2, ""),
		"spec.prices":                 found(2, "map").withMax(5),
		"spec.prices.eur.amount":      found(4, "number"),
		"spec.prices[].amunt":         missing(3, "object", "amount", "amount"),
		"spec.rank":                   found(2, "integer").withEnum("1", "2"),
		"spec.template.metadata.uid":  found(4, "string"),
		"spec.template.status":        missing(2, "object", "", append(object, "spec")...),
		"status.conditions[]":         unknown(1, "object"),
	})
	checkFind(t, crds[alpha].Schema, map[string]Result{
		"metadata.labels.app": found(3, "string"),
		"status":              missing(0, "object", "", object...),
	})
	checkFind(t, crds[shop].Schema, map[string]Result{
		"metadata.finalizers[]": found(3, "string"),
		"status.conditions":     unknown(0, "object", object...),
	})
}

// TestNodesAreShared: what a document says twice is kept once.
func TestNodesAreShared(t *testing.T) {
	data := load(t, "crds.yaml")
	crds, err := FromCRDs(bytes.Join([][]byte{data, bytes.ReplaceAll(data, []byte("kind: Order,"), []byte("kind: Copy,"))}, []byte("\n---\n")))
	if err != nil {
		t.Fatal(err)
	}
	a, b := crds[order].Schema, crds[Kind{"shop.example", "v1", "Copy"}].Schema
	if a.root.parts[0] != b.root.parts[0] {
		t.Error("two equal schemas are two")
	}
}

// TestForms reads one CRD in all forms that it comes in.
func TestForms(t *testing.T) {
	manifest := bytes.Split(load(t, "crds.yaml"), []byte("\n---\n"))[1]
	object, err := yaml.YAMLToJSON(manifest)
	if err != nil {
		t.Fatal(err)
	}
	f := func(name, manifests string) {
		t.Helper()
		crds, err := FromCRDs([]byte(manifests))
		if err != nil || len(crds) != 2 || crds[order] == nil || !crds[order].Served {
			t.Errorf("%s: %d kinds, error %v", name, len(crds), err)
		}
	}
	// The items of a typed list do not name their kind.
	bare := strings.NewReplacer(`"apiVersion":"apiextensions.k8s.io/v1",`, "", `"kind":"CustomResourceDefinition",`, "").Replace(string(object))
	f("YAML", string(manifest))
	f("YAML between empty documents", "# nothing\n---\n---\n"+string(manifest)+"\n---\nnull\n")
	f("YAML with Windows line ends", strings.ReplaceAll("---\n"+string(manifest)+"\n---\n", "\n", "\r\n"))
	f("JSON", string(object))
	f("a stream of JSON", "{}\n"+string(object)+string(object))
	f("JSON between documents", "---\n"+string(object)+"\n---\na: b\n")
	f("a List", `{"apiVersion":"v1","kind":"List","items":[`+string(object)+`]}`)
	f("a typed List", `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinitionList","items":[`+bare+`]}`)
	f("YAML that looks like JSON", "{kind: List, items: ["+string(object)+"]}")
}

func TestFromCRDsErrors(t *testing.T) {
	good := string(load(t, "crds.yaml"))
	crd := func(spec string) string {
		return "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x}\nspec: " + spec
	}
	f := func(manifest, want string) {
		t.Helper()
		crds, err := FromCRDs([]byte(manifest + "\n---\n" + good))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: got error %v, want %q", manifest, err, want)
		}
		if len(crds) != 3 {
			t.Errorf("%.60s: %d kinds of the other documents", manifest, len(crds))
		}
	}
	f("a: b: c", "document 1: yaml: ")
	f("- a", "document 1: it is not an object")
	f("\xff\xfea", "document 1: it is not UTF-8")
	f("kind: [a]", "document 1: json: cannot unmarshal array")
	f(`{"a": `, "document 1: yaml: ")
	f(`{"a": 1} {"b": `, "document 1: unexpected EOF")
	f("a: &x [b]\nc: *x", "document 1: YAML aliases are not supported: *x")
	f(strings.Replace(crd("{}"), "/v1\n", "/v1beta1\n", 1), `CustomResourceDefinition "x": apiextensions.k8s.io/v1beta1 is not supported`)
	f(crd("[]"), `CustomResourceDefinition "x": json: cannot unmarshal array`)
	f(crd("{}"), `CustomResourceDefinition "x": it has no spec.group`)
	f(crd("{group: g}"), "it has no spec.names.kind")
	f(crd("{group: g, names: {kind: K}}"), "it has no spec.names.plural")
	f(crd("{group: g, names: {kind: K, plural: ks}, versions: [{served: true}]}"), "spec.versions[0] has no name")
	f(`{"kind":"CustomResourceDefinitionList","items":[{},{"spec":{"group":"g"}}]}`, "document 1: item 1:")
}

func FuzzFromCRDs(f *testing.F) {
	f.Add(load(f, "crds.yaml"), "spec.lines[].sku")
	f.Add([]byte(`{"kind":"CustomResourceDefinitionList","items":[{"spec":{"group":"g"}}]}`), "a")
	f.Add([]byte("a: &x [b]\nc: *x"), "a")
	f.Fuzz(func(t *testing.T, manifests []byte, path string) {
		crds, _ := FromCRDs(manifests)
		for _, c := range crds {
			checkAny(t, c.Schema, path)
		}
	})
}
