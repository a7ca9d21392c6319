package merge

import (
	"bytes"
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

// withRelatives adds the families whose names the series of those that are taken
// apart have, and so on.
func withRelatives(apart []*family, find finder) []*family {
	known := make(map[*family]bool, len(apart))
	for _, f := range apart {
		known[f] = true
	}
	for i := 0; i < len(apart); i++ {
		f := apart[i]
		if !f.complex {
			continue
		}
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if other, ok := find(f.Name + suffix); ok && !known[other] {
				known[other] = true
				apart = append(apart, other)
			}
		}
	}
	return apart
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

// takeApart makes untyped families of some, one for each name that a sample has.
// Those of others get a name that nobody has.
func (x *merged) takeApart(families, others []*family, find finder) {
	type place struct {
		ref
		family *family
		other  bool
	}
	var places []place
	for i, f := range slices.Concat(families, others) {
		for _, r := range f.refs {
			places = append(places, place{r, f, i >= len(families)})
		}
	}
	slices.SortStableFunc(places, func(a, b place) int { return int(a.source - b.source) })
	made := make(map[string]*family)
	var order []string
	var lines []byte
	var l line.Line
	for _, p := range places {
		// In the text format nothing is said that an untyped sample cannot have.
		lines = x.appendLabelled(lines[:0], exposition.Text, p.family, p.ref)
		for text := range bytes.Lines(lines) {
			if l.Parse(text, exposition.Text) != nil {
				continue
			}
			if p.other {
				l.Name = free(l.Name, find)
				text = l.Append(nil)
			}
			g := made[l.Name]
			if g == nil {
				g = &family{Desc: metric.Desc{Name: l.Name}}
				made[l.Name] = g
				order = append(order, l.Name)
			}
			g.owned = x.appendOwned(g.owned, &l, text)
			g.utf8 = g.utf8 || isUTF8(&l)
		}
	}
	for _, f := range families {
		f.refs = nil
		if distribution(f.Type) {
			x.stats.Untyped = append(x.stats.Untyped, f.Name)
		}
	}
	for _, f := range others {
		f.refs = nil
	}
	for _, name := range order {
		x.table = append(x.table, *made[name])
	}
}

// free returns a name with a prefix that makes it nobody's.
func free(name string, find finder) string {
	for {
		name = exportedPrefix + name
		if _, taken := find(name); !taken {
			return name
		}
	}
}

// appendOwned appends a line of the text format in the format of the exposition.
func (x *merged) appendOwned(dst []byte, l *line.Line, text []byte) []byte {
	switch x.opts.Format {
	case exposition.Text:
		return append(dst, text...)
	case exposition.OpenMetrics:
		if !convertTime(l, exposition.Text, exposition.OpenMetrics) {
			return dst
		}
		return l.Append(dst)
	default:
		return appendRecord(dst, l, metric.Unknown)
	}
}

// isUTF8 reports whether a name in a line is no legacy name.
func isUTF8(l *line.Line) bool {
	return !metric.IsName(l.Name) || slices.ContainsFunc(l.Labels, func(x metric.Label) bool { return !metric.IsLabelName(x.Name) })
}

// flags returns what is special about any of the family's samples.
func (x *merged) flags(f *family) (flags scan.Flags) {
	for _, r := range f.refs {
		flags |= x.sources[r.source].Extents[r.extent].Flags
	}
	return flags
}
