// Package catalog holds the rules that Kubevitals ships, and the alerts that go with
// what it serves: one folder for each family, with rules.yaml, which makes metrics of
// the objects of an API, alerts.yaml, which is a rule file of Prometheus, or both. In
// testdata are tests of the rules for each kind, to be run with "kubevitals test", and
// of the alerts, to be run with "promtool test rules".
package catalog

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

//go:embed */rules.yaml */alerts.yaml
var files embed.FS

// The files of a folder.
const (
	rulesFile  = "rules.yaml"
	alertsFile = "alerts.yaml"
)

// Names returns the names of all catalogs, in order: of the families that have rules.
func Names() []string { return having(rulesFile) }

// Families returns the names of all families, in order, those without rules as well.
func Families() []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(having(rulesFile), having(alertsFile)))))
}

// having returns the names of the folders that have a file, in order.
func having(file string) []string {
	found, err := fs.Glob(files, path.Join("*", file))
	if err != nil {
		panic("BUG: " + err.Error())
	}
	names := make([]string, len(found))
	for i, name := range found {
		names[i] = path.Dir(name)
	}
	return names
}

// Rules returns the rule file of a catalog and the name to show for it.
func Rules(name string) (file string, data []byte, err error) {
	file = path.Join(name, rulesFile)
	data, err = files.ReadFile(file)
	if err != nil {
		return "", nil, fmt.Errorf("there is no catalog %q: there are %s", name, strings.Join(Names(), ", "))
	}
	return "catalog/" + file, data, nil
}

// Alerts returns the alerts and recording rules of a family, as a rule file of
// Prometheus, and the name to show for it.
func Alerts(family string) (file string, data []byte, err error) {
	file = path.Join(family, alertsFile)
	data, err = files.ReadFile(file)
	if err != nil {
		return "", nil, fmt.Errorf("there are no alerts of %q: there are those of %s", family, strings.Join(having(alertsFile), ", "))
	}
	return "catalog/" + file, data, nil
}
