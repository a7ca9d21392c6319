package merge

import (
	"slices"
	"strconv"
	"strings"

	"github.com/kubevitals/kubevitals/internal/pods/line"
	"github.com/kubevitals/kubevitals/internal/pods/scan"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// finder returns the family that is exposed under a name.
type finder func(name string) (*family, bool)

// settle makes families valid beside each other. Histograms and summaries have
// series whose names others may have used. Where these are of a source that only
// left out the type, they join; where they are something else, all families
// concerned are taken apart into untyped ones, which lose no sample. Native
// histograms would: there the others get another name.
func (x *merged) settle(find finder) {
	var apart, others []*family
	for i := range x.table {
		f := &x.table[i]
		switch {
		case !f.complex, x.fits(f) && x.adopt(f, find):
		case x.opts.Format == exposition.Protobuf && x.flags(f)&scan.Native != 0:
			others = append(others, x.expel(f, find)...)
		default:
			apart = append(apart, f)
		}
	}
	if len(apart)+len(others) > 0 {
		x.takeApart(withRelatives(apart, find), others, find)
	}
	for i := range x.table {
		if d := &x.table[i].Desc; d.Validate() != nil {
			d.Unit = "" // the only thing that a scan does not check
		}
	}
}

// suffixes returns what the series of a type have behind the name of the family.
func suffixes(t metric.Type) []string {
	switch t {
	case metric.Histogram, metric.GaugeHistogram:
		return []string{"_bucket", "_sum", "_count"}
	case metric.Summary:
		return []string{"_sum", "_count"}
	}
	return nil
}

// fits reports whether all samples of a histogram or summary are of its type.
func (x *merged) fits(f *family) bool {
	for _, r := range f.refs {
		s := &x.sources[r.source]
		e := &s.Extents[r.extent]
		if s.Families[e.Family].Type != f.Type || e.Flags&scan.Unbounded != 0 {
			return false
		}
	}
	return true
}

// isBounded reports whether a line has the label that samples of a type with a
// suffix need: "le" of a bucket, "quantile" of what is neither sum nor count.
func isBounded(l *line.Line, suffix string, t metric.Type) bool {
	bound := ""
	switch {
	case suffix == "_bucket":
		bound = "le"
	case suffix == "" && t == metric.Summary:
		bound = "quantile"
	default:
		return true
	}
	i := slices.IndexFunc(l.Labels, func(x metric.Label) bool { return x.Name == bound })
	if i < 0 {
		return false
	}
	_, err := strconv.ParseFloat(l.Labels[i].Value, 64)
	return err == nil
}

// adopt takes the untyped families that have the names of the histogram's or
// summary's series into it. It returns false if one of them is something else.
func (x *merged) adopt(f *family, find finder) bool {
	var children []*family
	for _, suffix := range suffixes(f.Type) {
		child, ok := find(f.Name + suffix)
		switch {
		case !ok || len(child.refs) == 0:
		case child.typed || !x.belongs(child, suffix, f.Type):
			return false
		default:
			children = append(children, child)
		}
	}
	for _, child := range children {
		f.refs = append(slices.Clip(f.refs), child.refs...)
		child.refs = nil
	}
	if len(children) > 0 {
		slices.SortStableFunc(f.refs, func(a, b ref) int { return int(a.source - b.source) })
	}
	return true
}

// belongs reports whether the samples of an untyped family can be those series of
// a histogram or summary that have a suffix.
func (x *merged) belongs(child *family, suffix string, t metric.Type) bool {
	var l line.Line
	for _, r := range child.refs {
		s := &x.sources[r.source]
		e := &s.Extents[r.extent]
		if s.Format == exposition.Protobuf {
			return false
		}
		for text := range line.Samples(s.Body[e.Start:e.End]) {
			if l.Parse(text, s.Format) != nil || !isBounded(&l, suffix, t) || suffix != "_sum" && strings.Trim(l.Value, "0123456789") != "" {
				return false
			}
		}
	}
	return true
}

// expel leaves a family nothing but its native histograms and what is of their
// type. It returns families of the rest, and those that have the names of its
// series.
func (x *merged) expel(f *family, find finder) []*family {
	rest := &family{Desc: metric.Desc{Name: f.Name}}
	var kept []ref
	f.Type = metric.Histogram
	for _, r := range f.refs {
		s := &x.sources[r.source]
		if e := &s.Extents[r.extent]; s.Families[e.Family].Type == f.Type && e.Flags&scan.Unbounded == 0 {
			kept = append(kept, r)
		} else {
			rest.refs = append(rest.refs, r)
		}
	}
	f.refs = kept
	out := []*family{rest}
	for _, suffix := range suffixes(f.Type) {
		if other, ok := find(f.Name + suffix); ok {
			out = append(out, other)
		}
	}
	return out
}

// flags returns what is special about any of the family's samples.
func (x *merged) flags(f *family) (flags scan.Flags) {
	for _, r := range f.refs {
		flags |= x.sources[r.source].Extents[r.extent].Flags
	}
	return flags
}
