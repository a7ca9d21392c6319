package fetch

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxWindow is how far back a zstd body may refer, which is memory that the
// decoder needs beside the body. RFC 8878 recommends it.
const maxWindow = 8 << 20

// maxClaim keeps what a body says of its size within any int.
const maxClaim = 1 << 30

var (
	errDecode = errors.New("corrupt compressed body")
	errShort  = errors.New("the compressed body ends too early")
)

// coding is how a body is compressed.
type coding uint8

const (
	identity coding = iota
	gzipped
	zstandard
)

// parseCoding reads a Content-Encoding header.
func parseCoding(values []string) (coding, error) {
	switch v := strings.ToLower(strings.TrimSpace(strings.Join(values, ","))); v {
	case "", "identity":
		return identity, nil
	case "gzip", "x-gzip":
		return gzipped, nil
	case "zstd":
		return zstandard, nil
	default:
		return identity, fmt.Errorf("Content-Encoding %s is none of zstd, gzip and identity", quote(v))
	}
}

// inflater inflates bodies that have come completely. So a slow pod keeps no
// decoder busy, and a few of them are enough for all: at most one per CPU and
// eight, which bounds their memory to 8 times the largest zstd window. It is the
// only memory of bodies outside the budget.
type inflater struct {
	turn gate

	mu   sync.Mutex
	idle []*decoder
	used bool // since the last generation
}

// decoder inflates one body at a time, of either coding.
type decoder struct {
	in   *bufio.Reader
	gzip gzip.Reader
	zstd *zstd.Decoder
}

func newInflater() *inflater {
	n := min(runtime.GOMAXPROCS(0), 8)
	return &inflater{turn: gate{limit: n, total: n, slowAfter: -1}}
}

// inflate reads what is on the wire pile onto another.
func (f *inflater) inflate(ctx context.Context, c coding, wire, out *pile, how plan) error {
	if wire.size == 0 {
		return errShort
	}
	if err := out.begin(ctx, how); err != nil {
		return err
	}
	p, err := f.turn.enter(ctx)
	if err != nil {
		return err
	}
	defer p.leave()
	d := f.take()
	defer f.keep(d)
	src, err := d.open(c, &pileReader{p: wire, left: wire.size})
	if err != nil {
		return inflateError(err)
	}
	return inflateError(out.read(ctx, src, how))
}

func (f *inflater) take() *decoder {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.used = true
	if last := len(f.idle) - 1; last >= 0 {
		d := f.idle[last]
		f.idle = f.idle[:last]
		return d
	}
	return &decoder{in: bufio.NewReader(nil)}
}

func (f *inflater) keep(d *decoder) {
	d.in.Reset(nil)
	if d.zstd != nil {
		_ = d.zstd.Reset(nil) // forgets the source; there is nothing to fail
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.idle = append(f.idle, d)
}

// age drops all idle decoders if none was used for a generation.
func (f *inflater) age() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.used {
		for _, d := range f.idle {
			if d.zstd != nil {
				d.zstd.Close()
			}
		}
		f.idle = nil
	}
	f.used = false
}

// open begins a body.
func (d *decoder) open(c coding, src io.Reader) (io.Reader, error) {
	d.in.Reset(src)
	if c == gzipped {
		return &d.gzip, d.gzip.Reset(d.in)
	}
	if d.zstd == nil {
		var err error
		d.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxMemory(maxWindow), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
	}
	return d.zstd, d.zstd.Reset(d.in)
}

// inflateError tells the decoder's errors from ours.
func inflateError(err error) error {
	switch {
	case err == nil, errors.Is(err, errBodySize), errors.Is(err, ErrBudget):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errShort
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return fmt.Errorf("%w: its zstd window is", errBodySize)
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, zstd.ErrCRCMismatch):
		return fmt.Errorf("%w: wrong checksum", errDecode)
	}
	return errDecode
}

// inflatedSize is what the compressed body itself says that it will be, 0 if it
// does not. It need not be true.
func inflatedSize(c coding, wire *pile) int {
	if c == gzipped {
		var trailer [4]byte
		if wire.size < 18 || !wire.tail(trailer[:]) {
			return 0
		}
		return int(min(binary.LittleEndian.Uint32(trailer[:]), maxClaim))
	}
	var h zstd.Header
	if len(wire.bufs) == 0 || h.Decode(wire.bufs[0][:min(wire.size, len(wire.bufs[0]))]) != nil || !h.HasFCS {
		return 0
	}
	return int(min(h.FrameContentSize, maxClaim))
}
