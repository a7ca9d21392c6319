package cli

import (
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/kubevitals/kubevitals/operator/exposition"
)

// compressors returns the content codings that all commands offer besides gzip:
// zstd at its fastest level, which gives about the size of gzip in two thirds of
// its time.
func compressors() []exposition.Compressor {
	return []exposition.Compressor{{Coding: "zstd", New: newZstd}}
}

// encoders are those of responses that have ended: one is too large to make for
// each.
var encoders sync.Pool

// zstdWriter is an encoder in use.
type zstdWriter struct {
	*zstd.Encoder
}

func newZstd(w io.Writer) (io.WriteCloser, error) {
	if e, ok := encoders.Get().(*zstd.Encoder); ok {
		e.Reset(w)
		return zstdWriter{e}, nil
	}
	e, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20), zstd.WithEncoderConcurrency(2))
	return zstdWriter{e}, err
}

// Close ends the data and keeps the encoder.
func (w zstdWriter) Close() error {
	err := w.Encoder.Close()
	w.Reset(nil)
	encoders.Put(w.Encoder)
	return err
}
