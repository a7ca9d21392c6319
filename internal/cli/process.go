package cli

import (
	"context"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/metric"
	"github.com/kubevitals/kubevitals/operator/prom"
)

// processMetrics returns what dashboards expect of every Go program: go_* and
// process_*.
func processMetrics() operator.Source {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return prom.Source(registry)
}

func buildInfo(_ context.Context, emit func(operator.Metric)) error {
	emit(operator.Metric{
		Name: "kubevitals_build_info", Help: "The version of the program.", Type: metric.Info, Value: 1,
		Labels: metric.Labels("version", currentVersion(), "goversion", runtime.Version()),
	})
	return nil
}
