package client

import (
	"cmp"
	"context"

	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Client sends metrics to one receiver. It is safe for concurrent use.
type Client interface {
	// Export sends metrics, which must not be changed while it runs, within the
	// configured timeout. Its errors are of type [*Error].
	Export(ctx context.Context, md pmetric.Metrics) (Result, error)
	// Close ends all connections. Export must not be called any more.
	Close() error
}

// Result is what a receiver says about a request that it took.
type Result struct {
	// Rejected is how many points it did not take after all.
	Rejected int64
	// Message says why, or is a warning if none was rejected. It is quoted.
	Message string
}

// New returns a client. It makes no connection yet.
func New(c Config) (Client, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	d, err := c.destination()
	if err != nil {
		return nil, err
	}
	c.Timeout = cmp.Or(max(0, c.Timeout), DefaultTimeout)
	c.UserAgent = cmp.Or(c.UserAgent, "kubevitals")
	if d.protocol == GRPC {
		return newGRPC(c, d)
	}
	return newHTTP(c, d)
}

// said returns a result of what a receiver says about partial success.
func said(rejected int64, message string) Result {
	r := Result{Rejected: max(0, rejected)}
	if message != "" || rejected > 0 {
		r.Message = quoted(message)
	}
	return r
}
