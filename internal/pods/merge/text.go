package merge

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/kubevitals/kubevitals/internal/pods/line"
	"github.com/kubevitals/kubevitals/internal/pods/scan"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// blockSize is how much is gathered before it is handed on.
const blockSize = 64 << 10

// render returns a family as it is exposed. ok is false if it has no sample.
func (x *merged) render(f *family) (r exposition.Rendered, ok bool) {
	r = exposition.Rendered{Desc: f.Desc}
	if len(f.refs) == 0 {
		return r, false
	}
	r.UTF8 = x.flags(f)&scan.UTF8 != 0
	r.Lines = x.lines(f)
	if r.UTF8 {
		r.Escaped = func(e exposition.Escaping) func([]byte, func([]byte) []byte) []byte {
			escaped := *x
			escaped.escape = e.LabelName
			return escaped.lines(f)
		}
	}
	return r, true
}

// lines returns what [exposition.Rendered] calls Lines.
func (x *merged) lines(f *family) func([]byte, func([]byte) []byte) []byte {
	return func(buf []byte, full func([]byte) []byte) []byte {
		w := writings.Get().(*writing)
		defer w.put()
		w.merged, w.family, w.next = x, f, full
		for i := 0; i < len(f.refs); {
			n := x.together(f, i)
			buf = w.append(buf, i, n)
			i += n
		}
		return buf
	}
}

// writing is one family being written.
type writing struct {
	*merged
	family  *family
	next    func([]byte) []byte // who takes full buffers
	full    func([]byte) []byte // flush
	buf     []byte              // with whole samples
	scratch []byte
}

var writings = sync.Pool{New: func() any {
	w := new(writing)
	w.full = w.flush
	return w
}}

func (w *writing) put() {
	if cap(w.scratch) > 4*blockSize {
		w.scratch = nil
	}
	w.merged, w.family, w.next, w.buf = nil, nil, nil, nil
	writings.Put(w)
}

func (w *writing) flush(buf []byte) []byte {
	w.buf = w.next(buf)
	return w.buf
}

// append appends so many extents of one source, from the one with index i on. If that panics, which it does not as far as
// we know, only they are missing: the response is being written, with the samples
// of all others.
func (w *writing) append(buf []byte, i, n int) (out []byte) {
	refs := w.family.refs[i : i+n]
	w.buf = buf
	defer func() {
		if p := recover(); p != nil {
			out = w.buf
			if w.opts.Panicked != nil {
				w.opts.Panicked(p)
			}
		}
	}()
	switch {
	case w.family.taken != nil:
		return w.appendSamples(buf, refs[0], w.family.taken[i])
	case w.opts.Format != exposition.Protobuf:
		return w.appendExtent(buf, w.opts.Format, w.family.Name, refs[0], w.full)
	case w.sources[refs[0].source].Format == exposition.Protobuf:
		return w.appendExtentRecords(buf, w.family, refs[0], w.full)
	default:
		return w.appendParsed(buf, w.family, refs, w.full)
	}
}

// escapeLabels escapes the names of labels, if that is wanted. It returns false if
// two of them become one.
func (x *merged) escapeLabels(labels []metric.Label) bool {
	if x.escape == nil {
		return true
	}
	for i := range labels {
		name := x.escape(labels[i].Name)
		if name != labels[i].Name && slices.ContainsFunc(labels, func(l metric.Label) bool { return l.Name == name }) {
			return false
		}
		labels[i].Name = name
	}
	return true
}

// appendLabelled appends the lines of an extent at once.
func (x *merged) appendLabelled(buf []byte, format exposition.Format, family string, r ref) []byte {
	return x.appendExtent(buf, format, family, r, func(b []byte) []byte { return b })
}

// appendExtent appends the lines of an extent of a family with the labels of its
// target.
func (x *merged) appendExtent(buf []byte, format exposition.Format, family string, r ref, full func([]byte) []byte) []byte {
	s := &x.sources[r.source]
	e := &s.Extents[r.extent]
	lines := s.Body[e.Start:e.End]
	switch {
	case s.Format == exposition.Protobuf:
		return x.appendDecoded(buf, format, family, r, full)
	case r.exported > 0 || x.special(s.Format, format, e.Flags):
		return x.appendRewritten(buf, format, r, full)
	case len(s.text) == 0:
		return appendLines(buf, lines, full)
	}
	return inject(buf, lines, s.text, nameLength(s.Families[e.Family].Name, e.Flags), full)
}

// special reports whether lines cannot be copied as they are.
func (x *merged) special(from, to exposition.Format, flags scan.Flags) bool {
	return flags&(scan.Odd|scan.Reserved|scan.UTF8) != 0 ||
		flags&scan.Stamped != 0 && (from != to || x.opts.StripTimestamps) ||
		flags&(scan.Exemplars|scan.Created) != 0 && to != exposition.OpenMetrics
}

// nameLength returns how long the names of the samples of a family are at least.
func nameLength(family []byte, flags scan.Flags) int {
	if flags&scan.Created != 0 {
		return 1 // it may be shorter than the family's, which has "_total" behind it
	}
	return len(family)
}

