package rulebook

import (
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// kyma switches the catalog kyma on, for some modules.
func kyma(modules ...string) Catalog {
	return Catalog{Name: "kyma", Params: map[string][]string{"modules": modules}}
}

// switched returns a book for which catalogs may be switched on, and its first
// rules.
func switched(t *testing.T, config Config) (*Book, *rule.Set) {
	t.Helper()
	config.Switched = true
	b := New(config, slog.New(slog.DiscardHandler))
	set, err := b.Begin(&strings.Builder{})
	if err != nil {
		t.Fatal(err)
	}
	return b, set
}

// seen gathers the names of modules that have a state.
type seen struct {
	set     *rule.Set
	modules []string
}

func (s *seen) Sample(m *rule.Metric, labels []metric.Label, _ float64) {
	for _, l := range labels {
		if s.set.Families()[m.Family].Name == "kyma_module_status_state" && l.Name == "name" {
			s.modules = append(s.modules, l.Value)
		}
	}
}

func (*seen) State(*rule.Metric, []metric.Label, string, float64) {}
func (*seen) Problem(rule.Problem)                                {}

// modules returns the modules that rules give a state, of a Kyma with two, and "-"
// if there are no rules.
func modules(set *rule.Set) string {
	if set == nil {
		return "-"
	}
	s := seen{set: set}
	if p := set.Program(rule.GVK{Group: "operator.kyma-project.io", Version: "v1beta2", Kind: "Kyma"}, true); p != nil {
		p.Eval(new(rule.Context), map[string]any{
			"metadata": map[string]any{"name": "default", "namespace": "kyma-system"},
			"status": map[string]any{"modules": []any{
				map[string]any{"name": "istio", "state": "Ready"}, map[string]any{"name": "telemetry", "state": "Ready"},
			}},
		}, &s)
	}
	slices.Sort(s.modules)
	return strings.Join(s.modules, " ")
}

// catalogs switches catalogs that there are.
func catalogs(t *testing.T, b *Book, all ...Catalog) (*rule.Set, []Verdict) {
	t.Helper()
	set, verdicts, err := b.Catalogs(all...)
	if err != nil {
		t.Fatal(err)
	}
	return set, verdicts
}

func TestCatalogs(t *testing.T) {
	b, set := switched(t, Config{})
	if got := len(set.Families()); got != 0 {
		t.Errorf("%d families before anything is switched on", got)
	}
	for _, step := range []struct {
		on      []Catalog
		modules string
		about   string
	}{
		{nil, "-", ""},
		{[]Catalog{kyma()}, "istio telemetry", "catalog kyma"},
		{[]Catalog{kyma()}, "-", ""},
		{[]Catalog{kyma("istio")}, "istio", "catalog kyma"},
		{[]Catalog{kyma("telemetry", "none")}, "telemetry", "catalog kyma"},
		{nil, "", ""},
	} {
		set, verdicts := catalogs(t, b, step.on...)
		about := ""
		for _, v := range verdicts {
			if about = v.About(); v.Err != nil || !v.News {
				t.Errorf("%v: verdict %+v", step.on, v)
			}
		}
		if got := modules(set); got != step.modules || about != step.about {
			t.Errorf("%v: modules %q of %q, want %q of %q", step.on, got, about, step.modules, step.about)
		}
	}
	if got := b.States(); len(got) != 1 || !got["files"] {
		t.Errorf("states: %v", got)
	}
	if set, verdicts, err := b.Catalogs(Catalog{Name: "kima"}); set != nil || len(verdicts) > 0 || err == nil {
		t.Errorf("an unknown catalog: %v, %+v, %v", set, verdicts, err)
	}
}

// TestCatalogsOfConfiguration: what the configuration says goes before.
func TestCatalogsOfConfiguration(t *testing.T) {
	b, set := switched(t, Config{Catalogs: []string{"kyma"}, Params: []string{"kyma.modules=istio"}})
	if got := modules(set); got != "istio" {
		t.Errorf("modules %q", got)
	}
	for _, c := range [][]Catalog{{kyma()}, {kyma("telemetry")}, nil} {
		if set, verdicts := catalogs(t, b, c...); set != nil || len(verdicts) > 0 {
			t.Errorf("%v changes what is on anyway: %+v", c, verdicts)
		}
	}
	// Only the parameter is configured: it may be given before the catalog is on.
	b, _ = switched(t, Config{Params: []string{"kyma.modules=istio"}})
	if set, _ := catalogs(t, b, kyma("telemetry")); modules(set) != "istio" {
		t.Errorf("modules %q", modules(set))
	}
}

// TestCatalogsAndOthers: files and ConfigMaps change without a catalog, and it
// without them.
func TestCatalogsAndOthers(t *testing.T) {
	b := newBook(t, rulesOf("a", "gauge"))
	b.check(b.configMap("one", rulesOf("x", "gauge")), "a x; configmap ns/one accepted")
	const families = "kyma_module_healthy kyma_module_state kyma_module_status_condition kyma_module_status_state kyma_status_state"
	b.check(b.told(catalogs(t, b.b, kyma())), "a "+families+" x; catalog kyma accepted")
	b.check(b.configMap("one", ""), "a "+families)
	b.check(b.own(rulesOf("b", "gauge")), "b "+families+"; files accepted")
	// It is refused as a whole, and is in nobody's way.
	b.check(b.told(catalogs(t, b.b)), "b")
	b.check(b.own(rulesOf("kyma_status_state", "gauge")), "kyma_status_state; files accepted")
	set, verdicts := catalogs(t, b.b, kyma())
	if set != nil || len(verdicts) != 1 || verdicts[0].Err == nil {
		t.Errorf("rules of the same name: %v", verdicts)
	}
	if err := b.b.Err(); err == nil || !strings.Contains(err.Error(), "catalog kyma: the rules from before stay in use") {
		t.Errorf("error %v", err)
	}
	b.check(b.own(rulesOf("c", "gauge")), "c "+families+"; files accepted; catalog kyma accepted")
}
