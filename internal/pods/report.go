package pods

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kubevitals/kubevitals/internal/pods/aggregate"
	"github.com/kubevitals/kubevitals/internal/pods/fetch"
	"github.com/kubevitals/kubevitals/internal/pods/target"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// Status is what the last scrape of a target has shown.
type Status struct {
	Target target.Target
	// At is when it ended; zero if there was none yet.
	At time.Time
	// Duration is how long it took.
	Duration time.Duration
	// Samples is how many samples the target sent, and Bytes in how many bytes.
	Samples int
	Bytes   int64
	// Reason is why the target gave nothing; empty if it did. Detail explains
	// it in a sentence.
	Reason, Detail string
}

func (r *result) status(now time.Time) Status {
	s := Status{At: now, Duration: r.duration, Samples: r.samples, Bytes: r.size, Reason: r.reason}
	if r.err != nil {
		s.Detail = r.err.Error()
	}
	return s
}

// reported is a series that every target has.
type reported struct {
	metric.Desc
	value func(*result) float64
}

// series are those that every target has. The first is the only one without
// Options.Reports.
var series = []reported{
	{gaugeOf("up", "Whether the pod could be scraped and everything it sent was valid."), func(r *result) float64 {
		if r.err != nil {
			return 0
		}
		return 1
	}},
	{gaugeOf("scrape_body_size_bytes", "Size of what the pod sent, uncompressed; -1 if it was beyond the limit."), func(r *result) float64 { return float64(r.size) }},
	{secondsOf("scrape_duration_seconds", "How long the scrape of the pod took."), func(r *result) float64 { return r.duration.Seconds() }},
	{gaugeOf("scrape_response_code", "Status code of the pod's answer; 0 if there was none."), func(r *result) float64 { return float64(r.code) }},
	{gaugeOf("scrape_samples_duplicate", "Samples that were left out as the pod had sent another with the same labels before."), func(r *result) float64 { return float64(r.twice) }},
	{gaugeOf("scrape_samples_post_metric_relabeling", "Samples that were left after relabelling."), func(r *result) float64 { return float64(r.kept) }},
	{gaugeOf("scrape_samples_scraped", "Samples that the pod sent."), func(r *result) float64 { return float64(r.samples) }},
}

var scrapeError = gaugeOf("scrape_error", "Why the pod could not be scraped.")

func gaugeOf(name, help string) metric.Desc {
	return metric.Desc{Name: name, Help: help, Type: metric.Gauge}
}

func secondsOf(name, help string) metric.Desc {
	return metric.Desc{Name: name, Help: help, Type: metric.Gauge, Unit: "seconds"}
}

// report returns what there is to say about each target.
func (p *Pods) report(format exposition.Format, results []*result) []exposition.Rendered {
	var out []exposition.Rendered
	add := func(d metric.Desc, samples []metric.Sample) {
		if len(samples) > 0 {
			out = append(out, rendered(format, metric.Family{Desc: d, Samples: samples}))
		}
	}
	shown := series
	if !p.opts.Reports {
		shown = shown[:1]
	}
	for _, s := range shown {
		samples := make([]metric.Sample, len(results))
		for i, r := range results {
			samples[i] = metric.Sample{Labels: r.target.Labels, Value: s.value(r)}
		}
		add(s.Desc, samples)
	}
	if p.opts.Reports {
		var failed []metric.Sample
		for _, r := range results {
			if r.err != nil {
				labels := slices.DeleteFunc(slices.Clone(r.target.Labels), func(l metric.Label) bool { return l.Name == "reason" })
				failed = append(failed, metric.Sample{Labels: append(labels, metric.Label{Name: "reason", Value: r.reason}), Value: 1})
			}
		}
		add(scrapeError, failed)
	}
	return out
}

// counts is what happened since the start. It is guarded by Pods.mu.
type counts struct {
	scrapes, samples, duplicates uint64
	invalid, spoiled             uint64
	bytes                        uint64
	failures                     map[string]uint64
}

// reasons are those that are counted from the start.
var reasons = slices.Concat(target.Problems, []string{
	fetch.ReasonBodySize, fetch.ReasonBudget, fetch.ReasonConnect, fetch.ReasonContentType, fetch.ReasonDecode, fetch.ReasonHeader,
	fetch.ReasonRead, fetch.ReasonRedirect, fetch.ReasonRequest, fetch.ReasonTLS, fetch.ReasonTimeout, "http", "other", reasonParse, reasonRelabel, reasonPanic, "family_limit", "sample_limit", "label_limit", "label_name_length_limit", "label_value_length_limit",
	"native_histogram_bucket_limit",
})