// inject copies lines without anything special, with labels put before theirs.
func inject(buf, lines, labels []byte, nameLength int, full func([]byte) []byte) []byte {
	for len(lines) > 0 {
		at := nameLength
		for lines[at] != '{' && lines[at] != ' ' {
			at++
		}
		end := bytes.IndexByte(lines[at:], '\n')
		if end < 0 {
			end = len(lines) - 1 - at // the last line of a body
		}
		end += at + 1
		n := len(buf)
		if room := n + end + len(labels) + 3; room > cap(buf) {
			buf = slices.Grow(buf, max(blockSize, room-n))
		}
		buf = buf[:n+end+len(labels)+3]
		n += copy(buf[n:], lines[:at])
		buf[n] = '{'
		n += 1 + copy(buf[n+1:], labels)
		rest := lines[at:end]
		if rest[0] == '{' {
			buf[n] = ','
			rest = rest[1:]
		} else {
			buf[n] = '}'
		}
		n += 1 + copy(buf[n+1:], rest)
		if buf[n-1] != '\n' {
			buf[n] = '\n'
			n++
		}
		buf, lines = buf[:n], lines[end:]
		if n >= blockSize {
			buf = full(buf)
		}
	}
	return buf
}

// appendLines appends lines as they are.
func appendLines(buf, lines []byte, full func([]byte) []byte) []byte {
	for len(lines) > 0 {
		n := len(lines)
		if n > blockSize {
			n = bytes.LastIndexByte(lines[:blockSize], '\n') + 1
			if n == 0 {
				n = bytes.IndexByte(lines, '\n') + 1
			}
		}
		buf = append(buf, lines[:n]...)
		if buf[len(buf)-1] != '\n' {
			buf = append(buf, '\n')
		}
		if lines = lines[n:]; len(buf) >= blockSize {
			buf = full(buf)
		}
	}
	return buf
}

// appendRewritten appends the lines of an extent after a look at each label.
func (x *merged) appendRewritten(buf []byte, format exposition.Format, r ref, full func([]byte) []byte) []byte {
	s := &x.sources[r.source]
	e := &s.Extents[r.extent]
	family := &s.Families[e.Family]
	var l line.Line
	for text := range line.Samples(s.Body[e.Start:e.End]) {
		if l.Parse(text, s.Format) != nil || !x.rewrite(&l, s, family, format, r.exported) {
			continue
		}
		if buf = l.Append(buf); len(buf) >= blockSize {
			buf = full(buf)
		}
	}
	return buf
}

// rewrite makes of a line of a body one of the exposition. It returns false for
// one that has no place in the format.
func (x *merged) rewrite(l *line.Line, s *source, family *scan.Family, to exposition.Format, exported int32) bool {
	if to != exposition.OpenMetrics {
		if s.Format == exposition.OpenMetrics && isCreated(l.Name, family) {
			return false
		}
		l.Exemplar = ""
	}
	if x.opts.StripTimestamps {
		l.Timestamp = ""
	}
	if !convertTime(l, s.Format, to) {
		return false
	}
	l.Name = strings.Repeat(exportedPrefix, int(exported)) + l.Name
	if !s.labelled {
		x.opts.Collision.label(l, s.labels)
	}
	return x.escapeLabels(l.Labels)
}

// isCreated reports whether a sample says since when something is counted.
func isCreated(name string, family *scan.Family) bool {
	base, ok := strings.CutSuffix(name, "_created")
	switch {
	case !ok:
		return false
	case family.Type == metric.Counter:
		return base+"_total" == string(family.Name)
	}
	return distribution(family.Type) && base == string(family.Name)
}

// convertTime changes the unit of a timestamp from that of one format to that of
// the other: milliseconds in the text format, seconds in OpenMetrics. It returns
// false for a time that the text format has no words for: one such line there costs
// the samples of all targets.
func convertTime(l *line.Line, from, to exposition.Format) bool {
	if l.Timestamp == "" || from == to {
		return true
	}
	t, err := strconv.ParseFloat(l.Timestamp, 64)
	if err != nil {
		return false
	}
	if to == exposition.OpenMetrics {
		l.Timestamp = strconv.FormatFloat(t/1000, 'f', -1, 64)
		return true
	}
	t = math.Round(t * 1000)
	l.Timestamp = strconv.FormatInt(int64(t), 10)
	return t >= 0 && t < math.MaxInt64
}

// textOf returns labels as they stand between braces.
func textOf(labels []metric.Label) []byte {
	size := len("x{} 0\n")
	for _, l := range labels {
		size += len(l.Name) + len(l.Value) + len(`="",`)
	}
	text := (&line.Line{Name: "x", Labels: labels, Value: "0"}).Append(make([]byte, 0, size))
	start, end := bytes.IndexByte(text, '{'), bytes.LastIndexByte(text, '}')
	if start < 0 {
		return nil
	}
	return text[start+1 : end]
}
