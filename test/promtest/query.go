package promtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

// engine is a query engine with Prometheus' defaults.
var engine = sync.OnceValue(func() *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{
		MaxSamples:           50_000_000,
		Timeout:              2 * time.Minute,
		LookbackDelta:        5 * time.Minute,
		EnableAtModifier:     true,
		EnableNegativeOffset: true,
	})
})

// Sample is a row of a result.
type Sample struct {
	Labels map[string]string // the name of the metric is __name__
	Value  float64
}

// Query evaluates a query at one time. Its result must be a vector, and warnings
// are errors.
func (s *Server) Query(ctx context.Context, promQL string, at time.Time) ([]Sample, error) {
	q, err := engine().NewInstantQuery(ctx, s.db, nil, promQL, at)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	result := q.Exec(ctx)
	rows, err := result.Vector()
	if err = errors.Join(append(result.Warnings.AsErrors(), err)...); err != nil {
		return nil, err
	}
	out := make([]Sample, len(rows))
	for i, row := range rows {
		out[i] = Sample{Labels: row.Metric.Map(), Value: row.F}
	}
	return out, nil
}

// QueryRange evaluates a query over the time before one, and returns the series that
// last until then with their values at that time.
func (s *Server) QueryRange(ctx context.Context, promQL string, end time.Time) ([]Sample, error) {
	const steps = 4
	q, err := engine().NewRangeQuery(ctx, s.db, nil, promQL, end.Add(-steps*15*time.Second), end, 15*time.Second)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	result := q.Exec(ctx)
	matrix, err := result.Matrix()
	if err = errors.Join(append(result.Warnings.AsErrors(), err)...); err != nil {
		return nil, err
	}
	var out []Sample
	for _, series := range matrix {
		if n := len(series.Floats); n > 0 && series.Floats[n-1].T == end.UnixMilli() {
			out = append(out, Sample{Labels: series.Metric.Map(), Value: series.Floats[n-1].F})
		}
	}
	return out, nil
}

// LabelValues returns the values of a label in the series that a selector finds, as
// label_values of Grafana does.
func (s *Server) LabelValues(ctx context.Context, selector, label string, at time.Time) ([]string, error) {
	matchers, err := parser.NewParser(parser.Options{}).ParseMetricSelector(selector)
	if err != nil {
		return nil, fmt.Errorf("selector %s: %w", selector, err)
	}
	q, err := s.db.Querier(at.Add(-time.Hour).UnixMilli(), at.UnixMilli())
	if err != nil {
		return nil, err
	}
	defer func() { _ = q.Close() }()
	var values []string
	set := q.Select(ctx, false, nil, matchers...)
	for set.Next() {
		if v := set.At().Labels().Get(label); v != "" {
			values = append(values, v)
		}
	}
	slices.Sort(values)
	return slices.Compact(values), errors.Join(append(set.Warnings().AsErrors(), set.Err())...)
}

// Metrics returns the names of all series that were stored.
func (s *Server) Metrics(ctx context.Context, at time.Time) ([]string, error) {
	return s.LabelValues(ctx, `{__name__!=""}`, model.MetricNameLabel, at)
}
