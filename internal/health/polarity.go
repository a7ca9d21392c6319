package health

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Polarity says which status of a condition is the good one.
type Polarity string

// The polarities of conditions.
const (
	Positive Polarity = "positive" // True is good
	Negative Polarity = "negative" // False is good
	Neutral  Polarity = "neutral"  // neither is
)

//go:embed polarity.txt
var polarityData string

// known are the types that polarity.txt names.
var known = sync.OnceValue(func() map[string][]polarityRule {
	rules, err := parsePolarities(polarityData)
	if err != nil {
		panic("BUG: polarity.txt: " + err.Error())
	}
	return rules
})

// polarityRule is what is known of a type of condition in some kinds.
type polarityRule struct {
	group, kind string
	polarity    Polarity
}

// PolarityOf returns the polarity of a type of condition in a kind. What is not
// known is positive, as most are.
func PolarityOf(group, kind, conditionType string) Polarity {
	best, weight := Positive, -1
	for _, r := range known()[conditionType] {
		if w := r.weight(group, kind); w > weight {
			best, weight = r.polarity, w
		}
	}
	return best
}

// weight returns how much a rule says about a kind, or -1 if it is about others.
func (r *polarityRule) weight(group, kind string) int {
	w := 0
	switch {
	case r.group == group:
		w = 1 << 16
	case r.group == "*":
	case strings.HasPrefix(r.group, "*.") && strings.HasSuffix(group, r.group[1:]):
		w = 2 * len(r.group)
	default:
		return -1
	}
	switch r.kind {
	case kind:
		return w + 1
	case "*":
		return w
	}
	return -1
}

// parsePolarities reads lines of a polarity, a group, a kind and types.
func parsePolarities(data string) (map[string][]polarityRule, error) {
	rules := make(map[string][]polarityRule)
	number := 0
	for line := range strings.Lines(data) {
		number++
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		polarity := Polarity(words[0])
		if len(words) < 4 || !slices.Contains([]Polarity{Positive, Negative, Neutral}, polarity) {
			return nil, fmt.Errorf("line %d: %q: expected a polarity, a group, a kind and types", number, strings.TrimSpace(line))
		}
		r := polarityRule{group: strings.ReplaceAll(words[1], `""`, ""), kind: words[2], polarity: polarity}
		for _, t := range words[3:] {
			rules[t] = append(rules[t], r)
		}
	}
	return rules, nil
}

// Verdict returns 1 if a condition with this polarity and status is good, 0 if it
// is not, and -1 if its status is neither True nor False. ok is false when
// neither of them is good or bad.
func Verdict(p Polarity, status string) (verdict int, ok bool) {
	switch {
	case p == Neutral:
		return 0, false
	case strings.EqualFold(status, "True"):
		return boolToInt(p != Negative), true
	case strings.EqualFold(status, "False"):
		return boolToInt(p == Negative), true
	default:
		return -1, true
	}
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
