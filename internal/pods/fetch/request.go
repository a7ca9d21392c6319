package fetch

import (
	"crypto/tls"
	"net/netip"
	"sync/atomic"
	"time"
)

// Request is what to get. Address, port and path are what matters, all else has
// a useful zero value.
type Request struct {
	// Scheme is "http" or "https". Empty is "http".
	Scheme string
	// IP is dialled, exactly. No name is ever resolved.
	IP netip.Addr
	// Port is 1 to 65535.
	Port uint16
	// Path begins with a slash and may have a query. A fragment is dropped.
	Path string
	// Accept is the header of that name. Empty sends none.
	Accept string
	// BodyLimit lowers Options.BodyLimit, in inflated bytes. 0 and more than
	// Options.BodyLimit are Options.BodyLimit.
	BodyLimit int64
	// Timeout is how long the request may take, waiting for its turn included.
	// The pod is told what is left of it, or of the context if that is less. 0
	// leaves it to the context, or is 10 seconds if that has no deadline.
	Timeout time.Duration
	// Auth is nil if the pod is to know nothing of us. It must come from the
	// operator's configuration, never from the pod.
	Auth *Auth
	// SizeHint is the size of the last body. 0 is unknown. It costs a copy if it
	// is wrong, nothing else.
	SizeHint int
	// AnyType takes bodies of every Content-Type. Without it, HTML and JSON are
	// refused before they are read.
	AnyType bool
}

// Auth is how a request proves who it is, and how the pod has to.
type Auth struct {
	// TLS is for https. Nil is Go's defaults. Connections are shared by requests
	// with the same pointer, so a configuration should be made once, and must
	// not change.
	TLS *tls.Config
	// Token gives the bearer token. It is called for each request, and only if
	// that is https: over http nothing is sent. Nil is none. See [TokenFile].
	Token func() (string, error)
}

// Body is what a pod has answered. Its memory belongs to the client: Bytes must
// not be used after [Body.Release], and every Body must be released.
type Body struct {
	// Bytes is the whole body, inflated.
	Bytes []byte
	// ContentType is the header as the pod sent it. Empty if there was none.
	ContentType string
	// Wire is how many bytes of body came over the network.
	Wire int64
	// Status is 200.
	Status int
	// Duration is from the moment at which the request had its turn to the last
	// byte.
	Duration time.Duration

	buffer   []byte
	memory   *memory
	released atomic.Bool
}

// Release gives the memory back. All calls but the first do nothing, and so does
// one on nil. It is safe for concurrent use.
func (b *Body) Release() {
	if b == nil || b.released.Swap(true) {
		return
	}
	b.Bytes = nil
	if b.buffer != nil {
		b.memory.put(b.buffer)
		b.buffer = nil
	}
}
