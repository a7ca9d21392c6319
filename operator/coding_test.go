package operator_test

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

// coder is a compressor for tests, which counts its writers.
type coder struct {
	made, closed int
	err          error
}

func (c *coder) New(w io.Writer) (io.WriteCloser, error) {
	c.made++
	return &coderWriter{zlib.NewWriter(w), c}, c.err
}

type coderWriter struct {
	*zlib.Writer
	c *coder
}

func (w *coderWriter) Close() error {
	w.c.closed++
	return w.Writer.Close()
}

func TestCompressors(t *testing.T) {
	zlibs, flates := new(coder), new(coder)
	o := newOperator(operator.Options{Compressors: []exposition.Compressor{
		{Coding: "Deflate", New: zlibs.New},
		{Coding: "raw", New: func(w io.Writer) (io.WriteCloser, error) { flates.made++; return flate.NewWriter(w, 1) }},
		{Coding: "nothing"},
	}})
	o.SelfMetrics("")
	o.Expose("/metrics.json", exposition.JSON{})
	text := strings.Repeat("p 1\n", 50_000)
	o.AddPart("p", part{gather: func(context.Context, exposition.Format) ([]exposition.Rendered, error) {
		return []exposition.Rendered{rendered("p", text)}, nil
	}})
	f := func(acceptEncoding, want string, path, body string) {
		t.Helper()
		w := get(o, path, "Accept-Encoding", acceptEncoding)
		if got := w.Result().Header.Get("Content-Encoding"); got != want || w.Code != http.StatusOK {
			t.Errorf("%q: status %d, Content-Encoding %q, want %q", acceptEncoding, w.Code, got, want)
		}
		var r io.Reader = w.Body
		var err error
		switch want {
		case "Deflate":
			r, err = zlib.NewReader(r)
		case "raw":
			r = flate.NewReader(r)
		case "gzip":
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != body {
			t.Errorf("%q: %d bytes, %v; want %d", acceptEncoding, len(got), err, len(body))
		}
	}
	body := "# TYPE p gauge\n" + text
	f("", "", "/metrics", body)
	f("gzip", "gzip", "/metrics", body)
	f("gzip, deflate", "Deflate", "/metrics", body)
	f("gzip, raw", "raw", "/metrics", body)
	f("deflate;q=0.5, raw", "raw", "/metrics", body)
	f("nothing", "", "/metrics", body)
	f("deflate;q=0", "", "/metrics", body)
	f("deflate", "Deflate", "/metrics.json?name[]=none", "[]\n")
	f("gzip, deflate;q=0.9", "gzip", "/metrics.json?name[]=none", "[]\n")
	if zlibs.made != 2 || zlibs.closed != 2 || flates.made != 2 {
		t.Errorf("%d writers were made and %d closed, and %d of the other", zlibs.made, zlibs.closed, flates.made)
	}
	if w := do(t.Context(), o, http.MethodHead, "/metrics", "Accept-Encoding", "deflate"); zlibs.made != 2 || w.Header().Get("Content-Encoding") != "Deflate" {
		t.Errorf("HEAD has made a writer, or has the header %v", w.Header())
	}
}

// TestCompressorOfOnesOwnGzip takes the place of the one built in.
func TestCompressorOfOnesOwnGzip(t *testing.T) {
	c := new(coder)
	o := newOperator(operator.Options{Compressors: []exposition.Compressor{{Coding: "gzip", New: c.New}}})
	if w := get(o, "/metrics", "Accept-Encoding", "gzip"); c.made != 1 || !bytes.HasPrefix(w.Body.Bytes(), []byte{0x78}) {
		t.Errorf("%d writers of our own, body %q", c.made, w.Body)
	}
}

// TestCompressorFails: the response breaks off, and the writer is closed.
func TestCompressorFails(t *testing.T) {
	for name, err := range map[string]error{"New": errors.New("no luck"), "the body": nil} {
		c := &coder{err: err}
		o := newOperator(operator.Options{Compressors: []exposition.Compressor{{Coding: "z", New: c.New}}})
		o.AddPart("p", part{gather: badChunk("p")})
		func() {
			defer func() {
				if p := recover(); p != any(http.ErrAbortHandler) {
					t.Errorf("%s: panic %v, want %v", name, p, http.ErrAbortHandler)
				}
			}()
			get(o, "/metrics", "Accept-Encoding", "z")
		}()
		if want := map[string]int{"the body": 1}[name]; c.closed != want {
			t.Errorf("%s: %d writers closed, want %d", name, c.closed, want)
		}
	}
}

func TestCompressorThatCannotBeOffered(t *testing.T) {
	for _, c := range []exposition.Compressor{{}, {Coding: "zstd"}, {New: new(coder).New}, {Coding: "a,b", New: new(coder).New}} {
		o := operator.New(operator.Options{Compressors: []exposition.Compressor{c}})
		if err := o.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "Options.Compressors[0]") {
			t.Errorf("%q: Run gives %v", c.Coding, err)
		}
	}
}
