package cli

import (
	"strconv"
	"strings"
)

// KSMFlag is a row of the table of kube-state-metrics' flags, for tests.
type KSMFlag struct {
	Name, Option, Here, Warning string
}

// KSMFlags returns the table.
func KSMFlags() (out []KSMFlag) {
	for _, f := range ksmTable(new(ksmFlags)) {
		out = append(out, KSMFlag{f.name, f.option, f.here, f.warning})
	}
	return out
}

// What tests call directly.
var (
	Keep        = keep
	CgroupLimit = cgroupLimit
)

// ParseSelector reads a selector and returns it as its parts spell it.
func ParseSelector(text string) (string, error) {
	s, err := parseSelector(text)
	if err != nil {
		return "", err
	}
	parts := make([]string, len(s.matchers))
	for i, m := range s.matchers {
		parts[i] = m.label + m.op + strconv.Quote(m.value)
	}
	return s.name + "{" + strings.Join(parts, ",") + "}", nil
}
