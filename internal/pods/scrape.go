package pods

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/kubevitals/kubevitals/internal/pods/fetch"
	"github.com/kubevitals/kubevitals/internal/pods/probe"
	"github.com/kubevitals/kubevitals/internal/pods/scan"
	"github.com/kubevitals/kubevitals/internal/pods/target"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

// result is what one target gave to one scrape.
type result struct {
	target   *target.Target
	state    *state // nil if there is a problem with the target
	single   bool   // it is not merged, and accept is what the pod is asked for
	accept   string
	raw      *fetch.Body      // nil if there is none
	claim    *fetch.Claim     // of memory for a body of our own; nil if there is none
	scanned  *scan.Exposition // the memory of the scan
	body     *scan.Exposition // nil if it is not valid
	labelled bool             // the samples of body have the labels of the target
	code     int              // of HTTP, 0 if there was no answer
	size     int64            // of the body in bytes, -1 if it was beyond the limit
	duration time.Duration
	samples  int // that were sent
	kept     int // of them, after relabelling
	twice    int // of them, as others that were sent or what relabelling made of others
	invalid  int // lines that were dropped
	spoiled  int // samples that relabelling made invalid
	reason   string
	err      error
}

// Reasons of failures besides those of fetching and of target.Problems. A limit
// that is exceeded is its own reason.
const (
	reasonParse       = "parse"
	reasonContentType = fetch.ReasonContentType
	reasonRelabel     = "relabel"
	reasonPanic       = "panic"
)

// detail is an error that is nothing but a text.
type detail string

func (d detail) Error() string { return string(d) }

func (r *result) fail(reason string, err error) {
	r.reason, r.err = reason, err
}

// panicError is a mistake of ours that what one target sent has brought to light.
// It costs that target, not the process.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("BUG: panic: %.200q", fmt.Sprint(e.value)) }

// scrape gets and reads what a target answers.
func (p *Pods) scrape(ctx context.Context, format exposition.Format, r *result) {
	began := time.Now()
	defer func() {
		if v := recover(); v != nil {
			r.body = nil
			r.fail(reasonPanic, &panicError{v, debug.Stack()})
		}
		r.duration = time.Since(began)
	}()
	if err := p.get(ctx, format, r); err != nil {
		var failed *fetch.Error
		if !errors.As(err, &failed) {
			failed = &fetch.Error{Reason: fetch.ReasonRequest, Err: err}
		}
		r.code = failed.Status
		if failed.Reason == fetch.ReasonBodySize {
			r.size = -1
		}
		r.fail(failed.Reason, err)
		return
	}
	select {
	case p.cpu <- struct{}{}:
		defer func() { <-p.cpu }()
	case <-ctx.Done():
		r.fail(fetch.ReasonTimeout, fmt.Errorf("the scrape was over before the answer could be read: %w", ctx.Err()))
		return
	}
	r.read(ctx, p, format)
	if r.err != nil || !r.isRaw() {
		r.raw.Release() // others may wait for the memory
	}
	if r.err != nil {
		r.claim.Release()
	}
}

// isRaw reports whether the valid body is that which was received, and not one
// that was made of it.
func (r *result) isRaw() bool {
	a, b := r.body.Body, r.raw.Bytes
	return len(a) == 0 || len(b) > 0 && &a[0] == &b[0]
}

// get makes the request.
func (p *Pods) get(ctx context.Context, format exposition.Format, r *result) (err error) {
	t := r.target
	p.mu.Lock()
	hint := r.state.size
	p.mu.Unlock()
	request := fetch.Request{
		Scheme: t.Scheme, IP: t.IP, Port: t.Port, Path: t.Path, Accept: p.accept(format, t),
		BodyLimit: t.BodySizeLimit, Timeout: t.Timeout, SizeHint: hint, AnyType: t.Format == target.FormatKopfProbe,
	}
	if r.single {
		request.Accept = r.accept
	}
	if p.opts.Auth != nil {
		request.Auth = p.opts.Auth(t)
	}
	if r.raw, err = p.opts.Client.Get(ctx, request); err != nil {
		return err
	}
	r.code, r.size = r.raw.Status, int64(len(r.raw.Bytes))
	return nil
}

