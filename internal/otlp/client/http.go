package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
)

const contentType = "application/x-protobuf"

// maxResponse is how much of a response is read.
const maxResponse = 1 << 20

type httpClient struct {
	config    Config
	url       string
	client    *http.Client
	transport *http.Transport
	zippers   sync.Pool
}

func newHTTP(c Config, d destination) (Client, error) {
	h := &httpClient{config: c, url: d.url}
	h.transport = &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: c.Timeout, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   c.Timeout,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConnsPerHost:   1,
		ExpectContinueTimeout: time.Second,
	}
	if d.tls {
		config, err := c.tlsConfig(d.host)
		if err != nil {
			return nil, err
		}
		h.transport.TLSClientConfig = config
	}
	h.client = &http.Client{
		Transport:     h.transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	h.zippers.New = func() any {
		w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
		if err != nil {
			panic("BUG: " + err.Error())
		}
		return w
	}
	return h, nil
}

// Close ends idle connections; there are no others when nobody calls Export.
func (h *httpClient) Close() error {
	h.transport.CloseIdleConnections()
	return nil
}

// Export sends metrics in one POST.
func (h *httpClient) Export(ctx context.Context, md pmetric.Metrics) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, h.config.Timeout)
	defer cancel()
	body, err := h.body(md)
	if err != nil {
		return Result{}, &Error{Kind: Refused, Unsent: true, err: fmt.Errorf("marshalling OTLP metrics: %w", err)}
	}
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return Result{}, &Error{Kind: RefusedAll, Unsent: true, err: fmt.Errorf("OTLP endpoint: %w", err)}
	}
	for name, value := range h.config.Headers {
		req.Header.Set(name, value)
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	req.Header.Set("User-Agent", h.config.UserAgent)
	req.Header.Set("Content-Type", contentType)
	if !h.config.Plain {
		req.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := h.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // the URL may be secret
		}
		return Result{}, &Error{Kind: Retry, Unsent: !sent.Load(), err: fmt.Errorf("OTLP receiver: %w", err)}
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return Result{}, ofHTTP(resp, message(resp, answer), time.Now())
	}
	if err != nil {
		return Result{}, &Error{Kind: Retry, err: fmt.Errorf("OTLP receiver: the response broke off: %w", err)}
	}
	return result(resp, answer), nil
}

// body returns what is sent.
func (h *httpClient) body(md pmetric.Metrics) ([]byte, error) {
	plain, err := pmetricotlp.NewExportRequestFromMetrics(md).MarshalProto()
	if err != nil || h.config.Plain {
		return plain, err
	}
	var out bytes.Buffer
	z := h.zippers.Get().(*gzip.Writer)
	defer h.zippers.Put(z)
	z.Reset(&out)
	if _, err := z.Write(plain); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// isProtobuf reports whether a response says that it is protobuf.
func isProtobuf(resp *http.Response) bool {
	t, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return err == nil && t == contentType
}

// result returns what a success says. Some receivers answer in words, or not at
// all: the points were taken all the same.
func result(resp *http.Response, answer []byte) Result {
	out := pmetricotlp.NewExportResponse()
	if !isProtobuf(resp) || out.UnmarshalProto(answer) != nil {
		return Result{}
	}
	p := out.PartialSuccess()
	return said(p.RejectedDataPoints(), p.ErrorMessage())
}

// message returns what a failure says.
func message(resp *http.Response, answer []byte) string {
	var s status.Status
	if isProtobuf(resp) && proto.Unmarshal(answer, &s) == nil {
		return s.GetMessage()
	}
	return string(bytes.TrimSpace(answer))
}
