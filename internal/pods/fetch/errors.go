package fetch

import (
	"errors"
	"fmt"
	"strconv"
)

// Reasons of an [Error], made to be values of a label. Besides there is
// "http_" and the three digits of a status that is not 200.
const (
	// ReasonTimeout is that the time was over, or the context cancelled, while
	// the request waited for its turn or for the pod.
	ReasonTimeout = "timeout"
	// ReasonConnect is that there was no connection.
	ReasonConnect = "connect"
	// ReasonTLS is that there was a connection, but the handshake failed.
	ReasonTLS = "tls"
	// ReasonHeader is that the header was malformed or longer than 64 KiB.
	ReasonHeader = "header"
	// ReasonRedirect is a status 3xx.
	ReasonRedirect = "redirect"
	// ReasonLoop is a status 508: the pod is a proxy like this one, and has been
	// asked by itself.
	ReasonLoop = "loop"
	// ReasonContentType is HTML or JSON.
	ReasonContentType = "content_type"
	// ReasonRead is that the connection or the stream ended before the body did.
	ReasonRead = "read"
	// ReasonDecode is a compressed body that is corrupt, or compressed in a way
	// that was not asked for.
	ReasonDecode = "decode"
	// ReasonBodySize is a body beyond a limit.
	ReasonBodySize = "body_size"
	// ReasonBudget is that all bodies together need more memory than there is.
	ReasonBudget = "budget"
	// ReasonRequest is that no request could be made of a [Request].
	ReasonRequest = "request"
)

// ErrClosed is inside the error of [Client.Get] after [Client.Close].
var ErrClosed = errors.New("the client is closed")

// Error is why there is no body.
type Error struct {
	// Reason is one of the constants of this package, or "http_" and a status.
	Reason string
	// Status is that of the answer, 0 if there was none.
	Status int
	// URL is what was asked for.
	URL string
	// Err says more. Its text has no byte of a body.
	Err error
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("fetching %s: %s: %v", quote(e.URL), e.Reason, e.Err)
}

// Unwrap gives what is behind it.
func (e *Error) Unwrap() error { return e.Err }

const maxQuoted = 200

// quote makes any text fit for a log.
func quote(s string) string {
	if len(s) > maxQuoted {
		return strconv.Quote(s[:maxQuoted]) + "..."
	}
	return strconv.Quote(s)
}
