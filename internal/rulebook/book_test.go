package rulebook

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// rulesOf is a rule file with one metric, or with whatever is not valid.
func rulesOf(metric, typ string) string {
	return fmt.Sprintf(`apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
spec:
  resources:
  - groupVersionKind: {group: g, kind: K}
    labels: {name: object.metadata.name}
    metrics: [{name: %s, type: %s, value: object.v}]
`, metric, typ)
}

// book is a rulebook of one file, and what was seen of it.
type book struct {
	t    *testing.T
	b    *Book
	file string
	maps map[string]string // content by name
}

func newBook(t *testing.T, own string) *book {
	t.Helper()
	b := &book{t: t, file: filepath.Join(t.TempDir(), "own.yaml"), maps: make(map[string]string)}
	config := Config{Paths: []string{b.file}, ConfigMaps: true}
	b.b = New(config, slog.New(slog.DiscardHandler))
	b.write(own)
	if _, err := b.b.Begin(&strings.Builder{}); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *book) write(own string) {
	b.t.Helper()
	if err := os.WriteFile(b.file, []byte(own), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// own makes a new content of the file known; it returns the families of the set
// that takes over, or "-", and the verdicts.
func (b *book) own(content string) string {
	b.t.Helper()
	b.write(content)
	return b.told(b.b.Own())
}

// configMap changes a ConfigMap; an empty content deletes it.
func (b *book) configMap(name, content string) string {
	b.t.Helper()
	b.maps[name] = content
	if content == "" {
		delete(b.maps, name)
	}
	var all []ConfigMap
	for name, content := range b.maps {
		all = append(all, ConfigMap{Name: "ns/" + name, Data: map[string]string{"rules.yaml": content, "README.md": "no rules"}})
	}
	return b.told(b.b.ConfigMaps(all))
}

func (b *book) told(set *rule.Set, verdicts []Verdict) string {
	out := "-"
	if set != nil {
		var names []string
		for _, f := range set.Families() {
			names = append(names, f.Name)
		}
		out = strings.Join(names, " ")
	}
	for _, v := range verdicts {
		switch {
		case !v.News:
			out += fmt.Sprintf("; %s as before", v.About())
		case v.Err == nil:
			out += fmt.Sprintf("; %s accepted", v.About())
		default:
			out += fmt.Sprintf("; %s refused: %s", v.About(), strings.ReplaceAll(v.Err.Error(), filepath.Dir(b.file)+"/", ""))
		}
	}
	return out
}

func (b *book) check(got, want string) {
	b.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		b.t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestRulebookOfFiles(t *testing.T) {
	b := newBook(t, rulesOf("a", "gauge"))
	b.check(b.own(rulesOf("a", "gauge")), "-")
	b.check(b.own(rulesOf("b", "gauge")), "b; files accepted")
	bad := `own.yaml:7:31: metric "c": unknown type "gouge": expected gauge, counter, info, stateSet or histogram, did you mean "gauge"?`
	b.check(b.own(rulesOf("c", "gouge")), "-; files refused: "+bad)
	if err := b.b.Err(); err == nil || !strings.Contains(err.Error(), "gouge") {
		t.Errorf("refused rules are not an error: %v", err)
	}
	b.check(b.own(rulesOf("b", "gauge")), "-; files accepted") // nothing has to take over
	if err := b.b.Err(); err != nil {
		t.Error(err)
	}
	if err := os.Remove(b.file); err != nil {
		t.Fatal(err)
	}
	b.check(b.told(b.b.Own()), "-; files refused: open own.yaml: no such file or directory")
	b.check(b.own(rulesOf("d", "gauge")), "d; files accepted")
}

func TestRulebookOfConfigMaps(t *testing.T) {
	b := newBook(t, rulesOf("a", "gauge"))
	b.check(b.configMap("one", rulesOf("x", "gauge")), "a x; configmap ns/one accepted")
	b.check(b.configMap("two", rulesOf("y", "gauge")), "a x y; configmap ns/two accepted")

	bad := `configmap ns/one: rules.yaml:7:31: metric "x": unknown type "y": expected gauge, counter, info, stateSet or histogram`
	b.check(b.configMap("one", rulesOf("x", "y")), "-; configmap ns/one refused: "+bad)
	// What is refused is in nobody's way, and is used as it was.
	b.check(b.configMap("two", rulesOf("z", "gauge")), "a x z; configmap ns/one as before; configmap ns/two accepted")
	b.check(b.own(rulesOf("b", "gauge")), "b x z; files accepted; configmap ns/one as before")
	want := map[string]bool{"files": true, "configmap ns/one": false, "configmap ns/two": true}
	if diff := cmp.Diff(want, b.b.States()); diff != "" {
		t.Error(diff)
	}
	b.check(b.configMap("one", rulesOf("x2", "gauge")), "b x2 z; configmap ns/one accepted")
	b.check(b.configMap("one", ""), "b z")
	b.check(b.configMap("one", ""), "-")
}

// TestRulebookConflict has two teams want one name: who was there stays.
func TestRulebookConflict(t *testing.T) {
	b := newBook(t, rulesOf("a", "gauge"))
	b.check(b.configMap("two", rulesOf("x", "gauge")), "a x; configmap ns/two accepted")
	conflict := `configmap ns/two: rules.yaml:7:15: metric "x": family x is a gauge here and a counter at configmap ns/one: rules.yaml:7:15: rename one`
	b.check(b.configMap("one", rulesOf("x", "counter")), "-; configmap ns/one refused: "+conflict)
	// It can be used as soon as the name is free.
	b.check(b.configMap("two", rulesOf("y", "gauge")), "a x y; configmap ns/one accepted; configmap ns/two accepted")
}

// TestRulebookBegins with ConfigMaps of which one is bad.
func TestRulebookBegins(t *testing.T) {
	b := newBook(t, rulesOf("a", "gauge"))
	b.maps["good"] = rulesOf("x", "gauge")
	bad := `configmap ns/bad: rules.yaml: the file has no rules: expected a document of kind MetricRules or CustomResourceStateMetrics`
	b.check(b.configMap("bad", "# nothing"), "a x; configmap ns/bad refused: "+bad+"; configmap ns/good accepted")
	b.check(b.configMap("bad", rulesOf("z", "gauge")), "a x z; configmap ns/bad accepted")
}

// TestRulebookOfManyBegins as it ran before it was started anew: who was there
// first has the name.
func TestRulebookOfManyBegins(t *testing.T) {
	b := newBook(t, rulesOf("a", "gauge"))
	set, verdicts := b.b.ConfigMaps([]ConfigMap{
		{Name: "ns/late", Created: "2026-02-01T00:00:00Z", Data: map[string]string{"r.yaml": rulesOf("x", "counter")}},
		{Name: "ns/old", Created: "2026-01-01T00:00:00Z", Data: map[string]string{"r.yaml": rulesOf("x", "gauge")}},
		{Name: "ns/other", Created: "2026-03-01T00:00:00Z", Data: map[string]string{"rules": rulesOf("z", "gauge")}},
	})
	b.check(b.told(set, verdicts), "a x; configmap ns/old accepted"+
		"; configmap ns/late refused: configmap ns/old: r.yaml:7:15: metric \"x\": family x is a gauge here and a counter at configmap ns/late: r.yaml:7:15: rename one"+
		"; configmap ns/other refused: configmap ns/other: no key is the name of a rule file (*.yaml, *.yml, *.json)")
}
