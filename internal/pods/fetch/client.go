package fetch

import (
	"context"
)

// Client gets bodies. It is safe for concurrent use; make it with [New].
type Client struct {
	opts   Options
	memory *memory
}

// Stats is what a [Client] is doing, and has done.
type Stats struct {
	// InFlight is how many requests have been sent and have no result yet, Slow
	// how many of them have given their turn to another, and Waiting how many
	// have not been sent.
	InFlight, Slow, Waiting int
	// Held is how many bytes bodies have that are being read or not yet
	// released, Idle how many are kept for later ones. Budget is their limit.
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
	return &Client{opts: o}, nil
}

// Get asks one pod once and gives the whole body, or an [*Error].
func (c *Client) Get(ctx context.Context, r Request) (*Body, error) {
	return nil, nil
}

// Generation begins a new round of scrapes: memory that was of no use in the two
// before goes back to the system.
func (c *Client) Generation() {}

// Stats says how the client is.
func (c *Client) Stats() Stats { return Stats{} }

// Close closes the connections that are idle and gives back the memory that is.
// Requests in flight go on; new ones fail with [ErrClosed].
func (c *Client) Close() {}
