package monitoring

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/catalog"
	"github.com/kubevitals/kubevitals/test/promtest"
)

// board is a dashboard as far as it is read here.
type board struct {
	file string

	UID   string
	Title string
	Tags  []string
	Links []struct {
		Title string
		Tags  []string
	}
	Templating struct{ List []variable }
	Panels     []panel
}

type variable struct {
	Type, Name, Query, AllValue string
}

type panel struct {
	ID                       int
	Type, Title, Description string
	Collapsed                bool
	Panels                   []panel
	GridPos                  struct{ H, W, X, Y int }
	Targets                  []target
	FieldConfig              struct {
		Defaults  field
		Overrides []override
	}
	Transformations []struct {
		ID      string
		Options struct {
			Include      struct{ Names []string }
			RenameByName map[string]string
		}
	}
}

type field struct {
	Unit       string
	Mappings   []json.RawMessage
	Thresholds *struct{ Steps []json.RawMessage }
	Links      []link
}

type link struct{ Title, URL string }

type override struct {
	Matcher    struct{ ID, Options string }
	Properties []struct {
		ID    string
		Value json.RawMessage
	}
}

type target struct {
	RefID, Expr, LegendFormat, Format string
	Instant, Range                    bool
}

// boards returns all dashboards of the catalog.
func boards(t *testing.T) (out []board) {
	t.Helper()
	folders, err := filepath.Glob(filepath.Join("..", "..", "catalog", "*", "dashboards"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("no dashboards: %v", err)
	}
	for _, folder := range folders {
		files, err := catalog.Dashboards(filepath.Base(filepath.Dir(folder)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b := board{file: f.File}
			if err := json.Unmarshal(f.Data, &b); err != nil {
				t.Fatalf("%s: %v", f.File, err)
			}
			out = append(out, b)
		}
	}
	return out
}

// all are the panels that show something, those of collapsed rows included.
func (b board) all() (out []panel) {
	for _, p := range b.Panels {
		if p.Type == "row" {
			out = append(out, p.Panels...)
		} else {
			out = append(out, p)
		}
	}
	return out
}

var variableReference = regexp.MustCompile(`\$\{(\w+)(?::\w+)?\}|\$(\w+)|\[\[(\w+)\]\]`)

// expand puts the values of variables into a query, as Grafana does. What is not
// chosen is All.
func (b board) expand(query string, chosen map[string]string) (string, error) {
	known := map[string]string{"__rate_interval": "1m", "__interval": "15s", "__range": "6h"}
	for _, v := range b.Templating.List {
		known[v.Name] = v.AllValue
	}
	for name, value := range chosen {
		known[name] = regexp.QuoteMeta(value)
	}
	var unknown []string
	out := variableReference.ReplaceAllStringFunc(query, func(ref string) string {
		m := variableReference.FindStringSubmatch(ref)
		name := m[1] + m[2] + m[3]
		if value, ok := known[name]; ok {
			return value
		}
		if _, err := strconv.Atoi(name); err != nil { // $1 of label_replace is left alone
			unknown = append(unknown, ref)
		}
		return ref
	})
	if len(unknown) > 0 {
		return "", fmt.Errorf("no such variable: %s", strings.Join(unknown, ", "))
	}
	return out, nil
}

// columns are the fields that a table shows, in their order.
func (p panel) columns() []string {
	for _, t := range p.Transformations {
		if t.ID == "filterFieldsByName" {
			return t.Options.Include.Names
		}
	}
	return nil
}

// unit is that of the value: a table's is that of the column.
func (p panel) unit() string {
	if p.Type != "table" {
		return p.FieldConfig.Defaults.Unit
	}
	for _, t := range p.Transformations {
		title, ok := t.Options.RenameByName["Value"]
		if !ok {
			continue
		}
		for _, o := range p.FieldConfig.Overrides {
			if o.Matcher.ID != "byName" || o.Matcher.Options != title {
				continue
			}
			for _, property := range o.Properties {
				if property.ID == "unit" {
					return strings.Trim(string(property.Value), `"`)
				}
			}
		}
	}
	return ""
}

// show evaluates a panel and returns what it shows.
func (l *lab) show(t *testing.T, b board, p panel, chosen map[string]string) (rows, []promtest.Sample, error) {
	t.Helper()
	out := rows{}
	if len(p.Targets) != 1 {
		return nil, nil, fmt.Errorf("it has %d queries, and the test knows one", len(p.Targets))
	}
	target := p.Targets[0]
	query, err := b.expand(target.Expr, chosen)
	if err != nil {
		return nil, nil, err
	}
	ask := l.prom.Query
	if target.Range {
		ask = l.prom.QueryRange
	}
	samples, err := ask(t.Context(), query, l.at)
	if err != nil {
		return nil, nil, fmt.Errorf("%w\n%s", err, query)
	}
	for _, s := range samples {
		name, value, err := p.row(s)
		if err != nil {
			return nil, nil, err
		}
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return nil, nil, fmt.Errorf("%s is %v", name, value)
		}
		if _, twice := out[name]; twice {
			return nil, nil, fmt.Errorf("two rows show %q, one is %v\n%s", name, s.Labels, query)
		}
		out[name] = value
	}
	if p.Type == "stat" && len(samples) > 1 {
		return nil, nil, fmt.Errorf("a stat panel shows %d numbers: %v", len(samples), out)
	}
	return out, samples, nil
}

var legendLabel = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)

