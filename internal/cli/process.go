package cli

import (
	"context"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// processMetrics returns a collector for what dashboards expect of every Go
// program, go_* and process_*, and for the version. Of the families, those with
// one number per series are given.
func processMetrics() operator.CollectorFunc {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return func(_ context.Context, emit func(operator.Metric)) error {
		emit(operator.Metric{
			Name: "kubevitals_build_info", Help: "The version of the program.", Type: metric.Info, Value: 1,
			Labels: metric.Labels("version", currentVersion(), "goversion", runtime.Version()),
		})
		families, err := registry.Gather()
		for _, f := range families {
			for _, m := range f.GetMetric() {
				sample := operator.Metric{Name: f.GetName(), Help: f.GetHelp()}
				for _, l := range m.GetLabel() {
					sample.Labels = append(sample.Labels, metric.Label{Name: l.GetName(), Value: l.GetValue()})
				}
				switch {
				case m.GetGauge() != nil:
					sample.Type, sample.Value = metric.Gauge, m.GetGauge().GetValue()
				case m.GetCounter() != nil:
					sample.Type, sample.Value = metric.Counter, m.GetCounter().GetValue()
				default:
					continue
				}
				emit(sample)
			}
		}
		return err
	}
}
