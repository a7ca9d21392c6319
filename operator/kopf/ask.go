package kopf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/kubevitals/kubevitals/operator/metric"
)

var (
	upDesc       = metric.Desc{Name: "kopf_probe_up", Help: "Whether the kopf operator has answered with its probes.", Type: metric.Gauge}
	durationDesc = metric.Desc{Name: "kopf_probe_duration_seconds", Help: "How long the last request to the kopf operator took.", Unit: "seconds", Type: metric.Gauge}
	statusDesc   = metric.Desc{Name: "kopf_probe_http_status", Help: "HTTP status of the last answer of the kopf operator; 0 if there was none.", Type: metric.Gauge}
	resultsDesc  = metric.Desc{Name: "kopf_probe_results", Help: "How many probes are in the last answer of the kopf operator.", Type: metric.Gauge}
)

// report says how a request went, as far as it is known.
type report struct {
	up       bool
	duration time.Duration
	status   int
	results  int
}

func (r report) families() []metric.Family {
	up := 0.0
	if r.up {
		up = 1
	}
	return []metric.Family{ // by name
		one(durationDesc, r.duration.Seconds()),
		one(statusDesc, float64(r.status)),
		one(resultsDesc, float64(r.results)),
		one(upDesc, up),
	}
}

// ask sends one request and turns its answer into families.
func (s *Source) ask(ctx context.Context) ([]metric.Family, error) {
	var r report
	began := time.Now()
	probes, err := s.probes(ctx, &r)
	r.duration = time.Since(began)
	if err != nil {
		return r.families(), s.wrap(err)
	}
	r.up, r.results = true, len(probes)
	families, err := s.families(probes)
	if err != nil {
		err = s.wrap(err)
	}
	return withFamilies(families, r.families()...), err
}

// probes sends one request and decodes its answer.
func (s *Source) probes(ctx context.Context, r *report) (map[string]any, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, s.requestError(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	r.status = resp.StatusCode
	if err := checkStatus(resp); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, s.maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("reading the body: %w", s.requestError(ctx, err))
	}
	probes, err := s.decode(body)
	if err != nil {
		return nil, fmt.Errorf("the body, of the type %.60q, %w", resp.Header.Get("Content-Type"), err)
	}
	return probes, nil
}

// requestError says what went wrong with a request, without its URL.
func (s *Source) requestError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("no answer within %v: a probe blocks, or kopf retries one that failed, for which errors=kopf.ErrorsMode.IGNORED helps: %w", s.timeout, ctx.Err())
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err
	}
	return err
}

// checkStatus reports an answer other than 200, which is all that kopf gives
// when it can.
func checkStatus(resp *http.Response) error {
	switch code := resp.StatusCode; {
	case code == http.StatusOK:
		return nil
	case code >= 300 && code < 400:
		return fmt.Errorf("status %d to %.200q: redirects are not followed, set URL to the endpoint itself", code, resp.Header.Get("Location"))
	case code == http.StatusInternalServerError:
		return fmt.Errorf("status %d: a probe failed, for which errors=kopf.ErrorsMode.IGNORED helps, or returned what JSON does not have; kubelet restarts the pod if that lasts", code)
	default:
		return fmt.Errorf("status %d: is this the path that kopf run --liveness was given?", code)
	}
}
