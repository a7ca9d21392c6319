package kopf

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// Options say what to read and how. Only URL is necessary.
type Options struct {
	// URL is that of the liveness endpoint, such as
	// "http://localhost:8080/healthz".
	URL string
	// Client sends the requests; nil for one of the package's own. It is
	// copied, as redirects are not followed in any case.
	Client *http.Client
	// Timeout is how long a request may take; 3 seconds if zero. No call of
	// Families outlasts its own context for that.
	Timeout time.Duration
	// MinInterval is how much later than a request the next one may begin; until
	// then its answer, or its failure, is given again. It is 10 seconds if zero,
	// which is how long kopf keeps what the probes have returned; if negative,
	// there is none.
	MinInterval time.Duration
	// MaxBody is how many bytes the body may have; 1 MiB if zero.
	MaxBody int64
	// MaxItems is how many items of a list are given, from its beginning; 100
	// if zero. Envelopes have no such bound.
	MaxItems int
	// MaxValues is how many samples an answer may give; 10,000 if zero. Those
	// beyond it are left out, which is an error.
	MaxValues int
	// Info are paths, from the probe on, whose strings become kopf_probe_info:
	// such as "version", "build.commit" or "*.version". A path stands for all
	// that is below it.
	Info []string
	// Timestamps are paths, as in Info, whose strings become
	// kopf_probe_timestamp_seconds if they are RFC 3339 times. A string that a
	// path leads to exactly, and which is none, is an error.
	Timestamps []string
	// Rules give names and types to what probes return.
	Rules []Rule
}

// Source reads the probes of one kopf operator. It is safe for concurrent use.
// Its zero value is of no use: call [New].
type Source struct {
	reader
	url         *url.URL
	client      http.Client
	timeout     time.Duration
	minInterval time.Duration

	mu   sync.Mutex
	last *call // guarded by mu; nil before the first
}

// call is one request, which everybody shares who asks while it is under way or
// soon after.
type call struct {
	began time.Time
	done  chan struct{}

	// Set before done closes.
	families []metric.Family
	err      error
}

// New returns a source. It sends nothing. The error has everything that is wrong
// with the options.
func New(o Options) (*Source, error) {
	s := &Source{
		timeout:     orDefault(o.Timeout, 3*time.Second),
		minInterval: orDefault(o.MinInterval, 10*time.Second),
	}
	if o.Client != nil {
		s.client = *o.Client
	}
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

	var errs []error
	if s.timeout < 0 {
		errs = append(errs, errors.New("kopf: Timeout must not be negative"))
	}
	var err error
	if s.url, err = parseURL(o.URL); err != nil {
		errs = append(errs, fmt.Errorf("kopf: URL must be like http://host:port/path: %w", err))
	}
	if s.reader, err = newReader(o); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return s, nil
}

func orDefault[T int | int64 | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// parseURL checks a URL. Its errors do not quote it, as it may have a password.
func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	var ue *url.Error
	switch {
	case errors.As(err, &ue):
		return nil, ue.Err
	case err != nil:
		return nil, err
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("the scheme is %q", u.Scheme)
	case u.Hostname() == "":
		return nil, errors.New("there is no host")
	}
	return u, nil
}

// Families returns what the probes have returned. When it cannot, it returns an
// error and the families that say so. Beside an error about single values it
// returns all others. Families, samples and labels are sorted, and belong to the
// caller; what pointers in samples point to is shared.
//
// It returns a little before ctx ends. The request goes on then, up to its own
// timeout: others may wait for it, and giving it up would not free the operator,
// where it keeps its place in the queue.
func (s *Source) Families(ctx context.Context) ([]metric.Family, error) {
	c := s.join(ctx)
	wait, cancel := beforeEnd(ctx)
	defer cancel()
	select {
	case <-c.done:
		return cloneFamilies(c.families), c.err
	case <-wait.Done():
		waited := report{duration: time.Since(c.began)}
		return waited.families(), s.wrap(fmt.Errorf("no answer before the end of the scrape: %w", wait.Err()))
	}
}

// beforeEnd returns a context that ends so early before another that what is
// returned then is still heard.
func beforeEnd(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	margin := min(time.Until(end)/20, 250*time.Millisecond)
	return context.WithDeadline(ctx, end.Add(-margin))
}

// join returns the last call, or a new one if that is too long ago.
func (s *Source) join(ctx context.Context) *call {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil {
		select {
		case <-s.last.done:
			if time.Since(s.last.began) < s.minInterval {
				return s.last
			}
		default:
			return s.last
		}
	}
	// The error stays if a transport ends the goroutine.
	c := &call{began: time.Now(), done: make(chan struct{}), families: report{}.families(), err: s.wrap(errors.New("the request came to no end"))}
	s.last = c
	go func() {
		defer close(c.done)
		defer func() {
			if p := recover(); p != nil {
				c.err = s.wrap(fmt.Errorf("panic: %v", p))
			}
		}()
		// Not the context of one scrape: others may have joined.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
		defer cancel()
		c.families, c.err = s.ask(ctx)
	}()
	return c
}

// wrap says where an error belongs to.
func (s *Source) wrap(err error) error {
	return fmt.Errorf("kopf: %s: %w", s.url.Redacted(), err)
}

func cloneFamilies(families []metric.Family) []metric.Family {
	families = slices.Clone(families)
	for i := range families {
		samples := slices.Clone(families[i].Samples)
		for j := range samples {
			samples[j].Labels = slices.Clone(samples[j].Labels)
		}
		families[i].Samples = samples
	}
	return families
}
