package monitoring

import (
	"maps"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// expectation is what a panel must show.
type expectation struct {
	rows func(*world) rows
	// within is by how much values may differ: those of times that pass.
	within float64
	// keys says that only the rows are known, and not their values.
	keys bool
	// more says that rows with the value 0 may be there besides.
	more bool
}

func exactly(f func(*world) rows) expectation { return expectation{rows: f} }

// about is for values of times that pass while the test runs.
func about(f func(*world) rows) expectation { return expectation{rows: f, within: 300} }

// named is for values that cannot be known beforehand, such as those of memory.
func named(f func(*world) rows) expectation { return expectation{rows: f, keys: true} }

// expectations are those of a dashboard: by the titles of its panels.
type expectations map[string]expectation

// expected are those of all dashboards by their uids.
func expected() map[string]expectations {
	all := map[string]expectations{
		"gatewayapigatewayclass": gatewayClassPanels,
		"gatewayapigateways":     gatewayPanels,
		"gatewayapipolicies":     policyPanels,
		"kubevitals-kyma":        kymaPanels,
		"kubevitals-conditions":  conditionPanels,
		"kubevitals-pods":        podPanels,
		"kubevitals-self":        selfPanels,
	}
	for _, k := range routeKinds {
		all["gatewayapi"+k.metric+"s"] = routePanels(k)
	}
	return all
}

// choices are the variables with which dashboards are looked at, besides All.
var choices = map[string][]map[string]string{
	"gatewayapigatewayclass": {{"gatewayclass": "edge-preview"}},
	"gatewayapigateways":     {{"namespace": "lab", "gateway": "shop-public"}, {"gateway": "shop-public"}},
	"gatewayapihttproutes":   {{"namespace": "lab"}, {"httproute": "rejected"}},
	"gatewayapipolicies":     {{"namespace": "lab"}},
	"kubevitals-kyma":        {{"module": "telemetry"}},
	"kubevitals-conditions":  {{"kind": "Backup"}},
}

// TestDashboards starts what is watched, scrapes it, and evaluates each query of each
// panel. A panel that nothing is expected of fails.
func TestDashboards(t *testing.T) {
	l := newLab(t)
	all := boards(t)
	want := expected()
	for _, b := range all {
		t.Run(b.UID, func(t *testing.T) {
			l.checkPanels(t, b, want[b.UID])
			l.checkVariables(t, b)
			checkLinks(t, b, all)
			checkPlaces(t, b)
		})
		delete(want, b.UID)
	}
	for uid := range want {
		t.Errorf("there is no dashboard %s", uid)
	}
	t.Run("as gateway-api-state-metrics", func(t *testing.T) { l.checkOriginals(t, all) })
	t.Run("alerts", l.checkAlerts)
	t.Run("ConfigMaps", checkConfigMaps)
}

func (l *lab) checkPanels(t *testing.T, b board, want expectations) {
	t.Helper()
	left := maps.Clone(want)
	for _, p := range b.all() {
		e, known := left[p.Title]
		if !known {
			shown, _, err := l.show(t, b, p, nil)
			t.Errorf("%q: nothing is expected of it, or it is there twice; it shows %v, %v", p.Title, shown, err)
			continue
		}
		delete(left, p.Title)
		l.checkMetrics(t, b, p)
		for _, chosen := range append(slices.Clone(choices[b.UID]), nil) {
			got, samples, err := l.show(t, b, p, chosen)
			if err != nil {
				t.Errorf("%q with %v: %v", p.Title, chosen, err)
				continue
			}
			w := &world{lab: l, chosen: chosen}
			if diff := e.diff(e.rows(w), got); diff != "" {
				t.Errorf("%q with %v (-want +got):\n%s\n%s", p.Title, chosen, diff, p.Targets[0].Expr)
			}
			if chosen == nil {
				for _, problem := range p.problems(samples) {
					t.Errorf("%q: %s", p.Title, problem)
				}
			}
		}
	}
	for title := range left {
		t.Errorf("there is no panel %q", title)
	}
}

func (e expectation) diff(want, got rows) string {
	if e.more {
		got = maps.Clone(got)
		maps.DeleteFunc(got, func(k string, v float64) bool { _, ok := want[k]; return v == 0 && !ok })
	}
	switch {
	case e.keys:
		return cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)), cmpopts.EquateEmpty())
	case e.within > 0:
		return cmp.Diff(want, got, cmpopts.EquateEmpty(), cmp.Comparer(func(x, y float64) bool { return math.Abs(x-y) <= e.within }))
	}
	return cmp.Diff(want, got, cmpopts.EquateEmpty())
}

var labelValues = regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)

