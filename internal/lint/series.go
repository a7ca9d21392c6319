package lint

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// kindSeries is how many series the objects of a kind give.
type kindSeries struct {
	Kind    string         `json:"kind"`
	Metrics []metricSeries `json:"metrics"`
	Total   string         `json:"total"`

	sum total
}

// metricSeries is how many series of a metric an object gives.
type metricSeries struct {
	Metric    string `json:"metric"`
	Family    string `json:"family"`
	PerObject string `json:"perObject"`
}

// estimate returns how many series each metric gives, by kind, in rule order.
func estimate(readings []rule.Reading, kinds []Kind) []kindSeries {
	var out []kindSeries
	add := func(kind string, r *rule.Reading, k *Kind) {
		i := slices.IndexFunc(out, func(s kindSeries) bool { return s.Kind == kind })
		if i < 0 {
			i = len(out)
			out = append(out, kindSeries{Kind: kind})
		}
		out[i].Metrics = append(out[i].Metrics, metricSeries{r.Name, r.Desc.Name, out[i].sum.add(r, k)})
	}
	for i := range readings {
		r := &readings[i]
		matching := matchingKinds(r, kinds)
		for _, k := range matching {
			add(k.String(), r, k)
		}
		switch {
		case len(matching) > 0:
		case r.Discovered:
			add("kinds that are discovered", r, nil)
		default:
			add(r.GVK.String(), r, nil)
		}
	}
	for i := range out {
		out[i].Total = out[i].sum.String()
	}
	return out
}

// total adds up series per object.
type total struct {
	fixed   int      // of metrics that give the same number always
	most    int      // at most, with those of which it is known
	terms   []string // of the others, each once
	count   []int    // how often each term is there
	unknown bool     // of a term no limit is known
}

// add adds a metric and returns how many series of it an object gives.
func (t *total) add(r *rule.Reading, k *Kind) string {
	switch {
	case r.Aggregate != nil:
		return "none" + groupedBy(r.Labels)
	case r.Transition != nil:
		return "none" + groupedBy(r.Transition.By)
	}
	states := max(1, len(r.States))
	factors, limits := factorsOf(r, k)
	if len(factors) == 0 {
		t.fixed += states
		t.most += states
		return strconv.Itoa(states)
	}
	term := strings.Join(factors, " x ")
	product, known := multiply(limits)
	if states > 1 {
		term += fmt.Sprintf(" x %d states", states)
		limits, product = append(limits, states), product*states
	}
	t.term(term)
	if !known {
		t.unknown = true
		return term
	}
	t.most += product
	if len(limits) == 1 {
		return fmt.Sprintf("%s <= %d", term, product)
	}
	return fmt.Sprintf("%s <= %s = %d", term, strings.ReplaceAll(strings.Trim(fmt.Sprint(limits), "[]"), " ", " x "), product)
}

// term counts a term.
func (t *total) term(term string) {
	i := slices.Index(t.terms, term)
	if i < 0 {
		i = len(t.terms)
		t.terms, t.count = append(t.terms, term), append(t.count, 0)
	}
	t.count[i]++
}

// String returns the sum, and what it is at most if that is known.
func (t *total) String() string {
	parts := []string{strconv.Itoa(t.fixed)}
	for i, term := range t.terms {
		if t.count[i] > 1 {
			term = fmt.Sprintf("%d x %s", t.count[i], term)
		}
		parts = append(parts, term)
	}
	out := strings.Join(parts, " + ")
	if !t.unknown && len(t.terms) > 0 {
		out += fmt.Sprintf(" <= %d", t.most)
	}
	return out
}

func groupedBy(labels []string) string {
	if len(labels) == 0 {
		return " (one series)"
	}
	return " (grouped by " + strings.Join(labels, ", ") + ")"
}

// multiply returns a product, and whether all of its factors are known.
func multiply(limits []int) (product int, known bool) {
	product = 1
	for _, limit := range limits {
		if limit == 0 || product > 1<<40/limit {
			return 0, false
		}
		product *= limit
	}
	return product, true
}

// factorsOf returns what a metric iterates over, and how many elements of each
// there are at most; 0 is for any number.
func factorsOf(r *rule.Reading, k *Kind) (factors []string, limits []int) {
	for _, s := range r.Scopes {
		limit, single := limitOf(s, k)
		if single {
			continue
		}
		shown := s.Source
		if len(s.Reads) == 1 && !s.Reads[0].Computed && len(factors) == 0 {
			shown = "object." + strings.TrimPrefix(shownPath(s.Reads[0].Path), "object.")
		}
		if len(factors) > 0 {
			shown = shown[strings.LastIndexByte(shown, '.')+1:]
		}
		factors, limits = append(factors, "N of "+shown), append(limits, limit)
	}
	return factors, limits
}

// limitOf returns how many elements a scope has at most, 0 for any number, and
// whether it always has one.
func limitOf(s rule.Scope, k *Kind) (limit int, single bool) {
	single = len(s.Reads) > 0
	for _, read := range s.Reads {
		switch {
		case read.Computed:
			return 0, false
		case k == nil:
			// The maps that every object has are known without a schema.
			single = single && s.Lone && !read.Legacy && len(read.Path) == 2 && read.Path[0] == "metadata"
			continue
		}
		w := follow(k.Schema, read.Path)
		switch {
		case w.Missing:
			single = single && s.Lone // another alternative is there
		case !w.Found, w.Type == "":
			return 0, false
		case w.Type == "list", !s.Lone && w.named():
			single = false
			if w.MaxItems == 0 {
				return 0, false
			}
			limit = max(limit, w.MaxItems)
		}
	}
	return limit, single
}
