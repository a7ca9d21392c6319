package operator

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Options configure an [Operator]. The zero value is usable: it listens
// nowhere and logs to [slog.Default].
type Options struct {
	// Addr is the TCP address that Run listens on, such as ":8080". It is not
	// used when Listener is set. When both are empty, Run serves nothing and
	// the routes are reached through Handler.
	Addr string
	// Listener is served instead of Addr. Run closes it.
	Listener net.Listener
	// Logger gets failures of collectors, daemons and the server. The default
	// is [slog.Default].
	Logger *slog.Logger
	// Grace is how long Run waits for daemons, and then for requests in
	// flight, when it shuts down. The default is 30 seconds.
	Grace time.Duration
	// ScrapeTimeout is the deadline of a scrape whose request does not name
	// one. The default is 10 seconds, as in Prometheus.
	ScrapeTimeout time.Duration
	// MaxScrapes is how many scrapes are served at once; more are answered
	// with 503. The default is 10.
	MaxScrapes int
}

// Operator is a server with a lifecycle. Create it with [New]. Its methods are
// safe for concurrent use; those that register something must be called before
// [Operator.Run] or the first request, and panic when a name is registered
// twice, as [net/http.ServeMux] does.
type Operator struct {
	opts     Options
	log      *slog.Logger
	mux      *http.ServeMux
	scrapes  chan struct{}
	stopping atomic.Bool

	mu        sync.Mutex
	ctx       context.Context // outlives requests; set by Run
	prefix    string
	sources   []*source
	owners    map[string]string // family name -> part, for the families owned for good
	daemons   []*daemon
	checks    []*check
	conflicts []error
}

// New returns an Operator with the routes /healthz, /livez and /readyz.
func New(opts Options) *Operator {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.Grace <= 0 {
		opts.Grace = 30 * time.Second
	}
	if opts.ScrapeTimeout <= 0 {
		opts.ScrapeTimeout = 10 * time.Second
	}
	if opts.MaxScrapes <= 0 {
		opts.MaxScrapes = 10
	}
	o := &Operator{
		opts:    opts,
		log:     opts.Logger,
		mux:     http.NewServeMux(),
		scrapes: make(chan struct{}, opts.MaxScrapes),
		ctx:     context.Background(),
		prefix:  "operator",
		owners:  make(map[string]string),
	}
	o.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("OK")) })
	o.mux.HandleFunc("GET /livez", o.serveChecks(Live))
	o.mux.HandleFunc("GET /readyz", o.serveChecks(Ready))
	return o
}

// SelfMetrics sets the prefix of the metrics that the Operator gives of itself,
// "operator" by default. The empty prefix switches them off.
func (o *Operator) SelfMetrics(prefix string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.prefix = prefix
}

// Handle mounts a handler under a pattern of [net/http.ServeMux].
func (o *Operator) Handle(pattern string, h http.Handler) {
	o.mux.Handle(pattern, h)
}

// Handler returns all routes, to mount them on a server of one's own.
func (o *Operator) Handler() http.Handler {
	return o.mux
}
