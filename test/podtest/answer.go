package podtest

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strconv"

	"github.com/klauspost/compress/zstd"
)

// The values of the header Content-Type that pods have.
const (
	Text        = "text/plain; version=0.0.4; charset=utf-8"
	OpenMetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8"
	Protobuf    = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
	// None sends no such header.
	None = "-"
)

// Body answers with the text format.
func Body(text string) http.Handler { return Answer{ContentType: Text, Body: []byte(text)} }

// Answer is a handler that always answers the same.
type Answer struct {
	// Status is 200 if it is 0.
	Status int
	// ContentType is that header. Empty is what net/http makes of the body, None
	// is none.
	ContentType string
	// Encoding is the header Content-Encoding; the body is sent as it is.
	Encoding string
	// Location is that header.
	Location string
	// Body is sent.
	Body []byte
}

// ServeHTTP answers.
func (a Answer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	switch a.ContentType {
	case "":
	case None:
		h["Content-Type"] = nil
	default:
		h.Set("Content-Type", a.ContentType)
	}
	if a.Encoding != "" {
		h.Set("Content-Encoding", a.Encoding)
	}
	if a.Location != "" {
		h.Set("Location", a.Location)
	}
	h.Set("Content-Length", strconv.Itoa(len(a.Body)))
	if a.Status != 0 {
		w.WriteHeader(a.Status)
	}
	_, _ = w.Write(a.Body)
}

// Gzipped answers with the text format, compressed whether it was asked for or
// not.
func Gzipped(text string) Answer {
	return Answer{ContentType: Text, Encoding: "gzip", Body: Gzip([]byte(text))}
}

// Zstded is as Gzipped, by zstd.
func Zstded(text string) Answer {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	defer func() { _ = z.Close() }()
	return Answer{ContentType: Text, Encoding: "zstd", Body: z.EncodeAll([]byte(text), nil)}
}

// Gzip compresses.
func Gzip(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(b)
	_ = z.Close()
	return out.Bytes()
}

// Bomb answers with a few kilobytes that are so many mebibytes when they are
// inflated: all of it one HELP line.
func Bomb(mebibytes int) Answer {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	_, _ = io.WriteString(z, "# HELP a ")
	block := bytes.Repeat([]byte("x"), 1<<20)
	for range mebibytes {
		_, _ = z.Write(block)
	}
	_, _ = io.WriteString(z, "\na 1\n")
	_ = z.Close()
	return Answer{ContentType: Text, Encoding: "gzip", Body: out.Bytes()}
}

// ByPath answers with the handler of a path.
type ByPath map[string]http.Handler

// ServeHTTP answers; paths without a handler get 404.
func (m ByPath) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := m[r.URL.Path]
	if h == nil {
		h = http.NotFoundHandler()
	}
	h.ServeHTTP(w, r)
}
