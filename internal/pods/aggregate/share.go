package aggregate

import "slices"

// share is what the families of one rule may remember, and do.
type share struct {
	rule    Rule
	max     int
	kept    int // numbers that are remembered
	current int // numbers of this scrape alone
}

func (s *share) used() int { return s.kept + s.current }

// divide gives all rules the same. A rule for the same families as one before it
// matches nothing, and gets nothing.
func divide(rules []Rule, most int) []share {
	var out []share
	for _, r := range rules {
		if !slices.ContainsFunc(out, func(s share) bool { return s.rule.Family == r.Family }) {
			out = append(out, share{rule: r})
		}
	}
	for i := range out {
		out[i].max = most / len(out)
	}
	return out
}

// labelSize is as how many numbers labels count: long ones need more memory than
// the number that they are about.
func labelSize(key string) int { return len(key) / 128 }

// Usage is how much the families of a rule remember.
type Usage struct {
	Rule Rule
	// Series is how many numbers they are, those of the last scrape included,
	// and Max how many they may be.
	Series, Max int
}

// Usage returns how much is remembered, in the order of the rules.
func (a *Aggregator) Usage() []Usage {
	out := make([]Usage, len(a.shares))
	for i := range a.shares {
		s := &a.shares[i]
		out[i] = Usage{Rule: s.rule, Series: s.used(), Max: s.max}
	}
	return out
}
