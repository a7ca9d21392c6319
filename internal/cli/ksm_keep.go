package cli

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// keep returns which families to serve: those of whose names one of allow is
// found in, or all but those that one of deny is found in. It is nil for all.
func keep(allow, deny []string) (func(name string) bool, error) {
	if len(allow) > 0 && len(deny) > 0 {
		return nil, errors.New("--metric-allowlist and --metric-denylist are both given: choose one")
	}
	flag, patterns := "--metric-denylist", deny
	if len(allow) > 0 {
		flag, patterns = "--metric-allowlist", allow
	}
	if len(patterns) == 0 {
		return nil, nil //nolint:nilnil // nothing is left out
	}
	expressions := make([]*regexp.Regexp, len(patterns))
	for i, pattern := range patterns {
		var err error
		if expressions[i], err = regexp.Compile(pattern); err != nil {
			return nil, fmt.Errorf("%s: %w", flag, patternError(pattern, err))
		}
	}
	return func(name string) bool {
		for _, expression := range expressions {
			if expression.MatchString(name) {
				return len(allow) > 0
			}
		}
		return len(allow) == 0
	}, nil
}

// patternError says what is wrong with a pattern that kube-state-metrics may
// understand.
func patternError(pattern string, err error) error {
	for _, around := range []string{"(?=", "(?!", "(?<=", "(?<!"} {
		if strings.Contains(pattern, around) {
			return fmt.Errorf("%q looks around with %q, which the regular expressions here (RE2) cannot: "+
				"list the names, or use the other list", pattern, around)
		}
	}
	return fmt.Errorf("%q is not a regular expression (RE2): %w", pattern, err)
}
