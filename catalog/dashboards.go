package catalog

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
)

//go:embed */dashboards/*.json
var dashboards embed.FS

// Dashboard is a dashboard of Grafana.
type Dashboard struct {
	// File is the name to show for it.
	File string
	// Data is JSON, to be imported or provisioned as it is.
	Data []byte
}

// Dashboards returns the dashboards of a family, in order. Not every family with
// dashboards has rules: pods and kubevitals have none.
func Dashboards(family string) ([]Dashboard, error) {
	files, err := fs.Glob(dashboards, path.Join(family, "dashboards", "*.json"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("there are no dashboards of %q in the catalog", family)
	}
	found := make([]Dashboard, len(files))
	for i, file := range files {
		data, err := dashboards.ReadFile(file)
		if err != nil {
			panic("BUG: " + err.Error())
		}
		found[i] = Dashboard{File: "catalog/" + file, Data: data}
	}
	return found, nil
}
