// Package catalog holds the rules that Kubevitals ships: one folder for each
// family of APIs, with rules.yaml and, in testdata, a test of them for each kind,
// to be run with "kubevitals test".
package catalog

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

//go:embed */rules.yaml
var files embed.FS

// Names returns the names of all catalogs, in order.
func Names() []string {
	found, err := fs.Glob(files, "*/rules.yaml")
	if err != nil {
		panic("BUG: " + err.Error())
	}
	names := make([]string, len(found))
	for i, file := range found {
		names[i] = path.Dir(file)
	}
	return names
}

// Rules returns the rule file of a catalog and the name to show for it.
func Rules(name string) (file string, data []byte, err error) {
	file = path.Join(name, "rules.yaml")
	data, err = files.ReadFile(file)
	if err != nil {
		return "", nil, fmt.Errorf("there is no catalog %q: there are %s", name, strings.Join(Names(), ", "))
	}
	return "catalog/" + file, data, nil
}
