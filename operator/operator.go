package operator

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kubevitals/kubevitals/operator/exposition"
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
	// TLS is how to serve TLS; package kubeauth makes configurations that renew
	// and reload their certificates. nil serves plain HTTP.
	TLS *tls.Config
	// HTTP2 offers HTTP/2 to clients over TLS. Scrapers do not need it, and it
	// has let single clients exhaust servers (CVE-2023-44487).
	HTTP2 bool
	// Serve takes the place of the method of [http.Server], for a library that
	// adds TLS or more on its own, such as web.Serve of Prometheus' exporter
	// toolkit. It must return [http.ErrServerClosed] when the server was shut
	// down. TLS is then its business: the fields TLS and HTTP2 are not used.
	Serve func(*http.Server, net.Listener) error
	// Server, if it is not nil, may change the server before it serves: its time
	// limits, or its handler, which has all routes.
	Server func(*http.Server)
	// Plaintext allows protected routes without TLS, for a server that can only
	// be reached through something that ends TLS.
	Plaintext bool
	// Elected is closed when this process becomes the leader, as the channel of
	// that name of controller-runtime's managers is: tasks that are [LeaderOnly]
	// then start. A process that is always the leader has a closed channel here.
	Elected <-chan struct{}
	// Logger gets failures of collectors, daemons and the server. The default
	// is [slog.Default].
	Logger *slog.Logger
	// Grace is how long Run waits for daemons and timers, and then for requests
	// in flight, when it shuts down. The default is 25 seconds, so that a pod,
	// which has 30, still says what was stuck.
	Grace time.Duration
	// ScrapeTimeout is the deadline of a scrape whose request does not name
	// one. The default is 10 seconds, as in Prometheus. A request may name up
	// to two minutes, or this if it is more.
	ScrapeTimeout time.Duration
	// MaxScrapes is how many scrapes are served at once; more are answered
	// with 503. The default is 10.
	MaxScrapes int
	// Compressors are content codings of expositions that are offered besides
	// gzip. Of those to which a scraper gives the same weight the first is taken,
	// and gzip last. One without a name or a function is not offered, and an
	// error of Run. The slice is not changed afterwards.
	Compressors []exposition.Compressor
}

// Operator is a server with a lifecycle. Create it with [New]. Its methods are
// safe for concurrent use. Those that register something are meant to be called
// before [Operator.Run] or the first request, and panic when a name is registered
// twice, as [net/http.ServeMux] does, or when it would have no effect any more.
type Operator struct {
	opts      Options
	log       *slog.Logger
	mux       *http.ServeMux
	scrapes   chan struct{}
	stopping  atomic.Bool
	ready     chan struct{}
	readyOnce sync.Once
	decisions [numDecisions]atomic.Uint64

	mu        sync.Mutex
	ctx       context.Context // outlives requests; set by Run
	prefix    string
	sources   []*source
	owners    map[string]string // family name -> part, for the families owned for good
	tasks     []*task
	apart     apart
	checks    []*check
	probes    []*probe
	running   bool
	protect   Middleware // nil protects nothing
	asked     bool       // for a protected route
	conflicts []error
}

// New returns an Operator with the routes /healthz, /livez, /readyz and
// /startupz.
func New(opts Options) *Operator {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.Grace <= 0 {
		opts.Grace = 25 * time.Second
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
		ready:   make(chan struct{}),
		ctx:     context.Background(),
		prefix:  "operator",
		owners:  make(map[string]string),
	}
	o.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("OK")) })
	for _, kind := range []CheckKind{Live, Ready, Startup} {
		o.mux.HandleFunc("GET /"+kind.String(), o.serveChecks(kind))
	}
	return o
}

// SelfMetrics sets the prefix of the metrics that the Operator gives of itself,
// "operator" by default. The empty prefix switches them off.
func (o *Operator) SelfMetrics(prefix string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.prefix = prefix
}

// Handler returns all routes, to mount them on a server of one's own. That
// protected routes need TLS is then for that server to see to.
func (o *Operator) Handler() http.Handler {
	return o.mux
}
