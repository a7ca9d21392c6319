package exposition

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
)

// writeMessage writes a family as one MetricFamily, which begins with its
// length: Lines are counted first.
func (x *Writer) writeMessage(r Rendered) error {
	size, k, err := x.measure(r)
	switch {
	case err != nil:
		return err
	case k == nothing:
		return nil
	case k == lines:
		f, err := r.Parse(OpenMetrics)
		if err == nil {
			x.WriteFamily(f)
			err = x.err
		}
		return err
	}
	var head, tail message
	head.head(r.Desc)
	tail.tail(r.Desc)
	x.buf = binary.AppendUvarint(x.buf, uint64(len(head)+size+len(tail)))
	x.buf = append(x.buf, head...)
	if r.Lines != nil && len(x.counted) == size {
		x.buf = append(x.buf, x.counted...) // short enough to be there still
		x.flushFull()
	} else if r.Lines != nil {
		if n := x.writeLines(r); x.err == nil && n != size {
			return fmt.Errorf("family %s: Lines gave %d bytes, and %d before", r.Name, n, size)
		}
	}
	for _, c := range r.plainChunks() {
		x.writeChunk(c)
	}
	x.buf = append(x.buf, tail...)
	return x.err
}

// measure returns how many bytes the lines are, and what they are.
func (x *Writer) measure(r Rendered) (size int, k kind, err error) {
	if r.Lines != nil {
		return x.count(r)
	}
	for _, c := range r.Chunks {
		n := c.Size
		if c.Raw != nil {
			n = len(c.Raw)
		}
		if k == nothing && n > 0 {
			if k, err = c.kind(); err != nil {
				return 0, nothing, fmt.Errorf("family %s: %w", r.Name, err)
			}
		}
		size += n
	}
	return size, k, nil
}

// count counts what Lines gives. The last run stays in x.counted.
func (x *Writer) count(r Rendered) (size int, k kind, err error) {
	see := func(buf []byte) {
		if k == nothing {
			k = kindOf(buf)
		}
		size += len(buf)
	}
	rest, err := r.render(x.counted[:0], func(buf []byte) []byte {
		see(buf)
		return buf[:0]
	})
	see(rest)
	x.counted = rest
	return size, k, err
}

// kind says what the lines of a chunk are that is not empty.
func (c Chunk) kind() (kind, error) {
	if c.Raw != nil {
		return kindOf(c.Raw), nil
	}
	r := inflaters.Get().(io.Reader)
	defer inflaters.Put(r)
	if err := r.(flate.Resetter).Reset(bytes.NewReader(c.Deflate), nil); err != nil {
		return nothing, err
	}
	var first [1]byte
	if _, err := io.ReadFull(r, first[:]); err != nil {
		return nothing, fmt.Errorf("inflating a chunk of %d bytes: %w", c.Size, err)
	}
	return kindOf(first[:]), nil
}
