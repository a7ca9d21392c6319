package exposition

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"sync"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// Chunk is a run of whole sample lines of one family, never half of a histogram
// or summary. It is either plain or compressed; the zero value is empty. A
// chunk is never changed after it was handed over.
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

// Rendered is a family whose sample lines are encoded already.
type Rendered struct {
	metric.Desc
	// Chunks are the sample lines in order.
	Chunks []Chunk
}

// Parse returns the family as data. Its lines are in the format f, [Text] or
// [OpenMetrics]; what cannot be read ends the family, with an error.
func (r Rendered) Parse(f Format) (metric.Family, error) {
	out := metric.Family{Desc: r.Desc}
	var lines []byte
	for _, c := range r.Chunks {
		var err error
		if lines, err = c.Append(lines[:0]); err != nil {
			return out, fmt.Errorf("family %s: %w", r.Name, err)
		}
		samples, err := ParseSamples(f, r.Desc, lines)
		out.Samples = append(out.Samples, samples...)
		if err != nil {
			return out, fmt.Errorf("family %s: %w", r.Name, err)
		}
	}
	return out, nil
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
