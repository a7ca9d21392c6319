package rulebook

import (
	"bytes"
	"maps"
	"slices"
)

// unit is some rule files.
type unit struct {
	files   []File
	created string // of a ConfigMap
}

// ConfigMap is a ConfigMap that has rules.
type ConfigMap struct {
	Name    string // namespace/name
	Created string // in an order that sorts; who has been there longer goes first
	Data    map[string]string
}

// ownUnit is the name of the unit of the configuration. Those of ConfigMaps are
// namespace/name.
const ownUnit = ""

// unitOf returns the unit of a ConfigMap.
func unitOf(cm ConfigMap) unit {
	u := unit{created: cm.Created}
	for _, key := range slices.Sorted(maps.Keys(cm.Data)) {
		if isRuleFile(key) {
			u.files = append(u.files, File{Name: displayName(cm.Name) + ": " + key, Data: []byte(cm.Data[key])})
		}
	}
	return u
}

// equal reports whether two units have the same rules.
func (u unit) equal(other unit) bool {
	return slices.EqualFunc(u.files, other.files, func(a, b File) bool {
		return a.Name == b.Name && a.Legacy == b.Legacy && bytes.Equal(a.Data, b.Data)
	})
}

// displayName is what people read of a unit.
func displayName(unit string) string {
	if unit == ownUnit {
		return "files"
	}
	return "configmap " + unit
}

// Verdict is what has become of a unit that has changed.
type Verdict struct {
	// ConfigMap is the namespace/name of the ConfigMap that it is about; it is
	// empty for the rules of the configuration.
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
