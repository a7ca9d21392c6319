package dashboard

import (
	"bytes"
	"encoding/json"
	"slices"
)

// schemaVersion is that of Grafana 10.2; later ones read it and bring it up to date.
const schemaVersion = 39

// board declares a dashboard.
type board struct {
	family, file     string
	uid, title, text string
	tags             []string // beside that of all
	variables        []variable
	rows             []row
}

// row is a part of a dashboard. The first has no title, and no headline.
type row struct {
	title     string
	collapsed bool
	panels    []panel
}

// variable is a choice at the top of a dashboard.
type variable struct {
	name, label, query string
}

// File is a dashboard and where it belongs: catalog/Family/dashboards/Name.
type File struct {
	Family, Name string
	Dashboard    Dashboard
}

// All returns all dashboards.
func All() []File {
	boards := []board{gatewayClasses(), gateways()}
	for _, k := range routeKinds {
		boards = append(boards, routes(k))
	}
	boards = append(boards, policies(), kymaModules(), conditions(), pods(), kubevitals())
	files := make([]File, len(boards))
	for i, b := range boards {
		files[i] = File{Family: b.family, Name: b.file + ".json", Dashboard: b.build()}
	}
	return files
}

// JSON is what is in the file.
func (f File) JSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(f.Dashboard); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (b board) build() Dashboard {
	d := Dashboard{
		UID: b.uid, Title: b.title, Description: b.text, Tags: append([]string{"kubevitals"}, b.tags...),
		SchemaVersion: schemaVersion, Editable: true, GraphTooltip: 1, Refresh: "1m",
		Time: span{From: "now-6h", To: "now"}, Timezone: "browser",
		Annotations: annotations{List: []any{}},
	}
	for _, tag := range slices.Concat(b.tags, []string{"kubevitals"}) {
		if title := linkTitles[tag]; title != "" {
			d.Links = append(d.Links, boardLink{
				Type: "dashboards", Title: title, Tags: []string{tag}, AsDropdown: true,
				IncludeVars: true, KeepTime: true, Icon: "external link",
			})
		}
	}
	d.Templating.List = []templateVariable{{Type: "datasource", Name: "datasource", Label: "Data source", Query: "prometheus", Refresh: 1}}
	for _, v := range b.variables {
		d.Templating.List = append(d.Templating.List, v.build())
	}
	d.Panels = layout(b.rows)
	return d
}

// linkTitles are the titles of lists of dashboards by their tags. Other tags have none.
var linkTitles = map[string]string{"kubevitals": "All dashboards", "gateway-api": "Gateway API"}

// build makes a variable of which any number can be chosen. All is a pattern and
// not a list: a list of thousands of routes would be too long for a query.
func (v variable) build() templateVariable {
	return templateVariable{
		Type: "query", Name: v.name, Label: v.label, Datasource: &prometheus, Query: v.query,
		Refresh: 2, Sort: 1, IncludeAll: true, Multi: true, AllValue: ".*",
		Current: &currentOption{Text: []string{"All"}, Value: []string{"$__all"}},
	}
}

// layout puts panels side by side as long as they fit, row by row.
func layout(rows []row) []any {
	var out []any
	id, y := 1, 0
	for _, r := range rows {
		var head *rowPanel
		if r.title != "" {
			head = &rowPanel{ID: id, Type: "row", Title: r.title, Collapsed: r.collapsed, GridPos: gridPos{H: 1, W: 24, Y: y}, Panels: []any{}}
			out = append(out, head)
			id, y = id+1, y+1
		}
		x, height, top := 0, 0, y
		for _, p := range r.panels {
			if x+p.width > 24 {
				x, y, height = 0, y+height, 0
			}
			built := p.build(id, gridPos{H: p.height, W: p.width, X: x, Y: y})
			id, x, height = id+1, x+p.width, max(height, p.height)
			if r.collapsed {
				head.Panels = append(head.Panels, built)
			} else {
				out = append(out, built)
			}
		}
		y += height
		if r.collapsed {
			y = top // its panels take no place
		}
	}
	return out
}

