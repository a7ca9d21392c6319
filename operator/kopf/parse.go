package kopf

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// reader turns bodies into families. It is not changed after it was made.
type reader struct {
	maxBody    int64
	maxItems   int
	maxValues  int
	info       []path
	timestamps []path
	rules      []rule
}

// newReader checks the options that are about bodies.
func newReader(o Options) (reader, error) {
	r := reader{
		maxBody:   orDefault(o.MaxBody, 1<<20),
		maxItems:  orDefault(o.MaxItems, 100),
		maxValues: orDefault(o.MaxValues, 10_000),
	}
	var errs []error
	if r.maxBody < 0 || r.maxItems < 0 || r.maxValues < 0 {
		errs = append(errs, errors.New("kopf: MaxBody, MaxItems and MaxValues must not be negative"))
	}
	patterns := func(option string, texts []string) (paths []path) {
		for _, text := range texts {
			p, err := parsePattern(text)
			if err != nil {
				errs = append(errs, fmt.Errorf("kopf: %s: path %q: %w", option, text, err))
			}
			paths = append(paths, p)
		}
		return paths
	}
	r.info = patterns("Info", o.Info)
	r.timestamps = patterns("Timestamps", o.Timestamps)
	for i, x := range o.Rules {
		compiled, err := compileRule(i+1, x)
		if err == nil {
			err = sameType(compiled, r.rules)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("kopf: %w", err))
			continue
		}
		r.rules = append(r.rules, compiled)
	}
	return r, errors.Join(errs...)
}

// sameType reports that an earlier rule gives the family another type.
func sameType(r rule, earlier []rule) error {
	i := slices.IndexFunc(earlier, func(e rule) bool { return e.desc.Name == r.desc.Name })
	if i >= 0 && earlier[i].desc.Type != r.desc.Type {
		return fmt.Errorf("%s: its type is %s, but %s says %s", r.place, r.desc.Type, earlier[i].place, earlier[i].desc.Type)
	}
	return nil
}

// Parse turns the body of an answer, which somebody else has fetched, into the
// families that a [Source] gives for it, but for those about the request: of
// these there is kopf_probe_results only. Options that are about the request are
// not looked at, not even the URL.
//
// A body that is not an object of probes gives no families and an error, which
// says where; so do wrong options. Beside an error about single values all others
// are returned. Families, samples and labels are sorted, and belong to the caller.
func Parse(body []byte, o Options) ([]metric.Family, error) {
	r, err := newReader(o)
	if err != nil {
		return nil, err
	}
	probes, err := r.decode(body)
	if err != nil {
		return nil, fmt.Errorf("kopf: the body %w", err)
	}
	families, err := r.families(probes)
	if err != nil {
		err = fmt.Errorf("kopf: %w", err)
	}
	return withFamilies(families, one(resultsDesc, float64(len(probes)))), err
}

// decode reads the object of probes. Its errors go on after "the body".
func (r *reader) decode(body []byte) (map[string]any, error) {
	if int64(len(body)) > r.maxBody {
		return nil, fmt.Errorf("has more than %d bytes: return less, or raise MaxBody", r.maxBody)
	}
	v, err := decode(string(body))
	if err != nil {
		return nil, fmt.Errorf("is not JSON: %w", err)
	}
	probes, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("is %s, not an object of probes: is this a kopf liveness endpoint?", kindOf(v))
	}
	return probes, nil
}

// one makes a family of one sample without labels.
func one(d metric.Desc, v float64) metric.Family {
	return metric.Family{Desc: d, Samples: []metric.Sample{{Value: v}}}
}

// withFamilies adds families to others, by name.
func withFamilies(families []metric.Family, more ...metric.Family) []metric.Family {
	families = append(families, more...)
	slices.SortFunc(families, func(a, b metric.Family) int { return strings.Compare(a.Name, b.Name) })
	return families
}
