package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
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
	// ReasonLoop is a status 508: the pod is a proxy like this one, which does not
	// answer other proxies.
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

// ErrTurn is inside the error of a request whose time was over before it was sent:
// it says nothing about the pod.
var ErrTurn = errors.New("the time was over before it was this request's turn")

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

// fail makes the error of an exchange.
func (x *exchange) fail(reason string, status int, err error) *Error {
	return &Error{Reason: reason, Status: status, URL: x.http.URL.String(), Err: err}
}

// sendError is for a request without an answer. What the pod sent instead of a
// header is not in the text.
func (x *exchange) sendError(ctx context.Context, err error) *Error {
	if ctx.Err() != nil {
		return x.fail(ReasonTimeout, 0, fmt.Errorf("no answer in time: %w", ctx.Err()))
	}
	text := err.Error()
	var op *net.OpError
	switch {
	case isTLS(err):
		return x.fail(ReasonTLS, 0, errors.New(quote(text)))
	case errors.As(err, &op) && op.Op == "dial":
		return x.fail(ReasonConnect, 0, err)
	case strings.Contains(text, "response headers exceeded"):
		return x.fail(ReasonHeader, 0, fmt.Errorf("more than %d bytes of header", maxHeader))
	case isCut(err):
		return x.fail(ReasonRead, 0, errors.New("the connection was closed before there was an answer"))
	case strings.Contains(text, "HTTP/1.x transport connection broken"):
		return x.fail(ReasonHeader, 0, errors.New("malformed header"))
	}
	return x.fail(ReasonConnect, 0, errors.New(quote(text)))
}

// readError is for an answer whose body could not be read.
func (x *exchange) readError(ctx context.Context, status int, err error) *Error {
	switch {
	case errors.Is(err, errBodySize):
		return x.fail(ReasonBodySize, status, err)
	case errors.Is(err, ErrBudget):
		return x.fail(ReasonBudget, status, err)
	case errors.Is(err, errDecode):
		return x.fail(ReasonDecode, status, err)
	case errors.Is(err, errShort):
		return x.fail(ReasonRead, status, err)
	case ctx.Err() != nil:
		return x.fail(ReasonTimeout, status, fmt.Errorf("no end of the body in time: %w", ctx.Err()))
	case isCut(err):
		return x.fail(ReasonRead, status, errors.New("the connection was closed before the end of the body"))
	}
	return x.fail(ReasonRead, status, errors.New("malformed body"))
}

// isTLS tells a failed handshake from a failed connection.
func isTLS(err error) bool {
	var record tls.RecordHeaderError
	var certificate *tls.CertificateVerificationError
	var alert tls.AlertError
	if errors.As(err, &record) || errors.As(err, &certificate) || errors.As(err, &alert) || errors.Is(err, http.ErrSchemeMismatch) {
		return true
	}
	text := err.Error()
	return strings.Contains(text, "tls: ") || strings.Contains(text, "x509: ") || strings.Contains(text, "TLS handshake")
}

// isCut is a connection that has ended where it should not.
func isCut(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || strings.Contains(err.Error(), "server closed idle connection")
}
