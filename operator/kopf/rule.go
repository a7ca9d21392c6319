package kopf

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// Rule gives numbers that a probe returns a name, a type and labels of their
// own. What a rule has taken is not in kopf_probe_value any more. A path that
// leads nowhere, or to null, gives nothing and is no error.
type Rule struct {
	// Probe is the key of the probe: its id, or the qualified name of the
	// Python function.
	Probe string
	// Path leads from the value of the probe, "$", to a number, a bool or, for
	// the seconds since 1970, an RFC 3339 time: such as "$.depth". A path with
	// stars, such as "$.queues[*].depth", gives one sample for each match.
	Path string
	// Name is the full name of the family. Those that begin with kopf_probe_
	// are not free.
	Name string
	// Type is the type of the family: any of those whose value is a number. Of
	// the type info the value is 1, whatever the path leads to.
	Type metric.Type
	// Help is one line for people.
	Help string
	// Unit is a base unit; when set, the name ends in it.
	Unit string
	// Labels are the values of labels by name. A value is taken as it is, but:
	//   - "$1" stands for the key or index that the first star of Path matched,
	//     "$2" for that of the second;
	//   - "$.name" is a path to a scalar, from the value of the probe. A star in
	//     it stands for what the star of the same position in Path matched. What
	//     is missing gives no label;
	//   - "$$" at the beginning stands for "$".
	Labels map[string]string
}

// rule is a Rule that was checked.
type rule struct {
	probe  string
	place  string // for errors
	path   path
	desc   metric.Desc
	labels []ruleLabel
}

// ruleLabel has one of: a text, the number of a star, a path.
type ruleLabel struct {
	name    string
	text    string
	star    int
	path    path
	hasPath bool
}

// reserved is what the names of the package's own families begin with.
const reserved = "kopf_probe_"

var errReserved = errors.New("names that begin with " + reserved + " belong to the source")

// compileRule checks the rule with a number, counted from 1.
func compileRule(n int, r Rule) (rule, error) {
	out := rule{
		probe: r.Probe,
		place: fmt.Sprintf("rule %d (%s): probe %q", n, r.Name, r.Probe),
		desc:  metric.Desc{Name: r.Name, Help: r.Help, Unit: r.Unit, Type: r.Type},
	}
	err := out.desc.Validate()
	switch {
	case err != nil:
	case strings.HasPrefix(r.Name, reserved):
		err = errReserved
	case r.Type != metric.Unknown && r.Type.String() == metric.Unknown.String():
		err = fmt.Errorf("%d is no type", r.Type)
	case isDistribution(r.Type):
		err = fmt.Errorf("a rule cannot give a %s: let the probe return it as $metrics", r.Type)
	default:
		if out.path, err = parseRooted(r.Path); err != nil {
			err = fmt.Errorf("path %q: %w", r.Path, err)
		}
	}
	if err != nil {
		return rule{}, fmt.Errorf("%s: %w", out.place, err)
	}
	for name, value := range r.Labels {
		l, err := compileLabel(name, value, out.path.stars())
		if err != nil {
			return rule{}, fmt.Errorf("%s: label %q: value %q: %w", out.place, name, value, err)
		}
		out.labels = append(out.labels, l)
	}
	slices.SortFunc(out.labels, func(a, b ruleLabel) int { return strings.Compare(a.name, b.name) })
	var names metric.Sample
	for _, l := range out.labels {
		names.Labels = append(names.Labels, metric.Label{Name: l.name, Value: l.text})
	}
	if err := names.Validate(metric.Unknown); err != nil {
		return rule{}, fmt.Errorf("%s: %w", out.place, err)
	}
	return out, nil
}

func isDistribution(t metric.Type) bool {
	return t == metric.Histogram || t == metric.GaugeHistogram || t == metric.Summary
}

// compileLabel checks a label of a rule whose path has so many stars.
func compileLabel(name, value string, stars int) (l ruleLabel, err error) {
	l.name = name
	rest, ok := strings.CutPrefix(value, "$")
	switch {
	case !ok:
		l.text = value
		return l, nil
	case strings.HasPrefix(rest, "$"):
		l.text = rest
		return l, nil
	case rest == "", rest[0] == '.', rest[0] == '[':
		l.hasPath = true
		l.path, err = parsePath(rest)
		if err == nil && l.path.stars() > stars {
			err = fmt.Errorf("it has more stars than the path of the rule, which has %d", stars)
		}
		return l, err
	}
	l.star, err = strconv.Atoi(rest)
	switch {
	case err != nil:
		err = errors.New("after $ comes a path, the number of a star, or a second $")
	case l.star < 1 || l.star > stars:
		err = fmt.Errorf("the path of the rule has %d stars", stars)
	}
	return l, err
}

func (p path) stars() (n int) {
	for _, s := range p {
		if s.kind == stepAny {
			n++
		}
	}
	return n
}

// sample makes the sample for what the rule's path has found at a path in the
// value of the probe.
func (r *rule) sample(value any, at path, found any) (s metric.Sample, err error) {
	s.Value = 1
	if r.desc.Type != metric.Info {
		if s.Value, err = numberOf(found); err != nil {
			return s, err
		}
	}
	var stars path // what they stand for
	for i, st := range r.path {
		if st.kind == stepAny {
			stars = append(stars, at[i])
		}
	}
	for _, l := range r.labels {
		text, err := l.resolve(value, stars)
		if err != nil {
			return s, fmt.Errorf("label %q: %w", l.name, err)
		}
		s.Labels = append(s.Labels, metric.Label{Name: l.name, Value: text})
	}
	return s, nil
}

// resolve returns the value of the label in a match, which may be empty.
func (l *ruleLabel) resolve(value any, stars path) (string, error) {
	switch {
	case l.star > 0 && stars[l.star-1].kind == stepIndex:
		return strconv.Itoa(stars[l.star-1].index), nil
	case l.star > 0:
		return stars[l.star-1].key, nil
	case !l.hasPath:
		return l.text, nil
	}
	for _, s := range l.path {
		if s.kind == stepAny {
			s, stars = stars[0], stars[1:]
		}
		element, ok := s.of(value)
		if !ok {
			return "", nil
		}
		value = element
	}
	return textOf(value)
}
