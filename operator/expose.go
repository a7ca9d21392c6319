package operator

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/kubevitals/kubevitals/operator/exposition"
)

// Expose mounts the metrics of all collectors and parts under a path. The
// format is negotiated: Prometheus' text format, or OpenMetrics when the
// request prefers it; gzip when the request accepts it.
//
// A scrape's deadline is the one that Prometheus names in the header
// X-Prometheus-Scrape-Timeout-Seconds, less a tenth (half a second at most) to
// send the response. The status is 200 even if every collector fails.
func (o *Operator) Expose(path string) {
	o.mux.HandleFunc("GET "+path, o.serveMetrics)
}

func (o *Operator) serveMetrics(w http.ResponseWriter, r *http.Request) {
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
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(timeout + time.Minute))

	format := exposition.Negotiate(strings.Join(r.Header.Values("Accept"), ","))
	compress := exposition.AcceptsGzip(strings.Join(r.Header.Values("Accept-Encoding"), ","))
	families := o.gather(ctx, format)

	h := w.Header()
	h.Set("Content-Type", format.ContentType())
	h.Add("Vary", "Accept, Accept-Encoding")
	if compress {
		h.Set("Content-Encoding", "gzip")
	}
	if r.Method == http.MethodHead {
		return
	}
	x := exposition.NewWriter(w, format, compress)
	for i := range families {
		families[i].write(x)
	}
	if err := x.Close(); err != nil {
		// Nobody can be told by a status any more; a broken connection tells
		// the scraper that the exposition is not whole.
		o.log.Warn("Scrape broke off", "client", r.RemoteAddr, "err", err)
		panic(http.ErrAbortHandler)
	}
}

// maxScrapeTimeout is more than any scraper means; beyond it the header is wrong.
const maxScrapeTimeout = 24 * time.Hour

// scrapeTimeout returns how long collectors may take.
func scrapeTimeout(r *http.Request, otherwise time.Duration) time.Duration {
	d := otherwise
	seconds, err := strconv.ParseFloat(r.Header.Get("X-Prometheus-Scrape-Timeout-Seconds"), 64)
	if err == nil && seconds > 0 && seconds <= maxScrapeTimeout.Seconds() {
		d = time.Duration(seconds * float64(time.Second))
	}
	return d - min(d/10, 500*time.Millisecond)
}
