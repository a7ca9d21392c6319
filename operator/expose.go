package operator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// Encoder writes metrics in a format, or in one of several that a request may
// choose from. [exposition.Prometheus] and [exposition.JSON] are encoders.
type Encoder interface {
	// ContentType returns the Content-Type of the answer to a request with this
	// Accept header.
	ContentType(accept string) string
	// Encode writes the families, which are sorted by name, in the format of
	// that Content-Type. It must not change them. It is called concurrently.
	Encode(w io.Writer, contentType string, families []metric.Family) error
}

// Expose mounts the metrics of all collectors, sources and parts under a path,
// as one encoder writes them; compressed when the request accepts gzip, or one of
// [Options.Compressors]. It may be called for several paths.
//
// A scrape's deadline is the one that Prometheus names in the header
// X-Prometheus-Scrape-Timeout-Seconds, less a tenth (half a second at most) to
// send the response. The status is 200 even if every collector fails, unless
// [Strict] says otherwise. The query "name[]=a" leaves out all families but a.
func (o *Operator) Expose(path string, e Encoder, opts ...RouteOption) {
	o.mux.Handle("GET "+path, o.Exposition(e, opts...))
}

// Exposition returns the handler that [Operator.Expose] mounts, for another
// server to mount: another Operator, with [Public], that serves a part of the
// metrics on a port of its own. Requests go through [Operator.Protect] of this
// one, unless opts say otherwise.
func (o *Operator) Exposition(e Encoder, opts ...RouteOption) http.Handler {
	r := newRoute(opts)
	h := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { o.serveMetrics(w, req, e, r) })
	if r.public {
		return h
	}
	return o.guarded(h)
}

func (o *Operator) serveMetrics(w http.ResponseWriter, r *http.Request, e Encoder, route route) {
	select {
	case o.scrapes <- struct{}{}:
		defer func() { <-o.scrapes }()
	default:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many scrapes at once, try again", http.StatusServiceUnavailable)
		return
	}
	timeout := scrapeTimeout(r, o.opts.ScrapeTimeout)
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	// The server's own limit is for routes that do not know how long they take.
	// A scraper that does not read must not keep others out for longer.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(timeout + writeMargin))

	accept := strings.Join(r.Header.Values("Accept"), ",")
	x := scrape{
		contentType: e.ContentType(accept),
		view:        asData,
	}
	switch p := e.(type) {
	case exposition.Prometheus:
		x.view.format, x.view.escaping = p.Negotiate(accept)
		x.view.data = false
	case *exposition.Prometheus:
		x.view.format, x.view.escaping = p.Negotiate(accept)
		x.view.data = false
	default:
		x.encoder = e
	}
	x.coding, x.compressor = o.coding(strings.Join(r.Header.Values("Accept-Encoding"), ","))
	var held leases
	defer held.release()
	var errs []error
	x.families, errs = o.gather(ctx, x.view, route.selection, &held)
	strict := route.strict || r.URL.Query().Get("strict") == "1"
	if err := errors.Join(errs...); strict && err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	x.choose(r.URL.Query()["name[]"])
	x.setHeader(w.Header())
	if r.Method == http.MethodHead {
		return
	}
	if err := x.write(w); err != nil {
		// Nobody can be told by a status any more; a broken connection tells
		// the scraper that the exposition is not whole.
		o.log.Warn("Scrape broke off", "client", r.RemoteAddr, "err", err)
		panic(http.ErrAbortHandler)
	}
}

// scrape is one response.
type scrape struct {
	contentType string
	coding      string                 // empty for none
	compressor  *exposition.Compressor // of the coding; nil for none, or that of an [exposition.Writer]
	view        view
	encoder     Encoder // nil for an [exposition.Writer]
	families    []*gathered
}

func (x *scrape) setHeader(h http.Header) {
	h.Set("Content-Type", x.contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Accept, Accept-Encoding")
	if x.coding != "" {
		h.Set("Content-Encoding", x.coding)
	}
}

// choose leaves out all families but those named, if any is.
func (x *scrape) choose(names []string) {
	if len(names) > 0 {
		x.families = slices.DeleteFunc(x.families, func(g *gathered) bool { return !slices.Contains(names, g.Name) })
	}
}

func (x *scrape) write(w io.Writer) (err error) {
	compressor := x.compressor
	if x.encoder != nil && x.coding != "" && compressor == nil {
		compressor = &builtin
	}
	if compressor != nil {
		z, failure := compressor.New(w)
		if failure != nil {
			return fmt.Errorf("content coding %s: %w", x.coding, failure)
		}
		defer func() { err = errors.Join(err, z.Close()) }() // after a panic, too
		return x.encode(z, false)
	}
	return x.encode(w, x.coding != "")
}

// encode writes the exposition, which an [exposition.Writer] can compress itself.
func (x *scrape) encode(w io.Writer, compress bool) error {
	if x.encoder != nil {
		return x.encoder.Encode(w, x.contentType, data(x.families))
	}
	out := exposition.NewWriter(w, x.view.format, compress)
	for _, g := range x.families {
		g.write(out)
	}
	return out.Close()
}

// Families calls all collectors, sources and parts, and returns what they gave,
// sorted by name, with the self-metrics. The error joins those of the ones that
// failed. An Operator is thereby a [Source] for another one; give one of them
// another prefix with [Operator.SelfMetrics], as self-metrics of one name are in
// conflict. A context without
// a deadline gets that of [Options.ScrapeTimeout].
func (o *Operator) Families(ctx context.Context) ([]metric.Family, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.opts.ScrapeTimeout)
		defer cancel()
	}
	var held leases
	defer held.release()
	gathered, errs := o.gather(ctx, asData, selection{}, &held)
	families := data(gathered)
	for i := range families { // others may share what is in them
		families[i].Samples = slices.Clone(families[i].Samples)
		for j := range families[i].Samples {
			s := &families[i].Samples[j]
			s.Labels = slices.Clone(s.Labels)
		}
	}
	return families, errors.Join(errs...)
}

// data returns what was gathered as data.
func data(families []*gathered) []metric.Family {
	out := make([]metric.Family, len(families))
	for i, g := range families {
		out[i] = g.Family
	}
	return out
}

const (
	// maxScrapeTimeout is how much a request may ask for.
	maxScrapeTimeout = 2 * time.Minute
	// writeMargin is how much longer than its timeout a scrape is written.
	writeMargin = 10 * time.Second
)

// scrapeTimeout returns how long collectors may take.
func scrapeTimeout(r *http.Request, otherwise time.Duration) time.Duration {
	d := otherwise
	seconds, err := strconv.ParseFloat(r.Header.Get("X-Prometheus-Scrape-Timeout-Seconds"), 64)
	if most := max(maxScrapeTimeout, otherwise); err == nil && seconds > 0 {
		d = time.Duration(min(seconds, most.Seconds()) * float64(time.Second))
	}
	return d - min(d/10, 500*time.Millisecond)
}
