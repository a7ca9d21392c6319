package aggregate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/kubevitals/kubevitals/internal/pods/line"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// row is what a target says of one series.
type row struct {
	key    string // made of the labels
	labels []metric.Label
	shape  shape
	// values are of a number or counter one; of a histogram the buckets of the
	// bounds, the count and the sum; of a summary the count and the sum.
	values []float64
}

// reader makes rows of lines.
type reader struct {
	desc          metric.Desc
	kind          kind
	rows          []row
	max           int // of rows
	distributions map[string]*distribution
	order         []*distribution
	err           error // the first
}

// distribution is a histogram or summary that is being read.
type distribution struct {
	key        string
	labels     []metric.Label
	buckets    []metric.Bucket
	count, sum float64 // the count is less than 0 as long as it is not known
}

// read reads the lines of a target, without the labels of it that do not stay.
// What is wrong is left out; the error is about the first of it.
//
// More rows than there may be series are not read: they could not all be added.
func (a *Aggregator) read(t Target, d metric.Desc, k kind, format exposition.Format, most int, pieces [][]byte) ([]row, error) {
	r := reader{desc: d, kind: k, max: most, distributions: make(map[string]*distribution)}
	for _, piece := range pieces {
		for text := range line.Samples(piece) {
			if err := a.line.Parse(text, format); err != nil {
				r.refuse(BadLine, "%v: %.100q", err, text)
				continue
			}
			member, ok := r.member(a.line.Name)
			if !ok {
				r.refuse(BadLine, "it has no samples called %.100q", a.line.Name)
				continue
			}
			value, err := strconv.ParseFloat(a.line.Value, 64)
			if err != nil {
				r.refuse(BadLine, "%.100q is not a number", a.line.Value)
				continue
			}
			a.strip(t)
			r.add(member, a.line.Labels, value)
		}
	}
	for _, x := range r.order {
		r.finish(x)
	}
	return r.rows, r.err
}

func (r *reader) refuse(reason Reason, detail string, args ...any) {
	if r.err == nil {
		r.err = &RefusedError{reason, r.desc.Name, fmt.Sprintf(detail, args...)}
	}
}

// strip leaves the labels that the aggregate has, sorted.
func (a *Aggregator) strip(t Target) {
	if !t.Joined {
		a.line.Join(t.Labels)
	}
	a.line.Labels = slices.DeleteFunc(a.line.Labels, func(l metric.Label) bool {
		ofTarget := slices.ContainsFunc(t.Labels, func(x metric.Label) bool { return x.Name == l.Name })
		return l.Value == "" || ofTarget && !slices.Contains(a.keep, l.Name)
	})
	metric.SortLabels(a.line.Labels)
}

// created is the member that says since when something is counted.
const created = "_created"

// member returns the suffix of a sample of the family.
func (r *reader) member(name string) (suffix string, ok bool) {
	if r.kind == counter && name == strings.TrimSuffix(r.desc.Name, "_total")+created {
		return created, true
	}
	if suffix, ok = strings.CutPrefix(name, r.desc.Name); !ok {
		return "", false
	}
	switch suffix {
	case "":
		return suffix, r.kind != histogram
	case "_bucket":
		return suffix, r.kind == histogram
	case "_sum", "_count", created:
		return suffix, r.kind == histogram || r.kind == summary
	}
	return "", false
}

// add adds a line. The labels are not kept.
func (r *reader) add(member string, labels []metric.Label, value float64) {
	switch {
	case member == created, member == "" && r.kind == summary:
	case member == "" && len(r.rows) >= r.max:
		r.refuseMore()
	case member == "":
		if r.kind == counter && !isCount(value) {
			r.refuse(BadValue, "a counter has the value %v", value)
			return
		}
		r.rows = append(r.rows, row{key: key(labels), labels: slices.Clone(labels), shape: shape{kind: r.kind}, values: []float64{value}})
	case member == "_bucket":
		r.bucket(labels, value)
	default:
		x := r.distribution(labels)
		if x == nil {
			return
		}
		if member == "_sum" {
			x.sum = value
		} else if x.count = value; !isCount(value) {
			r.refuse(BadValue, "a count is %v", value)
		}
	}
}

func (r *reader) bucket(labels []metric.Label, value float64) {
	i := slices.IndexFunc(labels, func(l metric.Label) bool { return l.Name == "le" })
	if i < 0 {
		r.refuse(BadLine, "a bucket has no label le")
		return
	}
	bound, err := strconv.ParseFloat(labels[i].Value, 64)
	if err != nil || math.IsNaN(bound) {
		r.refuse(BadLine, "a bucket has the bound %.100q", labels[i].Value)
		return
	}
	x := r.distribution(slices.Delete(labels, i, i+1))
	if x == nil {
		return
	}
	x.buckets = append(x.buckets, metric.Bucket{UpperBound: bound, Count: value})
}

func (r *reader) refuseMore() {
	r.refuse(Full, "there are more than %d series", r.max)
}

// distribution returns that of the labels, which is made if there is none; nil if
// there are too many.
func (r *reader) distribution(labels []metric.Label) *distribution {
	k := key(labels)
	x := r.distributions[k]
	if x == nil && len(r.order) >= r.max {
		r.refuseMore()
		return nil
	}
	if x == nil {
		x = &distribution{key: k, labels: slices.Clone(labels), count: -1}
		r.distributions[k] = x
		r.order = append(r.order, x)
	}
	return x
}

// finish makes a row of a distribution.
func (r *reader) finish(x *distribution) {
	slices.SortStableFunc(x.buckets, func(a, b metric.Bucket) int { return cmp.Compare(a.UpperBound, b.UpperBound) })
	for i := 1; i < len(x.buckets); i++ {
		if bound := x.buckets[i].UpperBound; bound == x.buckets[i-1].UpperBound {
			r.refuse(BadBuckets, "the bound %v is there twice", bound)
			return
		}
	}
	if n := len(x.buckets); n > 0 && math.IsInf(x.buckets[n-1].UpperBound, 1) {
		if x.count < 0 {
			x.count = x.buckets[n-1].Count
		}
		x.buckets = x.buckets[:n-1]
	}
	out := row{key: x.key, labels: x.labels, shape: shape{kind: r.kind}}
	for _, b := range x.buckets {
		out.shape.bounds = append(out.shape.bounds, b.UpperBound)
		out.values = append(out.values, b.Count)
	}
	out.values = append(out.values, x.count)
	for i, v := range out.values {
		if !isCount(v) || i > 0 && out.values[i-1] > v {
			r.refuse(BadValue, "buckets and count %s are not all there, numbers of things, and cumulative", brief(out.values))
			return
		}
	}
	if math.IsNaN(x.sum) || math.IsInf(x.sum, 0) {
		x.sum = 0
	}
	out.values = append(out.values, x.sum)
	r.rows = append(r.rows, out)
}

// isCount reports whether v can be a number of things.
func isCount(v float64) bool {
	return v >= 0 && !math.IsInf(v, 1)
}

// key returns a text that no other labels have: the byte between its parts is in
// no valid UTF-8.
func key(labels []metric.Label) string {
	var b strings.Builder
	for _, l := range labels {
		b.WriteString(l.Name)
		b.WriteByte(0xff)
		b.WriteString(l.Value)
		b.WriteByte(0xff)
	}
	return b.String()
}
