package aggregate

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/kubevitals/kubevitals/internal/pods/glob"
	"github.com/kubevitals/kubevitals/internal/pods/line"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// Options say what is combined.
type Options struct {
	// Rules say which families, and how.
	Rules []Rule
	// Keep are labels of the targets that stay, such as "k8s_namespace": there
	// is one aggregate for each value then.
	Keep []string
	// MaxSeries is how many numbers may be remembered, of all pods and
	// aggregates together; 200,000 if zero. Each bucket is one, and long labels
	// count besides. Each rule has an equal share, and what would be more is
	// refused: the families of one rule take no room from those of another.
	MaxSeries int
}

// Target is one of those who are scraped.
type Target struct {
	// ID is what no other target has, and it never has again: a UID and a port.
	ID string
	// Labels are those that the target has itself.
	Labels []metric.Label
	// Joined says that the samples have the labels already.
	Joined bool
}

// Reason says why something was not combined.
type Reason string

// The reasons.
const (
	// BadOp: the operation is not one for the type, such as the average of a
	// counter.
	BadOp Reason = "operation"
	// BadType: others say that the family has another type, or it is one that
	// cannot be combined.
	BadType Reason = "type"
	// BadBuckets: others have other bounds of buckets.
	BadBuckets Reason = "buckets"
	// BadValue: a counter or bucket is negative or not a number, or buckets are
	// not cumulative.
	BadValue Reason = "value"
	// BadLine: a line is not one of the family.
	BadLine Reason = "line"
	// Full: there are as many series of the rule as there may be.
	Full Reason = "limit"
)

// Reasons are all there are.
var Reasons = []Reason{BadOp, BadType, BadBuckets, BadValue, BadLine, Full}

// Aggregator combines the families of one scrape after the other, and remembers
// what counters have counted. It is not safe for concurrent use: of each scrape,
// call [Aggregator.Begin], [Aggregator.Add] as often as needed, and
// [Aggregator.Families], before the next begins.
type Aggregator struct {
	shares []share // in the order of the rules
	keep   []string

	families map[string]*family
	known    map[string]bool // targets that have contributed to what is remembered
	targets  []string        // of this scrape
	scrape   uint64          // its number
	refused  map[Reason]uint64
	line     line.Line
}

// New returns an aggregator that has seen nothing.
func New(o Options) *Aggregator {
	if o.MaxSeries == 0 {
		o.MaxSeries = 200_000
	}
	return &Aggregator{
		shares: divide(o.Rules, o.MaxSeries), keep: slices.Clone(o.Keep),
		families: make(map[string]*family), known: make(map[string]bool), refused: make(map[Reason]uint64),
	}
}

// Matches reports whether a family is combined, so that its samples are for
// [Aggregator.Add] and nobody else.
func (a *Aggregator) Matches(name string) bool {
	return a.share(name) != nil
}

// share returns that of the first rule that matches a family, or nil.
func (a *Aggregator) share(name string) *share {
	i := slices.IndexFunc(a.shares, func(s share) bool { return glob.Match(s.rule.Family, name) })
	if i < 0 {
		return nil
	}
	return &a.shares[i]
}

// Begin begins a scrape. Its argument has the IDs of all targets there are, also
// of those that will not answer: what the others have contributed is frozen.
func (a *Aggregator) Begin(targets []string) {
	a.scrape++
	a.targets = slices.Clone(targets)
	for i := range a.shares {
		a.shares[i].current = 0
	}
	maps.DeleteFunc(a.families, func(_ string, f *family) bool { return f.isEmpty() })
	for _, f := range a.families {
		f.begin()
	}
	live := make(map[string]bool, len(targets))
	for _, id := range targets {
		live[id] = true
	}
	gone := false
	for id := range a.known {
		if !live[id] {
			delete(a.known, id)
			gone = true
		}
	}
	if !gone {
		return
	}
	for _, f := range a.families {
		for _, s := range f.series {
			f.share.kept -= s.fold(live)
		}
		maps.DeleteFunc(f.starting, func(id string, _ bool) bool { return !live[id] })
	}
}

