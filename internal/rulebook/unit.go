package rulebook

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/kubevitals/kubevitals/catalog"
)

// unit is some rule files.
type unit struct {
	files   []File
	created string // of a ConfigMap
	// params are those of a catalog that is switched on, by DOCUMENT.NAME.
	params map[string][]string
}

// ConfigMap is a ConfigMap that has rules.
type ConfigMap struct {
	Name    string // namespace/name
	Created string // in an order that sorts; who has been there longer goes first
	Data    map[string]string
}

// Catalog is a catalog that is switched on besides what the configuration names.
type Catalog struct {
	// Name is that of the catalog.
	Name string
	// Params are values for its parameters, by name. What the configuration says
	// goes before, and a parameter without values has its default.
	Params map[string][]string
}

// ownUnit is the name of the unit of the configuration. Those of ConfigMaps are
// namespace/name; those of catalogs begin with catalogUnit, which no namespace has.
const (
	ownUnit     = ""
	catalogUnit = "catalog "
)

// ofConfigMap reports whether a unit of the name is a ConfigMap.
func ofConfigMap(name string) bool { return name != ownUnit && !strings.HasPrefix(name, catalogUnit) }

// unitOfCatalog returns the unit of a catalog.
func unitOfCatalog(c Catalog) (unit, error) {
	file, data, err := catalog.Rules(c.Name)
	if err != nil {
		return unit{}, err
	}
	u := unit{files: []File{{Name: file, Data: data}}, params: make(map[string][]string)}
	for name, values := range c.Params {
		if len(values) > 0 {
			u.params[c.Name+"."+name] = slices.Clone(values)
		}
	}
	return u, nil
}

// unitOf returns the unit of a ConfigMap.
func unitOf(cm ConfigMap) unit {
	u := unit{created: cm.Created}
	for _, key := range slices.Sorted(maps.Keys(cm.Data)) {
		if IsRuleFile(key) {
			u.files = append(u.files, File{Name: displayName(cm.Name) + ": " + key, Data: []byte(cm.Data[key])})
		}
	}
	return u
}

// equal reports whether two units have the same rules.
func (u unit) equal(other unit) bool {
	return maps.EqualFunc(u.params, other.params, slices.Equal) && slices.EqualFunc(u.files, other.files, func(a, b File) bool {
		return a.Name == b.Name && a.Legacy == b.Legacy && bytes.Equal(a.Data, b.Data)
	})
}

// displayName is what people read of a unit.
func displayName(unit string) string {
	switch {
	case unit == ownUnit:
		return "files"
	case ofConfigMap(unit):
		return "configmap " + unit
	}
	return unit
}

// Verdict is what has become of a unit that has changed.
type Verdict struct {
	// ConfigMap is the namespace/name of the ConfigMap that it is about; it is
	// empty for the rules of the configuration, and "catalog NAME" for a catalog
	// that was switched on.
	ConfigMap string
	// Err is why the unit was refused, or nil.
	Err error
	// News says that it is not what was said of the unit before, and First that
	// nothing was.
	News, First bool

	unit unit
}

// About names what the verdict is about.
func (v Verdict) About() string { return displayName(v.ConfigMap) }
