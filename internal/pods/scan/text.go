package scan

import (
	"bytes"
	"errors"
	"hash/maphash"

	"github.com/kubevitals/kubevitals/operator/exposition"
)

var (
	byteOrderMark = []byte("\xef\xbb\xbf")
	endMark       = []byte("# EOF")
)

// scanText scans the text formats: lines of a shape that is known fast, all
// others in full.
func (x *Exposition) scanText() error {
	b := x.Body
	i := 0
	if bytes.HasPrefix(b, byteOrderMark) {
		i = len(byteOrderMark)
	}
	for i < len(b) {
		x.at = i
		next, err := x.fastLine(b, i)
		if next == 0 && err == nil {
			if next, err = x.line(b, i); err == nil {
				err = x.checkFamilies()
			}
		}
		if err != nil {
			if next = x.dropLine(i, err); next == 0 {
				return err
			}
		}
		i = next
	}
	if x.Format == exposition.OpenMetrics && !x.ended {
		x.at = len(b)
		return syntax("no # EOF at the end")
	}
	return nil
}

// dropLine leaves out a line that is not valid, and returns where the next one
// starts; 0 if it must not be left out. What stands behind an "# EOF" is no line.
func (x *Exposition) dropLine(i int, err error) (next int) {
	var bad *SyntaxError
	if x.Invalid == x.opts.InvalidLines || x.at != i || !errors.As(err, &bad) {
		return 0
	}
	x.Invalid++
	x.open = false
	if n := bytes.IndexByte(x.Body[i:], '\n'); n >= 0 {
		return i + n + 1
	}
	return len(x.Body)
}

// fastLine reads a sample of a known shape, and returns where the next line
// starts, 0 if the line is not of any.
func (x *Exposition) fastLine(b []byte, i int) (int, error) {
	value := x.match(b, i)
	if value == 0 {
		return 0, nil
	}
	next, flags := x.plain(b, value)
	if next == 0 {
		end, after, odd, err := x.lineEnd(b, value)
		if err != nil {
			return 0, err
		}
		if x.Format == exposition.Text && value < end && (b[value] == ' ' || b[value] == '\t') {
			value, odd = blanks(b, value, end), Odd
		}
		if flags, err = x.tail(b, value, end); err != nil {
			return 0, err
		}
		next, flags = after, flags|odd
	}
	sh := &x.shapes.all[x.shapes.last]
	flags |= sh.flags
	if sh.bound >= 0 && !isBound(b, i+int(sh.start[sh.bound])) || b[value]-'0' > 9 && x.isCount(sh.family, nameOf(b[i:value])) {
		flags |= Unbounded
	}
	return next, x.add(sh.family, i, next, 1, flags)
}

// lineEnd returns where the text of a line ends, and where the next line starts.
func (x *Exposition) lineEnd(b []byte, i int) (end, next int, odd Flags, err error) {
	n := bytes.IndexByte(b[i:], '\n')
	end, next = i+n, i+n+1
	if n < 0 {
		if x.Format == exposition.OpenMetrics && !bytes.Equal(b[i:], endMark) {
			return 0, 0, 0, syntax("the last line does not end")
		}
		end, next = len(b), len(b)
	} else if n > 0 && b[end-1] == '\r' {
		end--
		odd = Odd
	}
	if bytes.IndexByte(b[i:end], 0) >= 0 {
		return 0, 0, 0, syntax("a NUL")
	}
	return end, next, odd, nil
}

// line reads any line.
func (x *Exposition) line(b []byte, i int) (int, error) {
	end, next, odd, err := x.lineEnd(b, i)
	if err != nil {
		return 0, err
	}
	start := i
	strict := x.Format == exposition.OpenMetrics
	if strict {
		if i == end {
			return 0, syntax("an empty line")
		}
	} else if i = blanks(b, i, end); i > start {
		odd = Odd
	}
	if i == end || b[i] == '#' {
		x.open = false
		if strict {
			return next, x.metadata(b[i:end], next)
		}
		return next, x.comment(b[i:end])
	}
	x.series.strict = strict
	after, err := x.series.read(b, i, end)
	if err != nil {
		return 0, err
	}
	if err := x.series.checkLimits(b, &x.opts); err != nil {
		return 0, err
	}
	return next, x.sample(b, lineSpan{start, i, after, end, next}, odd)
}

// lineSpan says where the parts of a line are: its start, its series, its end
// without a line break, and the next line.
type lineSpan struct{ start, series, after, end, next int }

// sample reads the rest of a line whose series was read.
func (x *Exposition) sample(b []byte, at lineSpan, odd Flags) error {
	s := &x.series
	family, flags := x.familyOf(s.name)
	flags |= s.flags
	for i := range s.labels {
		if isReserved(s.labels[i].name, x.opts.Reserved) {
			flags |= Reserved
		}
	}
	bound, missing := x.boundOf(family)
	if missing || bound >= 0 && !isBound(b, s.labels[bound].value) {
		flags |= Unbounded
	}
	value := at.after
	if !s.strict {
		value = blanks(b, value, at.end)
	} else if value < at.end && b[value] == ' ' {
		value++
	}
	if value == at.after && (s.strict || b[at.after-1] != '}') || value == at.end {
		return syntax("no value")
	}
	if b[value]-'0' > 9 && x.isCount(family, s.name) {
		flags |= Unbounded
	}
	x.sum = mix(x.sum, maphash.Bytes(seed, b[at.series:at.after]))
	usual := value == at.after+1 && b[at.after] == ' '
	if usual && at.start == at.series && flags&(Odd|Unbounded) == 0 && !x.labelsLimited() {
		x.shapes.learn(at.start, at.after, s.labels, bound, family, flags)
	}
	if next, more := x.plain(b, value); next == at.next && usual {
		return x.add(family, at.start, at.next, 1, flags|more|odd)
	}
	if !usual {
		odd = Odd
	}
	more, err := x.tail(b, value, at.end)
	if err != nil {
		return err
	}
	return x.add(family, at.start, at.next, 1, flags|more|odd)
}

// labelsLimited says whether another line of the shape could be beyond a limit
// that only the full reading checks, because a label that is empty does not
// count.
func (x *Exposition) labelsLimited() bool {
	o := &x.opts
	if o.LabelNameLengthLimit > 0 {
		for i := range x.series.labels {
			if len(x.series.labels[i].name) > o.LabelNameLengthLimit {
				return true
			}
		}
	}
	return o.LabelLimit > 0 && len(x.series.labels) >= o.LabelLimit
}
