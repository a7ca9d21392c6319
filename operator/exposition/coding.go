package exposition

import (
	"io"
	"strings"
)

// Compressor is a content coding that a server offers besides gzip, such as
// zstd, which the standard library does not have.
type Compressor struct {
	// Coding is the name of the coding in the headers Accept-Encoding and
	// Content-Encoding, such as "zstd" (RFC 9110 section 8.4.1). "gzip" takes the
	// place of the gzip that is built in, which alone takes over chunks that are
	// compressed already.
	Coding string
	// New returns a writer that compresses to w. It is called once for each
	// response, concurrently; the writer is used by one goroutine. Its Close
	// ends the compressed data and does not close w; it is called exactly once,
	// after an error as well. An error breaks the response off.
	New func(w io.Writer) (io.WriteCloser, error)
}

// NegotiateCoding picks, of the content codings that are offered, the one to
// which an Accept-Encoding header gives the highest weight, as RFC 9110 section
// 12.5.3 says; of equal weights the first that is offered. It returns the empty
// string for no coding: if the header accepts none of them, or names "identity"
// with a higher weight. Names are compared without regard to case, and "x-gzip"
// is "gzip". A weight of 0 refuses a coding.
func NegotiateCoding(acceptEncoding string, offered ...string) string {
	weights := make(map[string]float64)
	for element := range strings.SplitSeq(acceptEncoding, ",") {
		coding, q, _ := parseAccept(element)
		if coding == "x-gzip" {
			coding = "gzip"
		}
		if _, twice := weights[coding]; !twice {
			weights[coding] = q
		}
	}
	best, weight := "", weights["identity"]
	for _, coding := range offered {
		q, named := weights[strings.ToLower(coding)]
		if !named {
			q = weights["*"]
		}
		if q > weight || q > 0 && q == weight && best == "" {
			best, weight = coding, q
		}
	}
	return best
}