// build makes Grafana's panel.
func (p panel) build(id int, pos gridPos) graphPanel {
	g := graphPanel{
		ID: id, Type: p.typ, Title: p.title, Description: p.description, Datasource: prometheus, GridPos: pos,
		FieldConfig: fieldConfig{Defaults: fieldDefaults{Unit: p.unit, Mappings: p.mappings, Links: p.links}, Overrides: []fieldOverride{}},
		Targets: []target{{
			RefID: "A", Datasource: prometheus, EditorMode: "code", Expr: p.query, Format: "time_series",
			Instant: true, LegendFormat: p.legend,
		}},
	}
	if len(p.steps) > 0 {
		g.FieldConfig.Defaults.Thresholds = &thresholds{Mode: "absolute", Steps: p.steps}
	}
	switch p.typ {
	case statPanel:
		p.stat(&g)
	case tablePanel:
		p.table(&g)
	case timelinePanel:
		g.Targets[0].Instant, g.Targets[0].Range = false, true
		g.FieldConfig.Defaults.Color = &fieldColor{Mode: "thresholds"}
		g.FieldConfig.Defaults.Custom = map[string]any{"fillOpacity": 70, "lineWidth": 0}
		g.Options = map[string]any{
			"showValue": "never", "rowHeight": 0.9, "mergeValues": true, "alignValue": "left",
			"legend": legend("list"), "tooltip": map[string]any{"mode": "single", "sort": "none"},
		}
	case timeseriesPanel:
		p.timeseries(&g)
	}
	return g
}

func (p panel) stat(g *graphPanel) {
	g.FieldConfig.Defaults.Color = &fieldColor{Mode: "thresholds"}
	mode := "value"
	if p.textMode != "" {
		mode = p.textMode
	}
	g.Options = map[string]any{
		"colorMode": "background", "graphMode": "none", "justifyMode": "center", "orientation": "auto", "textMode": mode,
		"wideLayout": true, "showPercentChange": false, "percentChangeColorMode": "standard",
		"reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
	}
}

func (p panel) timeseries(g *graphPanel) {
	g.Targets[0].Instant, g.Targets[0].Range = false, true
	g.FieldConfig.Defaults.Color = &fieldColor{Mode: "palette-classic"}
	zero := 0.0
	g.FieldConfig.Defaults.Min = &zero
	g.FieldConfig.Defaults.Custom = map[string]any{"fillOpacity": 10, "lineWidth": 1, "showPoints": "never"}
	if p.bars {
		g.FieldConfig.Defaults.Custom["fillOpacity"] = 40
		g.FieldConfig.Defaults.Custom["stacking"] = map[string]any{"mode": "normal", "group": "A"}
	}
	g.Options = map[string]any{"legend": legend("table"), "tooltip": map[string]any{"mode": "multi", "sort": "desc"}}
	g.Options["legend"].(map[string]any)["calcs"] = []string{"lastNotNull", "max"}
}

func legend(mode string) map[string]any {
	return map[string]any{"showLegend": true, "displayMode": mode, "placement": "bottom", "calcs": []string{}}
}

// table shows the columns and nothing else, whatever labels the series have.
func (p panel) table(g *graphPanel) {
	g.Targets[0].Format = "table"
	g.FieldConfig.Defaults.Custom = map[string]any{"align": "auto", "filterable": true}
	g.Options = map[string]any{"showHeader": true, "cellHeight": "sm", "frameIndex": 0}
	var names []string
	index, titles := map[string]any{}, map[string]any{}
	for i, c := range p.columns {
		names = append(names, c.field)
		index[c.field], titles[c.field] = i, c.title
		if o := c.override(); len(o.Properties) > 0 {
			g.FieldConfig.Overrides = append(g.FieldConfig.Overrides, o)
		}
	}
	g.Transformations = []transform{
		{ID: "filterFieldsByName", Options: map[string]any{"include": map[string]any{"names": names}}},
		{ID: "organize", Options: map[string]any{"excludeByName": map[string]any{}, "indexByName": index, "renameByName": titles}},
	}
}

// override is how a column differs from the others.
func (c column) override() fieldOverride {
	o := fieldOverride{Matcher: matcher{ID: "byName", Options: c.title}}
	add := func(id string, value any) { o.Properties = append(o.Properties, property{ID: id, Value: value}) }
	if c.unit != "" {
		add("unit", c.unit)
	}
	if len(c.mappings) > 0 {
		add("mappings", c.mappings)
	}
	if len(c.steps) > 0 {
		add("thresholds", thresholds{Mode: "absolute", Steps: c.steps})
		add("custom.cellOptions", map[string]any{"type": "color-background", "mode": "basic"})
	}
	if len(c.links) > 0 {
		add("links", c.links)
	}
	return o
}
