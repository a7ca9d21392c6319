// Package web shows people what Kubevitals is doing: landing pages with links, the
// state of each kind, and the targets among pods.
package web

import (
	"bytes"
	"embed"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/kubevitals/kubevitals/internal/store"
)

//go:embed *.html
var files embed.FS

// pages are all pages, each a template of its file's name.
var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"ago": ago, "size": size, "took": took,
}).ParseFS(files, "*.html"))

// Page is what the landing page shows.
type Page struct {
	// Title says what runs here, such as "state".
	Title string
	// Version is the version of the program.
	Version string
	// Source says where objects come from and how, in one line.
	Source string
	// Err is why the source does not answer, or empty.
	Err string
	// Kinds are in the order in which they are shown.
	Kinds []store.KindStatus
	// Links lead to the other routes.
	Links []Link
}

// Link is a link with a line of explanation.
type Link struct {
	Path, Text string
}

// Objects returns the number of objects of all kinds.
func (p Page) Objects() (n int) {
	for _, k := range p.Kinds {
		n += k.Objects
	}
	return n
}

// Series returns the number of series of all kinds.
func (p Page) Series() (n int) {
	for _, k := range p.Kinds {
		n += k.Series
	}
	return n
}

// Index serves the landing page; page is called for each request.
func Index(log *slog.Logger, page func() Page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { render(w, log, "index.html", page()) })
}

// render writes a page. Pages have no scripts, and load nothing.
func render(w http.ResponseWriter, log *slog.Logger, name string, page any) {
	var body bytes.Buffer
	if err := pages.ExecuteTemplate(&body, name, page); err != nil {
		log.Error("Rendering a page failed", "page", name, "err", err)
		http.Error(w, "the page cannot be rendered, see the log", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(body.Bytes())
}

// ago says how long ago a time was.
func ago(t time.Time) string {
	switch d := time.Since(t); {
	case t.IsZero():
		return "never"
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return d.Truncate(time.Second).String() + " ago"
	default:
		return d.Truncate(time.Minute).String() + " ago"
	}
}
