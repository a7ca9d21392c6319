package operator

import (
	"compress/gzip"
	"fmt"
	"io"
	"strings"

	"github.com/kubevitals/kubevitals/operator/exposition"
)

// builtin is the coding that is always offered, for encoders that take data.
var builtin = exposition.Compressor{
	Coding: "gzip",
	New:    func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, gzip.BestSpeed) },
}

// coding picks the content coding of a response, and what compresses it: nil for
// none, and for the gzip that is built in.
func (o *Operator) coding(acceptEncoding string) (string, *exposition.Compressor) {
	var offered []string
	for _, c := range o.opts.Compressors {
		if c.Coding != "" && c.New != nil {
			offered = append(offered, c.Coding)
		}
	}
	picked := exposition.NegotiateCoding(acceptEncoding, append(offered, builtin.Coding)...)
	for i := range o.opts.Compressors {
		if c := &o.opts.Compressors[i]; c.Coding == picked && picked != "" && c.New != nil {
			return picked, c
		}
	}
	return picked, nil
}

// uncoded reports a compressor that cannot be offered.
func (o *Operator) uncoded() error {
	for i, c := range o.opts.Compressors {
		if c.New == nil || c.Coding == "" || strings.ContainsAny(c.Coding, " \t\r\n,;*") {
			return fmt.Errorf("Options.Compressors[%d] with the coding %q needs a name that Accept-Encoding can have, and a function New", i, c.Coding)
		}
	}
	return nil
}
