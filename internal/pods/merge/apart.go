package merge

import (
	"bytes"
	"slices"

	"github.com/kubevitals/kubevitals/internal/pods/line"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// sample says which samples of an extent are of a family that was made of others:
// those with a name. They are not copied, but looked for each time they are
// written: what families are taken apart is for the pods to decide, and bodies
// are all the memory that there is.
type sample struct {
	family, name string // as they were
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
	var scratch, out []byte
	for _, p := range places {
		scratch = x.eachLine(scratch, p.family.Name, p.ref, func(l *line.Line, text []byte) {
			of := sample{p.family.Name, l.Name}
			if p.other {
				l.Name = free(l.Name, find)
			}
			if out = x.appendTaken(out[:0], l, of.name, text); len(out) == 0 {
				return
			}
			g := made[l.Name]
			if g == nil {
				g = &family{Desc: metric.Desc{Name: l.Name}}
				made[l.Name] = g
				order = append(order, l.Name)
			}
			if n := len(g.refs); n == 0 || g.refs[n-1] != p.ref || g.taken[n-1] != of {
				g.refs, g.taken = append(g.refs, p.ref), append(g.taken, of)
			}
		})
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

// eachLine gives the samples of an extent of a family as lines of the text format,
// in which nothing is said that an untyped sample cannot have. The buffer, which it
// uses and returns, does not grow with the extent.
func (x *merged) eachLine(buf []byte, family string, r ref, fn func(l *line.Line, text []byte)) []byte {
	var l line.Line
	read := func(lines []byte) []byte {
		for text := range bytes.Lines(lines) {
			if l.Parse(text, exposition.Text) == nil {
				fn(&l, text)
			}
		}
		return lines[:0]
	}
	return read(x.appendExtent(buf[:0], exposition.Text, family, r, read))
}

// appendSamples appends the samples of an extent that are of a family made of others.
func (w *writing) appendSamples(buf []byte, r ref, of sample) []byte {
	w.scratch = w.eachLine(w.scratch, of.family, r, func(l *line.Line, text []byte) {
		if l.Name != of.name {
			return
		}
		l.Name = w.family.Name
		if buf = w.appendTaken(buf, l, of.name, text); len(buf) >= blockSize {
			buf = w.full(buf)
		}
	})
	return buf
}

// appendTaken appends a line of the text format in the format of the exposition. Its
// text is that which it had under another name.
func (x *merged) appendTaken(dst []byte, l *line.Line, was string, text []byte) []byte {
	switch x.opts.Format {
	case exposition.Text:
		if l.Name == was {
			return append(dst, text...)
		}
		return l.Append(dst)
	case exposition.OpenMetrics:
		if !convertTime(l, exposition.Text, exposition.OpenMetrics) {
			return dst
		}
		return l.Append(dst)
	default:
		return appendRecord(dst, l, metric.Unknown)
	}
}
