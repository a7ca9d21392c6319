package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// exchange is one request and its answer.
type exchange struct {
	client    *Client
	request   *Request
	target    netip.AddrPort
	transport *http.Transport
	http      *http.Request
	limit     int64

	connections int // that were tried; written by the transport, one after the other
}

// deadline bounds the context by the request's own timeout.
func (x *exchange) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	timeout := x.request.Timeout
	if _, has := ctx.Deadline(); timeout <= 0 && !has {
		timeout = defaultTimeout
	}
	if timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, timeout)
}

// do sends the request and reads the answer.
func (x *exchange) do(ctx context.Context) (*Body, error) {
	start := x.client.opts.Now()
	if at, ok := ctx.Deadline(); ok {
		left := max(time.Until(at), time.Millisecond).Truncate(time.Millisecond)
		x.http.Header.Set(timeoutHeader, strconv.FormatFloat(left.Seconds(), 'f', -1, 64))
	}
	ctx = context.WithValue(ctx, targetKey{}, x.target)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: x.gotConn})
	resp, err := x.transport.RoundTrip(x.http.WithContext(ctx))
	if err != nil {
		return nil, x.sendError(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }() // nothing depends on it
	if reason, err := x.refuse(resp); err != nil {
		_, _ = io.CopyN(io.Discard, resp.Body, maxDrain+1) // so that the connection can be used again
		return nil, x.fail(reason, resp.StatusCode, err)
	}
	body, err := x.read(ctx, resp)
	if err != nil {
		return nil, x.readError(ctx, resp.StatusCode, err)
	}
	body.Duration = x.client.since(start)
	return body, nil
}

// gotConn counts the transport's silent retries: it makes them by itself if a
// connection that it had kept turns out to be dead before any byte came.
func (x *exchange) gotConn(httptrace.GotConnInfo) {
	if x.connections++; x.connections > 1 {
		x.client.retries.Add(1)
	}
}

// refuse says why an answer's body is not worth reading.
func (x *exchange) refuse(resp *http.Response) (string, error) {
	switch code := resp.StatusCode; {
	case code == http.StatusLoopDetected:
		return ReasonLoop, errors.New("status 508: the pod is a proxy of pods itself, and does not answer other proxies: exclude it by the label selector")
	case code >= 300 && code < 400:
		return ReasonRedirect, fmt.Errorf("status %d: redirects are not followed", code)
	case code != http.StatusOK:
		return fmt.Sprintf("http_%03d", code), fmt.Errorf("status %d", code)
	}
	if x.request.AnyType {
		return "", nil
	}
	mediaType, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	switch mediaType = strings.ToLower(strings.TrimSpace(mediaType)); mediaType {
	case "text/html", "application/json":
		return ReasonContentType, fmt.Errorf("Content-Type %s is no exposition", mediaType)
	}
	return "", nil
}

// read reads the body of an answer with status 200.
func (x *exchange) read(ctx context.Context, resp *http.Response) (*Body, error) {
	c, err := parseCoding(resp.Header.Values("Content-Encoding"))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDecode, err)
	}
	how := plan{limit: x.limit, slow: true}
	if c != identity {
		how.limit = x.client.opts.WireLimit
	}
	if resp.ContentLength > how.limit {
		return nil, fmt.Errorf("%w: Content-Length %d, limit %d", errBodySize, resp.ContentLength, how.limit)
	}
	switch {
	case resp.ContentLength >= 0:
		how.expect = int(resp.ContentLength)
	case c == identity:
		how.expect = x.expected()
	}
	p := &pile{memory: x.client.memory}
	defer func() { p.free() }()
	if err := p.begin(ctx, how); err != nil {
		return nil, err
	}
	if err := p.read(ctx, resp.Body, how); err != nil {
		return nil, err
	}
	b := &Body{
		ContentType: resp.Header.Get("Content-Type"), Status: resp.StatusCode,
		Wire: int64(p.size), memory: x.client.memory,
	}
	if c != identity {
		if p, err = x.inflate(ctx, c, p); err != nil {
			return nil, err
		}
	}
	b.Bytes, b.buffer, err = p.join(ctx)
	return b, err
}

// expected is how large the body will be, a little more than the last one.
func (x *exchange) expected() int {
	if x.request.SizeHint <= 0 {
		return 0
	}
	return slack(min(x.request.SizeHint, maxClaim))
}

// inflate replaces what came over the wire by what is in it. The old pile is
// always free then; the new one is never nil.
func (x *exchange) inflate(ctx context.Context, c coding, wire *pile) (*pile, error) {
	defer wire.free()
	out := &pile{memory: wire.memory, wire: wire.holding()}
	most := max(ratioFloor, x.client.opts.Ratio*int64(wire.size))
	how := plan{limit: min(x.limit, most), expect: x.expected()}
	if n := inflatedSize(c, wire); n > 0 {
		how.expect = n
	}
	err := x.client.inflater.inflate(ctx, c, wire, out, how)
	if errors.Is(err, errBodySize) && how.limit < x.limit {
		err = fmt.Errorf("%w: more than %d times of what came over the wire", errBodySize, x.client.opts.Ratio)
	}
	out.wire = 0
	return out, err
}
