package fetch

import (
	"context"
	"errors"
	"io"
)

var errBodySize = errors.New("the body is larger than its limit")

// maxStalled is the most that a request may hold while it waits for more memory.
// One that holds more fails instead: what it holds lets others finish.
const maxStalled = 4 * chunkSize

// pile is a body that is being read: buffers that are full, all but the last.
// All its memory is counted; free gives back what has not been handed over.
type pile struct {
	memory *memory
	bufs   [][]byte
	last   int // bytes in the last buffer
	size   int
	probe  [1]byte
	wire   int64 // bytes that the request holds besides
}

// plan is what is known of a body before it is read.
type plan struct {
	// expect is how much it will be, 0 if unknown.
	expect int
	limit  int64
	// slow sources may promise much and send little: they are believed when a
	// chunk has come, and hold no more until then.
	slow bool
}

// begin gets the memory of the beginning.
func (p *pile) begin(ctx context.Context, how plan) error {
	first := min(how.expect, int(how.limit))
	if first == 0 || how.slow && first > chunkSize {
		first = chunkSize
	}
	return p.grow(ctx, first, true)
}

// read reads a source to its end. It is called once, after begin.
func (p *pile) read(ctx context.Context, src io.Reader, how plan) error {
	for {
		err := p.fill(src)
		if int64(p.size) > how.limit {
			return errBodySize
		}
		if err == nil {
			err = p.extend(ctx, src, how)
		}
		if err == io.EOF { //nolint:errorlint // as of io.Reader: a wrapped one is no end.
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// fill reads until the last buffer is full. The error is as of [io.Reader].
func (p *pile) fill(src io.Reader) error {
	buf := p.bufs[len(p.bufs)-1]
	for p.last < len(buf) {
		n, err := src.Read(buf[p.last:])
		p.last += n
		p.size += n
		if err != nil {
			return err
		}
	}
	return nil
}

// extend makes room when the last buffer is full, or returns [io.EOF] if it needs
// none: one byte tells.
func (p *pile) extend(ctx context.Context, src io.Reader, how plan) error {
	expect := min(how.expect, int(how.limit))
	n, err := io.ReadFull(src, p.probe[:])
	if n == 0 {
		return err
	}
	if len(p.bufs) == 1 && p.size < expect {
		if err := p.promote(ctx, expect); err != nil {
			return err
		}
	} else if err := p.grow(ctx, chunkSize, how.slow); err != nil {
		return err
	}
	p.bufs[len(p.bufs)-1][p.last] = p.probe[0]
	p.last++
	p.size++
	return nil
}

// grow adds a buffer.
func (p *pile) grow(ctx context.Context, size int, wait bool) error {
	holding := p.holding()
	buf, err := p.memory.get(ctx, size, holding, wait && holding <= maxStalled)
	if err != nil {
		return err
	}
	p.bufs = append(p.bufs, buf)
	p.last = 0
	return nil
}

// promote goes on in a buffer for the whole body.
func (p *pile) promote(ctx context.Context, expect int) error {
	first := p.bufs[0]
	if err := p.grow(ctx, expect, true); err != nil {
		return err
	}
	copy(p.bufs[1], first)
	p.memory.put(first)
	p.bufs = append(p.bufs[:0], p.bufs[1])
	p.last = p.size
	return nil
}

// join hands over the body in one buffer, which is the only one or a new one of
// the right size. The pile is empty then.
func (p *pile) join(ctx context.Context) (body, buffer []byte, err error) {
	if p.size == 0 {
		p.free()
		return []byte{}, nil, nil
	}
	only := p.bufs[0]
	fits := len(p.bufs) == 1
	if fits && cap(only) <= roundUp(p.size+p.size/2) {
		p.bufs = nil
		return only[:p.size], only, nil
	}
	buffer, err = p.memory.get(ctx, slack(p.size), p.holding(), !fits && p.holding() <= maxStalled)
	if err != nil && fits {
		p.bufs = nil
		return only[:p.size], only, nil
	}
	if err != nil {
		return nil, nil, err
	}
	at := 0
	for _, buf := range p.bufs {
		at += copy(buffer[at:p.size], buf)
	}
	p.free()
	return buffer[:at], buffer, nil
}

// slack is how large a buffer is for a body that had some size before, or will
// have the next time: its numbers grow a little.
func slack(size int) int { return size + size/64 + 256 }

// holding is how many bytes the request has.
func (p *pile) holding() int64 {
	n := p.wire
	for _, buf := range p.bufs {
		n += int64(cap(buf))
	}
	return n
}

// free gives all memory back. What the pile held must not be used any more.
func (p *pile) free() {
	for _, buf := range p.bufs {
		p.memory.put(buf)
	}
	p.bufs, p.last = nil, 0
}

// pileReader reads what is on a pile.
type pileReader struct {
	p        *pile
	buf, off int
	left     int
}

func (r *pileReader) Read(dst []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	src := r.p.bufs[r.buf][r.off:]
	n := copy(dst, src[:min(len(src), r.left)])
	r.left -= n
	if r.off += n; r.off == len(r.p.bufs[r.buf]) {
		r.buf, r.off = r.buf+1, 0
	}
	return n, nil
}

// tail copies the last bytes, and reports whether there are so many.
func (p *pile) tail(dst []byte) bool {
	if p.size < len(dst) {
		return false
	}
	skip := p.size - len(dst)
	for _, buf := range p.bufs {
		if skip >= len(buf) {
			skip -= len(buf)
			continue
		}
		n := copy(dst, buf[skip:])
		dst, skip = dst[n:], 0
	}
	return len(dst) == 0
}
