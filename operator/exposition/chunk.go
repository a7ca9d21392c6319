package exposition

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"sync"
)

// Chunk is a run of whole sample lines of one family, or of records (see
// [AppendRecords]), never half of a histogram or summary. It is either plain or
// compressed; the zero value is empty. A chunk is never changed after it was
// handed over.
type Chunk struct {
	// Raw are the lines themselves. When it is set, the other fields are not
	// used.
	Raw []byte
	// Deflate is the lines as a deflate segment (RFC 1951): whole blocks, none
	// of them final, ending on a byte boundary as a sync flush leaves it, and
	// without references to data before the segment.
	Deflate []byte
	// Size is the length of the lines that Deflate holds.
	Size int
	// CRC is the CRC-32 (IEEE) of the lines that Deflate holds.
	CRC uint32
}

var inflaters = sync.Pool{New: func() any { return flate.NewReader(bytes.NewReader(nil)) }}

// Append appends the lines of the chunk to dst, inflating them if need be.
func (c Chunk) Append(dst []byte) ([]byte, error) {
	if c.Raw != nil {
		return append(dst, c.Raw...), nil
	}
	if c.Size == 0 {
		return dst, nil
	}
	r := inflaters.Get().(io.Reader)
	defer inflaters.Put(r)
	if err := r.(flate.Resetter).Reset(bytes.NewReader(c.Deflate), nil); err != nil {
		return dst, err
	}
	start := len(dst)
	dst = append(dst, make([]byte, c.Size)...)
	if _, err := io.ReadFull(r, dst[start:]); err != nil {
		return dst[:start], fmt.Errorf("inflating a chunk of %d bytes: %w", c.Size, err)
	}
	return dst, nil
}
