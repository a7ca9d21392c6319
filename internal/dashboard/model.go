package dashboard

// Dashboard is a dashboard as Grafana 10 to 12 import and provision it.
type Dashboard struct {
	ID            *int        `json:"id"` // null: Grafana gives it
	UID           string      `json:"uid"`
	Title         string      `json:"title"`
	Description   string      `json:"description"`
	Tags          []string    `json:"tags"`
	SchemaVersion int         `json:"schemaVersion"`
	Editable      bool        `json:"editable"`
	GraphTooltip  int         `json:"graphTooltip"`
	Refresh       string      `json:"refresh"`
	Time          span        `json:"time"`
	Timezone      string      `json:"timezone"`
	Annotations   annotations `json:"annotations"`
	Links         []boardLink `json:"links"`
	Templating    templating  `json:"templating"`
	Panels        []any       `json:"panels"` // of [graphPanel] and [rowPanel]
}

type span struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type annotations struct {
	List []any `json:"list"`
}

type templating struct {
	List []templateVariable `json:"list"`
}

// boardLink is a list of other dashboards, by tags.
type boardLink struct {
	Type        string   `json:"type"`
	Title       string   `json:"title"`
	Tags        []string `json:"tags"`
	AsDropdown  bool     `json:"asDropdown"`
	IncludeVars bool     `json:"includeVars"`
	KeepTime    bool     `json:"keepTime"`
	Icon        string   `json:"icon"`
	TargetBlank bool     `json:"targetBlank"`
	Tooltip     string   `json:"tooltip"`
}

type templateVariable struct {
	Type       string         `json:"type"`
	Name       string         `json:"name"`
	Label      string         `json:"label"`
	Datasource *datasource    `json:"datasource,omitempty"`
	Query      string         `json:"query"`
	Refresh    int            `json:"refresh"`
	Sort       int            `json:"sort,omitempty"`
	IncludeAll bool           `json:"includeAll,omitempty"`
	Multi      bool           `json:"multi,omitempty"`
	AllValue   string         `json:"allValue,omitempty"`
	Current    *currentOption `json:"current,omitempty"`
}

type currentOption struct {
	Text  []string `json:"text"`
	Value []string `json:"value"`
}

type datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

// prometheus is the data source that is chosen at the top of each dashboard.
var prometheus = datasource{Type: "prometheus", UID: "${datasource}"}

type gridPos struct {
	H int `json:"h"`
	W int `json:"w"`
	X int `json:"x"`
	Y int `json:"y"`
}

// rowPanel is the headline of a row. A collapsed one holds its panels.
type rowPanel struct {
	ID        int     `json:"id"`
	Type      string  `json:"type"`
	Title     string  `json:"title"`
	Collapsed bool    `json:"collapsed"`
	GridPos   gridPos `json:"gridPos"`
	Panels    []any   `json:"panels"`
}

type graphPanel struct {
	ID              int            `json:"id"`
	Type            string         `json:"type"`
	Title           string         `json:"title"`
	Description     string         `json:"description"`
	Datasource      datasource     `json:"datasource"`
	GridPos         gridPos        `json:"gridPos"`
	FieldConfig     fieldConfig    `json:"fieldConfig"`
	Options         map[string]any `json:"options"`
	Targets         []target       `json:"targets"`
	Transformations []transform    `json:"transformations,omitempty"`
}

type target struct {
	RefID        string     `json:"refId"`
	Datasource   datasource `json:"datasource"`
	EditorMode   string     `json:"editorMode"`
	Expr         string     `json:"expr"`
	Format       string     `json:"format"`
	Instant      bool       `json:"instant"`
	Range        bool       `json:"range"`
	LegendFormat string     `json:"legendFormat,omitempty"`
}

type transform struct {
	ID      string         `json:"id"`
	Options map[string]any `json:"options"`
}

type fieldConfig struct {
	Defaults  fieldDefaults   `json:"defaults"`
	Overrides []fieldOverride `json:"overrides"`
}

type fieldDefaults struct {
	Unit       string         `json:"unit,omitempty"`
	Decimals   *int           `json:"decimals,omitempty"`
	Min        *float64       `json:"min,omitempty"`
	Max        *float64       `json:"max,omitempty"`
	NoValue    string         `json:"noValue,omitempty"`
	Color      *fieldColor    `json:"color,omitempty"`
	Custom     map[string]any `json:"custom,omitempty"`
	Links      []dataLink     `json:"links,omitempty"`
	Mappings   []mapping      `json:"mappings,omitempty"`
	Thresholds *thresholds    `json:"thresholds,omitempty"`
}

type fieldColor struct {
	Mode string `json:"mode"`
}

type dataLink struct {
	Title string `json:"title"`
	URL   string `json:"url"`
}

type mapping struct {
	Type    string         `json:"type"`
	Options map[string]any `json:"options"`
}

type mapped struct {
	Text  string `json:"text"`
	Color string `json:"color"`
	Index int    `json:"index"`
}

type thresholds struct {
	Mode  string `json:"mode"`
	Steps []step `json:"steps"`
}

// step is a color from a value on; the first has none.
type step struct {
	Color string   `json:"color"`
	Value *float64 `json:"value"`
}

type fieldOverride struct {
	Matcher    matcher    `json:"matcher"`
	Properties []property `json:"properties"`
}

type matcher struct {
	ID      string `json:"id"`
	Options string `json:"options"`
}

type property struct {
	ID    string `json:"id"`
	Value any    `json:"value"`
}
