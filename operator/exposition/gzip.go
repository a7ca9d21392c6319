package exposition

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"io"
	"sync"
)

// gzipStream writes one gzip member (RFC 1952) out of plain bytes and of
// deflate segments that were made elsewhere. No block before the last refers
// to data of another block run, so that segments can stand anywhere.
type gzipStream struct {
	w    io.Writer
	crc  uint32
	size uint32
	tmp  bytes.Buffer
}

// Below this size plain bytes are stored: a compressor costs more to reset than
// it saves. Headers between two families' segments are of this size.
const storeBelow = 512

const maxStored = 65535

var (
	gzipHeader = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}
	finalBlock = []byte{1, 0, 0, 0xff, 0xff} // stored, empty, final
	deflaters  = sync.Pool{New: func() any {
		w, err := flate.NewWriter(nil, flate.BestSpeed)
		if err != nil {
			panic("BUG: " + err.Error())
		}
		return w
	}}
)

func newGzipStream(w io.Writer) (*gzipStream, error) {
	_, err := w.Write(gzipHeader)
	return &gzipStream{w: w}, err
}

// writePlain compresses p, or stores it if it is short.
func (g *gzipStream) writePlain(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	g.crc = crc32.Update(g.crc, crc32.IEEETable, p)
	g.size += uint32(len(p))
	g.tmp.Reset()
	if len(p) < storeBelow {
		return g.writeStored(p)
	}
	z := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(z)
	z.Reset(&g.tmp)
	if _, err := z.Write(p); err != nil {
		return err
	}
	if err := z.Flush(); err != nil {
		return err
	}
	_, err := g.w.Write(g.tmp.Bytes())
	return err
}

func (g *gzipStream) writeStored(p []byte) error {
	for len(p) > 0 {
		n := min(len(p), maxStored)
		var head [5]byte
		binary.LittleEndian.PutUint16(head[1:], uint16(n))
		binary.LittleEndian.PutUint16(head[3:], ^uint16(n))
		g.tmp.Write(head[:])
		g.tmp.Write(p[:n])
		p = p[n:]
	}
	_, err := g.w.Write(g.tmp.Bytes())
	return err
}

// writeChunk writes a chunk that is compressed already.
func (g *gzipStream) writeChunk(c Chunk) error {
	g.crc = CombineCRC(g.crc, c.CRC, int64(c.Size))
	g.size += uint32(c.Size)
	_, err := g.w.Write(c.Deflate)
	return err
}

func (g *gzipStream) close() error {
	end := append([]byte(nil), finalBlock...)
	end = binary.LittleEndian.AppendUint32(end, g.crc)
	end = binary.LittleEndian.AppendUint32(end, g.size)
	_, err := g.w.Write(end)
	return err
}