// checkVariables evaluates the queries of variables.
func (l *lab) checkVariables(t *testing.T, b board) {
	t.Helper()
	for i, v := range b.Templating.List {
		if i == 0 {
			if v.Type != "datasource" || v.Name != "datasource" || v.Query != "prometheus" {
				t.Errorf("the first variable is %+v, want the data source", v)
			}
			continue
		}
		query, err := b.expand(v.Query, nil)
		m := labelValues.FindStringSubmatch(query)
		if err != nil || m == nil {
			t.Errorf("variable %s: %q: %v", v.Name, v.Query, err)
			continue
		}
		got, err := l.prom.LabelValues(t.Context(), m[1], m[2], l.at)
		if err != nil {
			t.Errorf("variable %s: %v", v.Name, err)
		}
		want := variableChoices(&world{lab: l}, b.UID, v.Name)
		slices.Sort(want)
		if diff := cmp.Diff(slices.Compact(want), got); diff != "" {
			t.Errorf("variable %s (-want +got):\n%s", v.Name, diff)
		}
	}
}

var (
	linkVariable = regexp.MustCompile(`&var-(\w+)=\$\{__data\.fields\.(\w+):percentencode\}`)
	linkUID      = regexp.MustCompile(`^/d/([\w-]+)\?\$\{datasource:queryparam\}&\$\{__url_time_range\}`)
	linkInValue  = regexp.MustCompile(`"url":\s*"([^"]+)"`)
)

// checkLinks checks that links lead to dashboards that are there, with variables
// that they have, of columns that the table has.
func checkLinks(t *testing.T, b board, all []board) {
	t.Helper()
	for _, p := range b.all() {
		var urls []string
		for _, l := range p.FieldConfig.Defaults.Links {
			urls = append(urls, l.URL)
		}
		for _, o := range p.FieldConfig.Overrides {
			for _, property := range o.Properties {
				for _, m := range linkInValue.FindAllStringSubmatch(strings.ReplaceAll(string(property.Value), `\u0026`, "&"), -1) {
					urls = append(urls, m[1])
				}
			}
		}
		for _, link := range urls {
			checkLink(t, p, link, all)
		}
	}
	if !slices.Contains(b.Tags, "kubevitals") {
		t.Errorf("the dashboard lacks the tag by which others link to it: %v", b.Tags)
	}
	for _, l := range b.Links {
		if l.Title == "" || !slices.ContainsFunc(all, func(other board) bool { return other.UID != b.UID && slices.Contains(other.Tags, l.Tags[0]) }) {
			t.Errorf("the list of links %q, %v, leads nowhere", l.Title, l.Tags)
		}
	}
}

func checkLink(t *testing.T, p panel, link string, all []board) {
	t.Helper()
	uid := linkUID.FindStringSubmatch(link)
	i := -1
	if uid != nil {
		i = slices.IndexFunc(all, func(b board) bool { return b.UID == uid[1] })
	}
	if i < 0 {
		t.Errorf("%q: a link leads nowhere: %s", p.Title, link)
		return
	}
	rest := linkVariable.ReplaceAllString(strings.TrimPrefix(link, uid[0]), "")
	if rest != "" {
		t.Errorf("%q: what is %s in a link?", p.Title, rest)
	}
	for _, m := range linkVariable.FindAllStringSubmatch(link, -1) {
		if !slices.ContainsFunc(all[i].Templating.List, func(v variable) bool { return v.Name == m[1] }) {
			t.Errorf("%q: %s has no variable %s", p.Title, uid[1], m[1])
		}
		if !slices.Contains(p.columns(), m[2]) {
			t.Errorf("%q: a link needs the column %s", p.Title, m[2])
		}
	}
	if _, err := url.Parse(interpolation.ReplaceAllString(link, "x")); err != nil {
		t.Errorf("%q: %v", p.Title, err)
	}
}

var interpolation = regexp.MustCompile(`\$\{[^}]*\}`)

// checkPlaces checks that panels do not overlap, and have ids of their own.
func checkPlaces(t *testing.T, b board) {
	t.Helper()
	ids := map[int]bool{}
	check := func(panels []panel) {
		taken := map[[2]int]string{}
		for _, p := range panels {
			if ids[p.ID] {
				t.Errorf("%q has the id of another", p.Title)
			}
			ids[p.ID] = true
			if p.GridPos.X+p.GridPos.W > 24 || p.GridPos.W < 1 || p.GridPos.H < 1 {
				t.Errorf("%q is at %+v", p.Title, p.GridPos)
			}
			for x := range p.GridPos.W {
				for y := range p.GridPos.H {
					at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
					if other, ok := taken[at]; ok && other != p.Title {
						t.Errorf("%q lies over %q", p.Title, other)
					}
					taken[at] = p.Title
				}
			}
		}
	}
	check(b.Panels)
	for _, p := range b.Panels {
		check(p.Panels)
	}
}
