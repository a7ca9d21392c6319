package dashboard

import (
	"slices"
	"strconv"
	"strings"
)

// The types of panels that are in use.
const (
	statPanel       = "stat"
	tablePanel      = "table"
	timelinePanel   = "state-timeline"
	timeseriesPanel = "timeseries"
)

// The units that are in use, as Grafana calls them.
const (
	unitNumber  = "short"
	unitPlain   = "none"
	unitSeconds = "s"
	unitBytes   = "bytes"
	unitRate    = "ops"
	unitBytesPS = "Bps"
	unitCPU     = "percentunit"
	unitDate    = "dateTimeAsIso" // of milliseconds
)

// panel declares a panel: one query and how its result is shown.
type panel struct {
	typ, title, description string
	query, legend, unit     string

	width, height int
	steps         []step
	mappings      []mapping
	columns       []column
	bars          bool // shown as stacked areas
	textMode      string
	links         []dataLink
}

// column is a column of a table: a label, or the value of the series.
type column struct {
	field, title string
	unit         string
	mappings     []mapping
	steps        []step
	links        []dataLink
}

const (
	red, orange, green, blue, gray = "red", "orange", "green", "blue", "#808080"
)

func from(v float64, color string) step { return step{Color: color, Value: &v} }
func base(color string) step            { return step{Color: color} }

// problem is a count of what is wrong: green when there is none. Its query gives 0
// then, and nothing when nothing is known.
func problem(title, description, query string) panel {
	return panel{
		typ: statPanel, title: title, description: description, query: query, legend: title, unit: unitNumber,
		width: 4, height: 4, steps: []step{base(green), from(1, red)},
		mappings: []mapping{values(value(0, "None", green)), noData},
	}
}

// warning is a problem that need not be one.
func warning(title, description, query string) panel {
	p := problem(title, description, query)
	p.steps = []step{base(green), from(1, orange)}
	return p
}

// total is a count that is neither good nor bad.
func total(title, description, query string) panel {
	return panel{
		typ: statPanel, title: title, description: description, query: query, legend: title, unit: unitNumber,
		width: 4, height: 4, steps: []step{base(blue)}, mappings: []mapping{noData},
	}
}

// state is 1 when all is well.
func state(title, description, query string) panel {
	return panel{
		typ: statPanel, title: title, description: description, query: query, legend: title, unit: unitPlain,
		width: 4, height: 4, steps: []step{base(red), from(1, green)},
		mappings: []mapping{values(value(0, "Down", red), value(1, "OK", green)), noData},
	}
}

// table shows a series in each row. Without a column of the value all values are 1.
func table(title, description, query string, columns ...column) panel {
	return panel{typ: tablePanel, title: title, description: description, query: query, unit: unitNumber, width: 24, height: 8, columns: columns}
}

// timeline shows since when each series has had its value.
func timeline(title, description, query, legend string, mappings ...mapping) panel {
	return panel{
		typ: timelinePanel, title: title, description: description, query: query, legend: legend, unit: unitPlain,
		width: 24, height: 8, steps: []step{base(red), from(1, green)}, mappings: mappings,
	}
}

// graph shows values over time.
func graph(title, description, query, legend, unit string) panel {
	return panel{typ: timeseriesPanel, title: title, description: description, query: query, legend: legend, unit: unit, width: 12, height: 8}
}

// wide sets the width, in columns of 24.
func (p panel) wide(width int) panel {
	p.width = width
	return p
}

// needs says which opt-in groups the query needs.
func (p panel) needs(groups ...string) panel {
	noun := "group"
	if len(groups) > 1 {
		noun = "groups"
	}
	p.description += " Needs the " + noun + " " + strings.Join(groups, " and ") + ": --enable " + strings.Join(groups, ",") + "."
	return p
}

// with replaces placeholders of the query, as pairs of old and new.
func (p panel) with(pairs ...string) panel {
	r := strings.NewReplacer(pairs...)
	p.query, p.title, p.description, p.legend = r.Replace(p.query), r.Replace(p.title), r.Replace(p.description), r.Replace(p.legend)
	p.columns = slices.Clone(p.columns)
	for i := range p.columns {
		p.columns[i].title = r.Replace(p.columns[i].title)
		p.columns[i].links = slices.Clone(p.columns[i].links)
		for j, l := range p.columns[i].links {
			p.columns[i].links[j] = dataLink{Title: r.Replace(l.Title), URL: r.Replace(l.URL)}
		}
	}
	return p
}

// unitOf sets the unit.
func (p panel) unitOf(unit string) panel {
	p.unit = unit
	return p
}

// opens lets a click on the panel open another dashboard.
func (p panel) opens(title, uid string) panel {
	p.links = append(slices.Clone(p.links), dataLink{Title: title, URL: "/d/" + uid + "?${datasource:queryparam}&${__url_time_range}"})
	return p
}

// label is a column with a label.
func label(name, title string) column { return column{field: name, title: title} }

// number is the column with the value.
func number(title, unit string) column { return column{field: "Value", title: title, unit: unit} }

// opens makes the cells links to a dashboard, with variables that are the values of
// labels of the row, as pairs of variable and label.
func (c column) opens(title, uid string, pairs ...string) column {
	url := "/d/" + uid + "?${datasource:queryparam}&${__url_time_range}"
	for i := 0; i < len(pairs); i += 2 {
		url += "&var-" + pairs[i] + "=${__data.fields." + pairs[i+1] + ":percentencode}"
	}
	c.links = append(slices.Clone(c.links), dataLink{Title: title, URL: url})
	return c
}

// colored shows the value as a color.
func (c column) colored(mappings ...mapping) column {
	c.mappings = mappings
	c.steps = []step{base(gray)}
	return c
}

// aged colors what has lasted for long.
func (c column) aged(orangeFrom, redFrom float64) column {
	c.steps = []step{base(green), from(orangeFrom, orange), from(redFrom, red)}
	return c
}

type option struct {
	value string
	to    mapped
}

func value(v int, text, color string) option {
	return option{value: strconv.Itoa(v), to: mapped{Text: text, Color: color}}
}

func values(options ...option) mapping {
	m := mapping{Type: "value", Options: map[string]any{}}
	for i, o := range options {
		o.to.Index = i
		m.Options[o.value] = o.to
	}
	return m
}

// texts maps the values of a label.
func texts(colors map[string]string) mapping {
	m := mapping{Type: "value", Options: map[string]any{}}
	for text, color := range colors {
		m.Options[text] = mapped{Text: text, Color: color}
	}
	return m
}

// The mappings that several panels have.
var (
	noData   = mapping{Type: "special", Options: map[string]any{"match": "null+nan", "result": mapped{Text: "No data", Color: gray, Index: 9}}}
	isTrue   = values(value(0, "Not true", red), value(1, "True", green))
	unmet    = values(value(0, "Not true", red), value(1, "True", red)) // of conditions that are not as they should be
	statuses = texts(map[string]string{"True": green, "False": red, "Unknown": orange})
)
