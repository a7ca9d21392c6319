package client

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Kind says what to do after a failure.
type Kind uint8

// The kinds of failures.
const (
	// Retry: the same may be sent again.
	Retry Kind = iota
	// TooLarge: the same will never be taken, but less may be.
	TooLarge
	// Refused: these points will never be taken, but others may be.
	Refused
	// RefusedAll: nothing will be taken until somebody has changed something,
	// such as a token.
	RefusedAll
)

// String returns the name of the kind as it is in metrics.
func (k Kind) String() string {
	return [...]string{"retry", "too_large", "refused", "refused_all"}[k]
}

// Error is a failure of a request.
type Error struct {
	Kind Kind
	// After is how long the receiver wants to be left alone; zero if it did not
	// say.
	After time.Duration
	// Unsent says that nothing of the request has left: the receiver cannot have
	// recorded any of it.
	Unsent bool

	err error
}

// NewError returns an error of a client of one's own.
func NewError(kind Kind, err error) *Error { return &Error{Kind: kind, err: err} }

// Error returns the words of the failure. Those of the receiver are quoted and
// not longer than a line.
func (e *Error) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.err }

// KindOf returns the kind of an error of [Client.Export].
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Retry
}

// MaxAfter is how long a receiver may ask to be left alone.
const MaxAfter = 10 * time.Minute

// ofGRPC returns what an error of gRPC means.
func ofGRPC(err error) *Error {
	s := status.Convert(err)
	e := &Error{Kind: Refused, err: fmt.Errorf("OTLP receiver: %s: %s", s.Code(), quoted(s.Message()))}
	told := false
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			told = true
			e.After = clampAfter(info.GetRetryDelay().AsDuration())
		}
	}
	switch s.Code() {
	case codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.Unavailable, codes.DataLoss:
		e.Kind = Retry
	case codes.ResourceExhausted:
		if isTooLarge(s.Message()) {
			e.Kind = TooLarge
		} else if told {
			e.Kind = Retry
		}
	case codes.Unauthenticated, codes.PermissionDenied, codes.Unimplemented, codes.NotFound:
		e.Kind = RefusedAll
	}
	return e
}

// ofHTTP returns what a status of HTTP means, which is not that of a success.
func ofHTTP(resp *http.Response, message string, now time.Time) *Error {
	e := &Error{Kind: Refused, err: fmt.Errorf("OTLP receiver: %s: %s", resp.Status, quoted(message))}
	switch code := resp.StatusCode; {
	case code == http.StatusTooManyRequests, code == http.StatusBadGateway, code == http.StatusServiceUnavailable, code == http.StatusGatewayTimeout:
		e.Kind, e.After = Retry, retryAfter(resp.Header.Get("Retry-After"), now)
	case code == http.StatusRequestEntityTooLarge, code == http.StatusBadRequest && isTooLarge(message):
		e.Kind = TooLarge
	case code >= 300 && code < 400:
		e.Kind = RefusedAll
		e.err = fmt.Errorf("OTLP receiver: %s to %s, which is not followed: give that as the endpoint", resp.Status, quoted(resp.Header.Get("Location")))
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusNotFound,
		code == http.StatusMethodNotAllowed, code == http.StatusUnsupportedMediaType, code == http.StatusNotImplemented:
		e.Kind = RefusedAll
	}
	return e
}

// isTooLarge knows how gRPC's servers, and the Collector's for HTTP, say that a
// request is too large: there is no code for it.
func isTooLarge(message string) bool {
	for _, words := range []string{"larger than max", "exceeds maximum size", "body too large"} {
		if strings.Contains(message, words) {
			return true
		}
	}
	return false
}

// retryAfter reads a number of seconds or a date.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return clampAfter(time.Duration(seconds) * time.Second)
	}
	if at, err := http.ParseTime(text); err == nil {
		return clampAfter(at.Sub(now))
	}
	return 0
}

func clampAfter(d time.Duration) time.Duration {
	return max(0, min(d, MaxAfter))
}

// quoted returns what a receiver said, which may be anything, in one short line.
func quoted(s string) string {
	const most = 300
	if len(s) > most {
		s = s[:most] + "..."
	}
	return strconv.Quote(s)
}
