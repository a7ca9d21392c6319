package rulebook

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// File is a file of rules.
type File struct {
	Name   string
	Legacy bool   // read as kube-state-metrics reads it
	Data   []byte // what is in it, once it has been read
}

// FilesIn returns the rule files in a folder, or the name of what is none.
func FilesIn(name string) []string {
	entries, err := os.ReadDir(name)
	if err != nil || name == "" {
		return []string{name}
	}
	var out []string
	for _, e := range entries {
		file := filepath.Join(name, e.Name())
		info, err := os.Stat(file) // of what a link leads to, as in a mounted ConfigMap
		if err == nil && !info.IsDir() && IsRuleFile(e.Name()) {
			out = append(out, file)
		}
	}
	if len(out) == 0 {
		return []string{name}
	}
	return out
}

// IsRuleFile reports whether a file of a folder, or a key of a ConfigMap, has
// the name of a rule file.
func IsRuleFile(name string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name)) && !strings.HasPrefix(name, ".")
}

// Read reads a file of rules. A relative name counts from dir, which errors do
// not show.
func Read(dir, name string) ([]byte, error) {
	if name == "" {
		return nil, errors.New("--rules: the name of the file is empty")
	}
	path := name
	if !filepath.IsAbs(name) {
		path = filepath.Join(dir, name)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s: the folder has no rule files (*.yaml, *.yml, *.json)", name)
	}
	data, err := os.ReadFile(path)
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		pathErr.Path = name
	}
	return data, err
}