// Add adds what one target says of a family: all its sample lines, perhaps in
// several pieces, in one of the text formats. It is called once for each target
// and family of a scrape; the order of the calls decides which of two targets is
// refused that do not agree. Nothing is kept of the arguments.
//
// An error says that the target, or some of its series, are refused, and why; it
// is a [*RefusedError] and counted. Everything else was added. A family that no
// rule matches is passed over.
func (a *Aggregator) Add(t Target, d metric.Desc, format exposition.Format, lines ...[]byte) error {
	share := a.share(d.Name)
	if share == nil {
		return nil
	}
	err := a.add(t, d, share, format, lines)
	var refused *RefusedError
	if errors.As(err, &refused) {
		a.refused[refused.Reason]++
	}
	return err
}

// RefusedError says why something of a target was not added.
type RefusedError struct {
	// Reason is one of [Reasons].
	Reason Reason
	// Family is the name of the family.
	Family string
	// Detail says what is wrong. It quotes what the pod has sent.
	Detail string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("aggregation of %.100q: %s", e.Family, e.Detail)
}

// Refused returns how often something was refused since the start, for each of
// [Reasons].
func (a *Aggregator) Refused() map[Reason]uint64 {
	out := make(map[Reason]uint64, len(Reasons))
	for _, r := range Reasons {
		out[r] = a.refused[r]
	}
	return out
}

func (a *Aggregator) add(t Target, d metric.Desc, share *share, format exposition.Format, lines [][]byte) error {
	refuse := func(r Reason, detail string, args ...any) error {
		return &RefusedError{r, d.Name, fmt.Sprintf(detail, args...)}
	}
	k, ok := kindOf(d.Type)
	op := share.rule.Op
	switch {
	case !ok || format == exposition.Protobuf:
		return refuse(BadType, "a %s in this format cannot be combined", d.Type)
	case k != number && op != Sum:
		return refuse(BadOp, "a %s can be added, but there is no %s of it", d.Type, op)
	}
	rows, err := a.read(t, d, k, format, share.max, lines)
	if len(rows) == 0 {
		return err
	}
	f := a.families[d.Name]
	if f == nil {
		f = newFamily(d, share, rows[0].shape)
		a.families[d.Name] = f
	}
	for i := range rows {
		if reason := f.differs(&rows[i].shape); reason != "" {
			f.refuse(t.ID, rows[i].shape)
			return refuse(reason, "the target says that %s, others that %s", &rows[i].shape, &f.shape)
		}
	}
	f.accept(d)
	full := 0
	for i := range rows {
		if !a.addRow(f, t.ID, &rows[i]) {
			full++
		}
	}
	if full > 0 {
		return refuse(Full, "%d series are refused, as there is no room beside what is remembered: %d numbers, of %d for %s", full, share.used(), share.max, share.rule)
	}
	return err
}

// addRow adds one series of a target, and reports whether there was room for it.
func (a *Aggregator) addRow(f *family, id string, r *row) bool {
	room := f.share.max - f.share.used()
	if f.shape.kind == number {
		n := f.addNumber(id, r, room)
		f.share.current += max(n, 0)
		return n >= 0
	}
	n := f.addCounter(id, a.scrape, r, room)
	if n < 0 {
		return false
	}
	f.share.kept += n
	a.known[id] = true
	return true
}

// Families ends the scrape and returns the aggregates, sorted by name, and their
// samples by labels. They belong to the caller.
func (a *Aggregator) Families() []metric.Family {
	var out []metric.Family
	for _, name := range slices.Sorted(maps.Keys(a.families)) {
		f := a.families[name]
		if f.isOver() {
			f.share.kept -= f.restart(a.targets)
			continue
		}
		if samples := f.samples(); len(samples) > 0 {
			out = append(out, metric.Family{Desc: f.result(), Samples: samples})
		}
		f.end()
	}
	return out
}
