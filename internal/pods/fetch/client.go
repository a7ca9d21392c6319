package fetch

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"
)

// Client gets bodies. It is safe for concurrent use; make it with [New].
type Client struct {
	opts       Options
	memory     *memory
	inflater   *inflater
	transports *transports
	turn       gate
	hosts      hosts
	retries    atomic.Uint64
}

// Stats is what a [Client] is doing, and has done.
type Stats struct {
	// InFlight is how many requests have been sent and have no result yet, Slow
	// how many of them have given their turn to another, and Waiting how many
	// have not been sent.
	InFlight, Slow, Waiting int
	// Held is how many bytes bodies have that are being read or not yet
	// released, Idle how many are kept for later ones. Budget is the limit of
	// both together.
	Held, Idle, Budget int64
	// Connections is how many were opened.
	Connections uint64
	// Retries is how often a request was sent again, because the connection that
	// had been kept for it was dead.
	Retries uint64
}

// New makes a client. The error says which option is wrong.
func New(o Options) (*Client, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	return &Client{
		opts:     o,
		memory:   newMemory(o.Budget),
		inflater: newInflater(),
		transports: &transports{
			dialTimeout: o.DialTimeout, idleTimeout: o.IdleTimeout,
			all: make(map[*tls.Config]*transport),
		},
		turn:  gate{limit: o.Concurrency, total: o.InFlight, slowAfter: o.SlowAfter},
		hosts: hosts{limit: o.PerHost, gates: make(map[netip.Addr]*hostGate)},
	}, nil
}

// Get asks one pod once and gives the whole body, which the caller releases, or
// an [*Error]. It returns when the context is done at the latest.
func (c *Client) Get(ctx context.Context, r Request) (*Body, error) {
	x, err := c.prepare(&r)
	if err != nil {
		return nil, &Error{Reason: ReasonRequest, URL: r.Path, Err: err}
	}
	ctx, cancel := x.deadline(ctx)
	defer cancel()
	leave, err := c.enter(ctx, x.target.Addr())
	if err != nil {
		return nil, x.fail(ReasonTimeout, 0, ErrTurn)
	}
	defer leave()
	defer c.transports.settle()
	return x.do(ctx)
}

// enter waits for the turn of the IP, and then for that among all. Who waits for
// the second holds the first, never the other way round.
func (c *Client) enter(ctx context.Context, ip netip.Addr) (leave func(), err error) {
	leaveHost, err := c.hosts.enter(ctx, ip)
	if err != nil {
		return nil, err
	}
	p, err := c.turn.enter(ctx)
	if err != nil {
		leaveHost()
		return nil, err
	}
	return func() {
		p.leave()
		leaveHost()
	}, nil
}

// prepare makes of a request what is sent.
func (c *Client) prepare(r *Request) (*exchange, error) {
	target, err := checkTarget(r)
	if err != nil {
		return nil, err
	}
	u, err := makeURL(r, target)
	if err != nil {
		return nil, err
	}
	var config *tls.Config
	if r.Auth != nil && u.Scheme == "https" {
		config = r.Auth.TLS
	}
	tr, err := c.transports.get(config)
	if err != nil {
		return nil, err
	}
	x := &exchange{client: c, request: r, target: target, transport: tr, limit: c.opts.BodyLimit}
	if r.BodyLimit > 0 {
		x.limit = min(x.limit, r.BodyLimit)
	}
	header, err := c.header(r, u.Scheme)
	x.http = &http.Request{
		Method: http.MethodGet, URL: u, Host: u.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	return x, err
}

// Generation begins a new round of scrapes: memory that was of no use in the two
// before goes back to the system, and so do the connections of TLS configurations
// that were not used.
func (c *Client) Generation() {
	c.memory.age()
	c.inflater.age()
	c.transports.age()
}

// Stats says how the client is.
func (c *Client) Stats() Stats {
	fast, slow, waiting := c.turn.counts()
	s := Stats{
		InFlight: fast + slow, Slow: slow, Waiting: waiting + c.hosts.waiting(),
		Budget: c.opts.Budget, Connections: c.transports.dialled.Load(), Retries: c.retries.Load(),
	}
	s.Held, s.Idle = c.memory.usage()
	return s
}

// Close closes the connections that are idle and gives back the memory that is.
// Requests in flight go on, and bodies are released as before; new requests fail
// with [ErrClosed].
func (c *Client) Close() {
	c.transports.close()
	c.memory.close()
	c.inflater.age()
	c.inflater.age()
}

// since is how long something took by the client's clock.
func (c *Client) since(start time.Time) time.Duration { return c.opts.Now().Sub(start) }
