package exposition

import (
	"fmt"
	"runtime/debug"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// Rendered is a family whose sample lines are encoded already, as lines of
// [Text] or [OpenMetrics], or as records of [Protobuf] (see [AppendRecords]). One
// without any must not be handed over: with Lines, its HELP and TYPE are written
// all the same. The zero value is a family without a name.
type Rendered struct {
	metric.Desc
	// Chunks are the sample lines in order.
	Chunks []Chunk
	// Lines gives the sample lines where they are not worth keeping; when it is
	// set, Chunks are not used. It appends them to buf and returns it. Between
	// two lines, whenever buf has grown beyond about 64 KiB, it hands buf to
	// full and goes on with what that returns: an empty buffer, or nil when
	// nobody wants the rest, which it may leave out then. buf belongs to the
	// caller again once it was handed to full or returned.
	//
	// It gives the same bytes in every call. It may be called any number of
	// times, concurrently and after Gather has returned, but not once the
	// functions have run that Gather gave to operator.Cleanup. A panic breaks
	// the exposition off.
	Lines func(buf []byte, full func([]byte) []byte) []byte
	// UTF8 says that a label has a name that is no legacy name ([metric.IsLabelName]).
	// Lines are then read and written anew for scrapers that want such names
	// escaped, as those of a family with such a name are anyway.
	UTF8 bool
	// Escaped gives Lines in which the names of labels are as a scheme has them, so
	// that a family with UTF8 set and a name that needs no escape does not have
	// to be read. A sample of which two labels become one is left out. Nil is to
	// have them read.
	Escaped func(Escaping) func(buf []byte, full func([]byte) []byte) []byte
}

// Parse returns the family as data, which shares no memory with the lines. They
// are in the format f: [Text], [OpenMetrics], or [Protobuf] for records. What
// cannot be read ends the family, with an error. Labels are in the order of the
// lines.
func (r Rendered) Parse(f Format) (metric.Family, error) {
	out := metric.Family{Desc: r.Desc}
	var err error
	if f == Protobuf {
		p := recordParser{desc: r.Desc}
		err = r.each(p.records)
		out.Samples = p.samples
	} else {
		p := parser{format: f, desc: r.Desc}
		err = r.each(p.lines)
		out.Samples = p.samples
	}
	if err != nil {
		err = fmt.Errorf("family %s: %w", r.Name, err)
	}
	return out, err
}

// each calls fn with run after run of whole lines, until it fails.
func (r Rendered) each(fn func([]byte) error) error {
	if r.Lines != nil {
		var failure error
		rest, err := r.render(nil, func(buf []byte) []byte {
			if failure == nil {
				failure = fn(buf)
			}
			if failure != nil {
				return nil
			}
			return buf[:0]
		})
		if err == nil && failure == nil {
			failure = fn(rest)
		}
		if failure != nil {
			return failure
		}
		return err
	}
	var buf []byte
	for _, c := range r.Chunks {
		var err error
		if buf, err = c.Append(buf[:0]); err == nil {
			err = fn(buf)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// render calls Lines and turns a panic into an error. The buffer is of no use
// then.
func (r Rendered) render(buf []byte, full func([]byte) []byte) (out []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, fmt.Errorf("family %s: panic in Lines: %v\n%s", r.Name, p, debug.Stack())
		}
	}()
	return r.Lines(buf, full), nil
}

// kind says what the lines of a family are.
type kind uint8

const (
	nothing kind = iota
	lines
	records
)

// kindOf looks at the first byte of what is not empty: that of a record is its
// tag, which is a double quote, with which no line begins.
func kindOf(p []byte) kind {
	switch {
	case len(p) == 0:
		return nothing
	case p[0] == recordTag:
		return records
	default:
		return lines
	}
}