// add counts a result. Statuses of HTTP are one reason, as pods choose them.
func (c *counts) add(r *result) {
	c.scrapes++
	c.samples += uint64(r.samples)
	c.duplicates += uint64(r.twice)
	c.invalid += uint64(r.invalid)
	c.spoiled += uint64(r.spoiled)
	c.bytes += uint64(max(r.size, 0))
	if r.err == nil {
		return
	}
	reason := r.reason
	if _, known := c.failures[reason]; !known {
		if reason = "other"; strings.HasPrefix(r.reason, "http_") {
			reason = "http"
		}
	}
	c.failures[reason]++
}

// collectAggregates gives what was not combined with the samples of other targets,
// and how much room there is.
func (p *Pods) collectAggregates(emit func(operator.Metric)) {
	if p.opts.Aggregate == nil {
		return
	}
	p.aggregating.Lock()
	refused, usage := p.opts.Aggregate.Refused(), p.opts.Aggregate.Usage()
	p.aggregating.Unlock()
	for _, u := range usage {
		emit(operator.Metric{
			Name: "kubevitals_pods_aggregate_series", Help: "Numbers that are remembered to combine the samples of targets, by rule; each bucket is one.", Type: metric.Gauge,
			Labels: metric.Labels("rule", u.Rule.String()), Value: float64(u.Series),
		})
		emit(operator.Metric{
			Name: "kubevitals_pods_aggregate_series_limit", Help: "How many numbers may be remembered to combine the samples of targets, by rule.", Type: metric.Gauge,
			Labels: metric.Labels("rule", u.Rule.String()), Value: float64(u.Max),
		})
	}
	for _, reason := range aggregate.Reasons {
		emit(operator.Metric{
			Name: "kubevitals_pods_aggregates_refused_total", Help: "Families of targets that were not combined with those of others, wholly or in part, by reason.", Type: metric.Counter,
			Labels: metric.Labels("reason", string(reason)), Value: float64(refused[reason]),
		})
	}
}

// Collect gives the metrics about scraping pods.
func (p *Pods) Collect(_ context.Context, emit func(operator.Metric)) error {
	p.mu.Lock()
	c := p.counts
	c.failures = maps.Clone(c.failures)
	merged := p.merged
	p.mu.Unlock()
	stats := p.opts.Client.Stats()
	counter := func(name, help string, v uint64) {
		emit(operator.Metric{Name: "kubevitals_pods_" + name, Help: help, Type: metric.Counter, Value: float64(v)})
	}
	gauge := func(name, help string, v float64) {
		emit(operator.Metric{Name: "kubevitals_pods_" + name, Help: help, Type: metric.Gauge, Value: v})
	}
	counter("scrapes_total", "Scrapes of single targets.", c.scrapes)
	counter("samples_total", "Samples that targets sent.", c.samples)
	counter("samples_duplicate_total", "Samples that were left out as their target had sent another with the same labels.", c.duplicates)
	counter("lines_invalid_total", "Lines that were left out because they are not valid.", c.invalid)
	counter("samples_spoiled_total", "Samples that were left out because relabelling made something of them that is no sample.", c.spoiled)
	counter("received_bytes_total", "Bytes that targets sent, uncompressed.", c.bytes)
	counter("connections_total", "Connections that were opened to targets.", stats.Connections)
	for _, reason := range slices.Sorted(maps.Keys(c.failures)) {
		emit(operator.Metric{
			Name: "kubevitals_pods_scrape_failures_total", Help: "Scrapes of single targets that gave nothing, by reason.", Type: metric.Counter,
			Labels: metric.Labels("reason", reason), Value: float64(c.failures[reason]),
		})
	}
	p.collectAggregates(emit)
	gauge("requests_in_flight", "Requests to targets that are under way.", float64(stats.InFlight))
	gauge("body_bytes", "Bytes that are held for the bodies of targets.", float64(stats.Held))
	gauge("body_budget_bytes", "Bytes that may be held for the bodies of targets.", float64(stats.Budget))
	gauge("type_conflicts", "Families of the last scrape of whose type targets have different opinions.", float64(merged.TypeConflicts))
	gauge("help_conflicts", "Families of the last scrape of whose help text targets have different opinions.", float64(merged.HelpConflicts))
	gauge("untyped_families", "Families of the last scrape that lost their type, as samples of one target do not fit into that of another.", float64(len(merged.Untyped)))
	return nil
}
