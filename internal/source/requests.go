package source

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// requestCounter counts requests to the API server.
type requestCounter struct {
	mu     sync.Mutex
	counts map[requestKey]uint64
}

type requestKey struct {
	code, verb string
}

func newRequestCounter() *requestCounter {
	c := &requestCounter{counts: make(map[requestKey]uint64)}
	for _, verb := range []string{"discover", "list", "watch"} {
		c.counts[requestKey{"200", verb}] = 0
	}
	return c
}

func (c *requestCounter) wrap(next http.RoundTripper) http.RoundTripper {
	return countingTransport{c, next}
}

type countingTransport struct {
	counter *requestCounter
	next    http.RoundTripper
}

// RoundTrip counts the request by what it does and how it was answered. A
// request without an answer has the code "none".
func (t countingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(r)
	key := requestKey{"none", "list"}
	switch {
	case strings.HasSuffix(r.URL.Path, "/apis") || strings.HasSuffix(r.URL.Path, "/api"):
		key.verb = "discover"
	case r.URL.Query().Has("watch"):
		key.verb = "watch"
	}
	if err == nil {
		key.code = strconv.Itoa(resp.StatusCode)
	}
	t.counter.mu.Lock()
	defer t.counter.mu.Unlock()
	t.counter.counts[key]++
	return resp, err
}

// CollectRequests is an [operator.CollectorFunc] that gives the number of API
// requests.
func (c *Cluster) CollectRequests(_ context.Context, emit func(operator.Metric)) error {
	c.requests.mu.Lock()
	defer c.requests.mu.Unlock()
	for key, n := range c.requests.counts {
		emit(operator.Metric{
			Name: "kubevitals_state_api_requests_total", Help: "Requests to the API server, by what they do and their status code.",
			Type: metric.Counter, Labels: metric.Labels("verb", key.verb, "code", key.code), Value: float64(n),
		})
	}
	return nil
}