// row returns how a panel calls a series, and its value.
func (p panel) row(s promtest.Sample) (string, float64, error) {
	switch p.Type {
	case "stat":
		return "", s.Value, nil
	case "table":
		value, parts := 1.0, []string{}
		for _, c := range p.columns() {
			if c == "Value" {
				value = s.Value
			} else {
				parts = append(parts, s.Labels[c])
			}
		}
		return key(parts...), value, nil
	}
	legend := p.Targets[0].LegendFormat
	for _, m := range legendLabel.FindAllStringSubmatch(legend, -1) {
		if _, ok := s.Labels[m[1]]; !ok {
			return "", 0, fmt.Errorf("the legend has %s, and the series is %v", m[0], s.Labels)
		}
		legend = strings.ReplaceAll(legend, m[0], s.Labels[m[1]])
	}
	return legend, s.Value, nil
}

// problems are what is wrong with a panel whatever its query gives, and with the
// labels and the size of the values of its result.
func (p panel) problems(samples []promtest.Sample) (out []string) {
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if p.Title == "" || !strings.HasSuffix(p.Description, ".") {
		say("it needs a title, and a description of whole sentences: %q", p.Description)
	}
	if p.FieldConfig.Defaults.Unit == "" {
		say("it has no unit")
	}
	columns := p.columns()
	switch p.Type {
	case "stat":
		if p.FieldConfig.Defaults.Thresholds == nil || len(p.FieldConfig.Defaults.Mappings) == 0 {
			say("a stat panel needs thresholds and mappings of values")
		}
	case "table":
		if len(columns) == 0 {
			say("it shows every label there is")
		}
		for _, c := range columns {
			if c == "Time" || c == "job" || c == "__name__" {
				say("it shows %s", c)
			}
			if c != "Value" && len(samples) > 0 && !slices.ContainsFunc(samples, func(s promtest.Sample) bool { return s.Labels[c] != "" }) {
				say("nothing is ever in the column %s; labels are %v", c, slices.Sorted(maps.Keys(samples[0].Labels)))
			}
		}
		if slices.Contains(columns, "Value") && p.unit() == "" {
			say("the column of the value has no unit")
		}
	default:
		if p.Targets[0].LegendFormat == "" {
			say("it has no legend")
		}
	}
	return append(out, p.wrongUnit(samples)...)
}

// wrongUnit finds times that are not in the unit that the panel shows: Grafana's dates
// are in milliseconds, durations here in seconds.
func (p panel) wrongUnit(samples []promtest.Sample) (out []string) {
	for _, s := range samples {
		switch unit := p.unit(); {
		case strings.HasPrefix(unit, "dateTime") && (s.Value < 1e12 || s.Value > 1e13):
			out = append(out, fmt.Sprintf("%v is no date in milliseconds", s.Value))
		case unit == "s" && (s.Value > 1e9 || s.Value < -1):
			out = append(out, fmt.Sprintf("%v is no duration in seconds", s.Value))
		}
	}
	return out
}
