package merge

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"slices"

	"github.com/kubevitals/kubevitals/internal/pods/line"
	"github.com/kubevitals/kubevitals/internal/pods/scan"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// parseSize is how many bytes of lines are parsed at once, or those of one histogram
// or summary. As samples they need many times as much.
const parseSize = 256 << 10

// appendParsed appends lines of one source as records.
func (x *merged) appendParsed(buf []byte, f *family, refs []ref, full func([]byte) []byte) []byte {
	s := &x.sources[refs[0].source]
	if e := &s.Extents[refs[0].extent]; !distribution(f.Type) && e.Flags&scan.Exemplars == 0 {
		return x.appendSimple(buf, f, refs[0], full)
	}
	size := 0
	for _, r := range refs {
		size += int(s.Extents[r.extent].End - s.Extents[r.extent].Start)
	}
	if size > parseSize {
		return x.appendMany(buf, f, refs, full)
	}
	var lines []byte
	for _, r := range refs {
		lines = x.appendLabelled(lines, s.Format, f.Name, r)
	}
	return x.appendRead(buf, f, s, lines, full)
}

// appendRead appends lines that have their labels as records.
func (x *merged) appendRead(buf []byte, f *family, s *source, lines []byte, full func([]byte) []byte) []byte {
	lines = withoutCreated(lines, s, f)
	parsed, err := exposition.Rendered{Desc: f.Desc, Chunks: []exposition.Chunk{{Raw: lines}}}.Parse(s.Format)
	if err != nil && len(parsed.Samples) == 0 {
		return buf
	}
	for i := range parsed.Samples {
		if buf = exposition.AppendRecords(buf, f.Desc, parsed.Samples[i:i+1]); len(buf) >= blockSize {
			buf = full(buf)
		}
	}
	return buf
}

// appendMany appends lines as appendParsed does, a part at a time: the lines of one
// histogram or summary need not be next to each other.
func (x *merged) appendMany(buf []byte, f *family, refs []ref, full func([]byte) []byte) []byte {
	s := &x.sources[refs[0].source]
	all := x.groupLines(f, refs)
	var l line.Line
	var lines []byte
	for i, at := range all {
		r := refs[at.ref]
		own := &s.Families[s.Extents[r.extent].Family]
		if l.Parse(s.Body[at.start:at.end], s.Format) == nil && x.rewrite(&l, s, own, s.Format, r.exported) {
			lines = l.Append(lines)
		}
		if last := i+1 == len(all); last || len(lines) >= parseSize && all[i+1].group != at.group {
			buf = x.appendRead(buf, f, s, lines, full)
			lines = lines[:0]
		}
	}
	return buf
}

// lineAt is where a line is, and of which histogram or summary, in the order in which
// they begin.
type lineAt struct {
	group, ref int32
	start, end uint32
}

// groupLines returns the lines of extents of one source by what they are part of. Of
// a type with samples of one line each is alone.
func (x *merged) groupLines(f *family, refs []ref) []lineAt {
	s := &x.sources[refs[0].source]
	var all []lineAt
	var l line.Line
	var key []byte
	groups := make(map[uint64]int32)
	for i, r := range refs {
		e := &s.Extents[r.extent]
		at := e.Start
		for text := range bytes.Lines(s.Body[e.Start:e.End]) {
			start := at
			at += uint32(len(text))
			if l.Parse(text, s.Format) != nil || !x.rewrite(&l, s, &s.Families[e.Family], s.Format, r.exported) {
				continue // a comment, or nothing
			}
			group := int32(len(all))
			if distribution(f.Type) {
				key = appendGroup(key[:0], &l, f.Type)
				hash := maphash.Bytes(groupSeed, key) // if two are the same, they are only read together
				known, ok := groups[hash]
				if !ok {
					known = int32(len(groups))
					groups[hash] = known
				}
				group = known
			}
			all = append(all, lineAt{group, int32(i), start, at})
		}
	}
	slices.SortStableFunc(all, func(a, b lineAt) int { return cmp.Compare(a.group, b.group) })
	return all
}

var groupSeed = maphash.MakeSeed()

// appendGroup appends the labels that all lines of a histogram or summary have.
func appendGroup(dst []byte, l *line.Line, t metric.Type) []byte {
	bound := "le"
	if t == metric.Summary {
		bound = "quantile"
	}
	metric.SortLabels(l.Labels)
	for _, x := range l.Labels {
		if x.Name != bound && x.Value != "" {
			dst = append(append(append(append(dst, x.Name...), 0xff), x.Value...), 0xff)
		}
	}
	return dst
}

// withoutCreated leaves out lines that records have no place for.
func withoutCreated(lines []byte, s *source, f *family) []byte {
	if s.Format != exposition.OpenMetrics {
		return lines
	}
	family := scan.Family{Name: []byte(f.Name), Type: f.Type}
	out := lines[:0]
	var l line.Line
	for text := range bytes.Lines(lines) {
		if l.Parse(text, s.Format) == nil && !isCreated(l.Name, &family) {
			out = append(out, text...)
		}
	}
	return out
}

// appendSimple appends lines that are a number each.
func (x *merged) appendSimple(buf []byte, f *family, r ref, full func([]byte) []byte) []byte {
	s := &x.sources[r.source]
	e := &s.Extents[r.extent]
	family := &s.Families[e.Family]
	var l line.Line
	for text := range line.Samples(s.Body[e.Start:e.End]) {
		if l.Parse(text, s.Format) != nil || !x.rewrite(&l, s, family, exposition.Text, r.exported) {
			continue
		}
		if buf = appendRecord(buf, &l, f.Type); len(buf) >= blockSize {
			buf = full(buf)
		}
	}
	return buf
}