// read scans the body. Scrapes of one format follow each other, so that they can
// remember something.
func (r *result) read(ctx context.Context, p *Pods, asked exposition.Format) {
	body, format := r.raw.Bytes, exposition.Text
	var err error
	if r.target.Format == target.FormatKopfProbe {
		if body, err = probe.Convert(body); err != nil && len(body) > 0 {
			r.invalid, err = 1, nil // some of its values cannot be shown
		}
	} else {
		format, err = formatOf(r.raw.ContentType, p.opts.Fallback)
	}
	switch {
	case err != nil && r.target.Format == target.FormatKopfProbe:
		r.fail(reasonParse, err)
		return
	case err != nil:
		r.fail(reasonContentType, err)
		return
	}
	if r.target.Format == target.FormatKopfProbe {
		if err := r.room(ctx, p, cap(body)); err != nil {
			r.fail(fetch.ReasonBudget, err)
			return
		}
	}
	opts := p.scanOptions(r.target)
	opts.Memory = &r.state.memory[asked]
	x := p.exposition(r.state)
	r.scanned, x.Format = x, format
	err = x.Scan(body, opts)
	r.invalid += x.Invalid
	if err != nil {
		r.fail(reasonOf(err), err)
		return
	}
	if !r.single && p.opts.Relabel == nil {
		p.opts.Collision.Distinct(x, r.target.Labels)
	}
	r.body, r.samples, r.kept, r.twice = x, x.Samples, x.Samples-x.Duplicates, x.Duplicates
	if p.opts.Relabel != nil && !r.single {
		r.relabel(ctx, p)
	}
}

// maxInvalid is how many invalid lines a body can have.
const maxInvalid = 100

// scanOptions returns what a body of the target is scanned with.
func (p *Pods) scanOptions(t *target.Target) scan.Options {
	l := p.opts.Limits
	o := scan.Options{
		FamilyLimit: l.Families, SampleLimit: least(l.Samples, t.SampleLimit), LabelNameLengthLimit: l.LabelNameLength,
		LabelValueLengthLimit: l.LabelValueLength, NativeHistogramBucketLimit: l.NativeHistogramBuckets,
	}
	if p.opts.DropInvalidLines {
		o.InvalidLines = maxInvalid
	}
	if l.Labels > 0 { // those of the target and the name count
		o.LabelLimit = max(1, l.Labels-len(t.Labels))
	}
	for _, label := range t.Labels {
		o.Reserved = append(o.Reserved, label.Name)
	}
	return o
}

// least returns the lower of two limits, of which 0 is none.
func least(a, b int) int {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// reasonOf returns why a scan has failed.
func reasonOf(err error) string {
	var limit *scan.LimitError
	if errors.As(err, &limit) {
		return limit.Limit
	}
	return reasonParse
}

// What pods are asked for, by the format of the exposition. Names outside of the
// legacy ones are welcome: the scraper gets them as it asked for.
var accepts = [numFormats]string{
	exposition.Text:        "text/plain;version=0.0.4;escaping=allow-utf-8;q=0.5,*/*;q=0.1",
	exposition.OpenMetrics: "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;escaping=allow-utf-8;q=0.5,*/*;q=0.1",
	exposition.Protobuf: "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;escaping=allow-utf-8;q=0.7," +
		"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;escaping=allow-utf-8;q=0.5,*/*;q=0.1",
}

func (p *Pods) accept(format exposition.Format, t *target.Target) string {
	switch {
	case t.Format == target.FormatKopfProbe:
		return "application/json"
	case format == exposition.Protobuf && (p.opts.Relabel != nil || p.opts.Aggregate != nil):
		format = exposition.OpenMetrics // what these can read
	}
	return accepts[format]
}

// formatOf returns the format of an answer with a Content-Type.
func formatOf(contentType, fallback string) (exposition.Format, error) {
	mediaType, params, err := mime.ParseMediaType(contentType)
	switch {
	case contentType == "", mediaType == "text/plain":
		return exposition.Text, nil
	case mediaType == "application/openmetrics-text":
		return exposition.OpenMetrics, nil
	case mediaType == "application/vnd.google.protobuf" && params["proto"] == "io.prometheus.client.MetricFamily" && params["encoding"] == "delimited":
		return exposition.Protobuf, nil
	}
	if i := slices.Index(Fallbacks, fallback); i >= 0 {
		return exposition.Format(i), nil
	}
	if err != nil {
		return 0, fmt.Errorf("the Content-Type %.100q cannot be read: %w", contentType, err)
	}
	return 0, fmt.Errorf("the Content-Type %.100q is none of metrics", contentType)
}

// Fallbacks are the formats that Options.Fallback can name, by their numbers.
var Fallbacks = []string{
	exposition.Text: "text", exposition.OpenMetrics: "openmetrics", exposition.Protobuf: "protobuf",
}
