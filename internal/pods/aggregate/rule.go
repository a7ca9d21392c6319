package aggregate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// Op is how the values of many pods become one.
type Op uint8

// The operations, called as in PromQL.
const (
	Sum Op = iota
	Max
	Min
	Avg
	// Count is of how many pods there is a value.
	Count
)

var opNames = []string{Sum: "sum", Max: "max", Min: "min", Avg: "avg", Count: "count"}

// String returns the name of the operation.
func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return fmt.Sprintf("operation %d", uint8(o))
}

// Rule says how families are combined.
type Rule struct {
	// Family is a name, in which stars stand for any characters. It is that of
	// the samples, with "_total", but without the suffixes of histograms and
	// summaries.
	Family string
	// Op is the operation.
	Op Op
}

// String returns the rule as [ParseRules] reads it.
func (r Rule) String() string { return r.Family + "=" + r.Op.String() }

// ParseRules reads rules such as "http_requests_total=sum" and "queue_*=max". Of
// several rules that match a family the first counts. The error has everything
// that is wrong.
func ParseRules(texts []string) ([]Rule, error) {
	var rules []Rule
	var errs []error
	for _, text := range texts {
		r, err := parseRule(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("aggregation %q: %w", text, err))
			continue
		}
		rules = append(rules, r)
	}
	return rules, errors.Join(errs...)
}

func parseRule(text string) (Rule, error) {
	i := strings.LastIndexByte(text, '=')
	if i < 0 {
		return Rule{}, errors.New("expected a family and an operation, such as queue_*=max")
	}
	r := Rule{Family: strings.TrimSpace(text[:i])}
	op := slices.Index(opNames, strings.TrimSpace(text[i+1:]))
	switch {
	case op < 0:
		return Rule{}, fmt.Errorf("there is no operation %q: it is one of %s", text[i+1:], strings.Join(opNames, ", "))
	case !metric.IsUTF8Name(r.Family):
		return Rule{}, errors.New("the name of the family is empty or no UTF-8")
	}
	r.Op = Op(op)
	base, isBucket := strings.CutSuffix(r.Family, "_bucket")
	switch {
	case strings.HasSuffix(r.Family, "_total") && r.Op != Sum:
		return Rule{}, fmt.Errorf("counters can only be added: write %s=sum", r.Family)
	case isBucket:
		return Rule{}, fmt.Errorf("a histogram is combined as a whole: write %s=sum", base)
	}
	return r, nil
}
