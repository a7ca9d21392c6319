// Command manager-simple adds an Operator to a manager of controller-runtime in
// one line. Its server starts after the manager's caches and stops before them:
// for one that is there all the time, see the command manager.
package main

import (
	"context"
	"flag"
	"os"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
	"github.com/kubevitals/kubevitals/operator/prom"
)

func main() {
	listen := flag.String("listen", ":8080", "address to serve on")
	flag.Parse() // --kubeconfig is controller-runtime's
	ctrl.SetLogger(zap.New())
	if err := run(ctrl.SetupSignalHandler(), *listen); err != nil {
		ctrl.Log.Error(err, "The manager has failed")
		os.Exit(1)
	}
}

func run(ctx context.Context, listen string) error {
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
	})
	if err != nil {
		return err
	}
	began := time.Now()
	op := operator.New(operator.Options{Addr: listen, Elected: mgr.Elected()})
	op.AddSource("controller-runtime", prom.Source(ctrlmetrics.Registry))
	op.Collect("uptime", func(_ context.Context, emit func(operator.Metric)) error {
		emit(operator.Metric{
			Name: "example_uptime_seconds", Help: "How long the manager has been there.", Unit: "seconds",
			Type: metric.Gauge, Value: time.Since(began).Seconds(),
		})
		return nil
	})
	op.Timer("tick", time.Minute, func(context.Context) error {
		ctrl.Log.Info("The leader is at work")
		return nil
	}, operator.LeaderOnly())
	op.Expose("/metrics", exposition.Prometheus{})
	if err := mgr.Add(op); err != nil {
		return err
	}
	return mgr.Start(ctx)
}
