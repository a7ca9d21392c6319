package rulebook

import (
	"slices"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// Survey is rules as they are, with all that is wrong with them.
type Survey struct {
	// Files are the files that could be read, with what is in them.
	Files []File
	// Set has the files without errors; it is nil if there is none.
	Set *rule.Set
	// Errs has what cannot be read, and Findings what is wrong with the rest. A
	// finding may be there more than once.
	Errs     []error
	Findings rule.Diagnostics
}

// Survey compiles the rules as a server would, but with all opt-in groups. Files
// with errors are left out of the set. The error is about the configuration.
func (c *Config) Survey() (*Survey, error) {
	wide := *c
	if _, err := wide.options(); err != nil {
		return nil, err
	}
	s, l := &Survey{}, &loader{}
	named := wide.Files()
	err := l.gather(&wide, named, func(name string) ([]byte, error) {
		data, err := Read("", name)
		if err == nil {
			i := slices.IndexFunc(named, func(f File) bool { return f.Name == name })
			file := named[i]
			file.Data = data
			s.Files = append(s.Files, file)
		}
		return data, err
	})
	if err != nil {
		return nil, err
	}
	wide.Enable = slices.Clone(c.Enable)
	for _, source := range l.sources {
		for _, d := range source.Documents {
			wide.Enable = append(wide.Enable, d.Groups()...)
		}
	}
	slices.Sort(wide.Enable)
	wide.Enable = slices.Compact(wide.Enable)
	s.compile(&wide, l)
	return s, nil
}

// compile compiles what was gathered, and again without the files that have
// errors for as long as there are any.
func (s *Survey) compile(c *Config, l *loader) {
	for {
		set, err := l.compile(c)
		s.Errs = append(s.Errs, l.errs...)
		s.Findings = append(s.Findings, l.findings...)
		if err == nil {
			s.Set = set
			return
		}
		broken := make(map[string]bool)
		for _, d := range l.findings {
			broken[d.File] = broken[d.File] || !d.Warning
		}
		good := slices.DeleteFunc(slices.Clone(l.sources), func(source rule.Source) bool { return broken[source.File] })
		if len(good) == 0 || len(good) == len(l.sources) && len(l.errs) == 0 {
			return
		}
		l = &loader{sources: good}
	}
}
