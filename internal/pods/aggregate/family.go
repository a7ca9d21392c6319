package aggregate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// kind is what a type means for aggregation.
type kind uint8

const (
	number    kind = iota // each scrape stands for itself
	counter               // one number
	histogram             // buckets, the count, and the sum
	summary               // the count, and the sum
)

var kindNames = []string{number: "it is a number", counter: "it is a counter", histogram: "it is a histogram", summary: "it is a summary"}

func kindOf(t metric.Type) (k kind, ok bool) {
	switch t {
	case metric.Counter:
		return counter, true
	case metric.Histogram:
		return histogram, true
	case metric.Summary:
		return summary, true
	case metric.GaugeHistogram:
		return 0, false
	default:
		return number, true
	}
}

// shape is what all samples of a family must have in common.
type shape struct {
	kind   kind
	bounds []float64 // of buckets, without +Inf
}

func (s *shape) String() string {
	text := kindNames[s.kind]
	if s.kind == histogram {
		text = fmt.Sprintf("%s with %d buckets, up to %s", text, len(s.bounds)+1, brief(s.bounds))
	}
	return text
}

// brief writes numbers, but not too many of them.
func brief(v []float64) string {
	if n := len(v) - 20; n > 0 {
		return fmt.Sprintf("%v and %d more", v[:20], n)
	}
	return fmt.Sprint(v)
}

// family is what is remembered of a family.
type family struct {
	desc   metric.Desc
	share  *share
	shape  shape
	series map[string]*series // by labels; of counters
	groups map[string]*group  // by labels; of numbers, of this scrape

	// What this scrape has brought so far.
	accepted bool
	other    *shape          // of the first target that did not agree
	refused  map[string]bool // targets that did not agree

	// starting are the targets that were there when the family started anew:
	// they count from then on. It is true for those that have said by now what
	// they have.
	starting map[string]bool
}

func newFamily(d metric.Desc, of *share, s shape) *family {
	return &family{
		desc: d, share: of, shape: s,
		series: make(map[string]*series), groups: make(map[string]*group), refused: make(map[string]bool),
	}
}

// isEmpty reports that nothing is remembered of the family.
func (f *family) isEmpty() bool {
	return len(f.series) == 0 && len(f.groups) == 0 && len(f.starting) == 0
}

func (f *family) begin() {
	f.accepted, f.other = false, nil
	clear(f.groups)
	clear(f.refused)
}

// end forgets what is only of use in a scrape.
func (f *family) end() {
	maps.DeleteFunc(f.starting, func(_ string, done bool) bool { return done })
}

// differs returns why a shape is not that of the family, or "".
func (f *family) differs(s *shape) Reason {
	switch {
	case s.kind != f.shape.kind:
		return BadType
	case !slices.Equal(s.bounds, f.shape.bounds):
		return BadBuckets
	}
	return ""
}

// refuse notes that a target of this scrape does not agree.
func (f *family) refuse(id string, s shape) {
	f.refused[id] = true
	if f.other == nil {
		f.other = &s
	}
}

// accept notes that a target of this scrape agrees. The first says what type and
// help there is.
func (f *family) accept(d metric.Desc) {
	switch {
	case !f.accepted:
		f.accepted = true
		f.desc = metric.Desc{Name: strings.Clone(d.Name), Help: strings.Clone(d.Help), Unit: strings.Clone(d.Unit), Type: d.Type}
	case f.desc.Type != d.Type:
		f.desc.Type = metric.Unknown
	}
	if f.desc.Help == "" {
		f.desc.Help = strings.Clone(d.Help)
	}
}

// result describes the aggregate.
func (f *family) result() metric.Desc {
	d := f.desc
	isSet := d.Type == metric.Info || d.Type == metric.StateSet
	if op := f.share.rule.Op; op == Count || isSet && op != Max && op != Min {
		d.Type, d.Unit = metric.Gauge, ""
	}
	if d.Validate() != nil {
		d.Help, d.Unit = "", ""
	}
	return d
}

// samples returns what there is now.
func (f *family) samples() []metric.Sample {
	var out []metric.Sample
	for _, g := range f.groups {
		out = append(out, metric.Sample{Labels: slices.Clone(g.labels), Value: g.value(f.share.rule.Op)})
	}
	for _, s := range f.series {
		out = append(out, s.sample(&f.shape))
	}
	slices.SortFunc(out, func(a, b metric.Sample) int { return metric.CompareLabels(a.Labels, b.Labels) })
	return out
}
