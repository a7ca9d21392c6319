// Command manager is an operator on controller-runtime whose metrics, probes and
// background tasks are an Operator's: one port, which answers while caches are
// filled and while tasks are stopped.
package main

import (
	"context"
	"flag"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/kubeauth"
	"github.com/kubevitals/kubevitals/operator/metric"
	"github.com/kubevitals/kubevitals/operator/prom"
)

// reconciled is direct instrumentation, as ever.
var reconciled = prometheus.NewCounterVec(
	prometheus.CounterOpts{Name: "example_reconciled_total", Help: "ConfigMaps that were looked at."}, []string{"namespace"})

func init() { ctrlmetrics.Registry.MustRegister(reconciled) }

func main() {
	listen := flag.String("listen", ":8443", "address to serve on")
	election := flag.String("leader-election", "", "namespace of the lease, if there are several replicas")
	flag.Parse() // --kubeconfig is controller-runtime's
	ctrl.SetLogger(zap.New())
	if err := run(ctrl.SetupSignalHandler(), *listen, *election); err != nil {
		ctrl.Log.Error(err, "The manager has failed")
		os.Exit(1)
	}
}

func run(ctx context.Context, listen, election string) error {
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Metrics:                metricsserver.Options{BindAddress: "0"}, // the Operator serves
		HealthProbeBindAddress: "0",
		LeaderElection:         election != "", LeaderElectionNamespace: election, LeaderElectionID: "example-manager",
	})
	if err != nil {
		return err
	}
	if err := ctrl.NewControllerManagedBy(mgr).For(&corev1.ConfigMap{}).Complete(reconciler{mgr.GetClient()}); err != nil {
		return err
	}
	if err := serve(mgr, listen); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// serve gives the manager an Operator.
func serve(mgr ctrl.Manager, listen string) error {
	certificate, err := kubeauth.SelfSigned()
	if err != nil {
		return err
	}
	auth, err := kubeauth.New(kubeauth.Config{Client: mgr.GetHTTPClient(), Host: mgr.GetConfig().Host})
	if err != nil {
		return err
	}
	op := operator.New(operator.Options{Addr: listen, TLS: certificate})
	op.Protect(auth.Wrap)
	op.AddSource("controller-runtime", prom.Source(ctrlmetrics.Registry))
	op.Collect("configmaps", countConfigMaps(mgr.GetClient()), operator.Timeout(2*time.Second))
	op.Timer("report", time.Minute, report(mgr.GetClient()), operator.LeaderOnly())
	op.Check(operator.Ready, "caches", func(ctx context.Context) error {
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return context.Cause(ctx)
		}
		return nil
	})
	op.Expose("/metrics", exposition.Prometheus{})

	server, listener, err := op.Server()
	if err != nil {
		return err
	}
	for _, runnable := range []manager.Runnable{
		&manager.Server{Name: "metrics", Server: server, Listener: listener}, // first up, last down
		op.Background(),       // on every replica
		op.LeaderBackground(), // on the leader
	} {
		if err := mgr.Add(runnable); err != nil {
			return err
		}
	}
	return nil
}

// countConfigMaps counts what is in the manager's cache.
func countConfigMaps(c client.Client) operator.CollectorFunc {
	return func(ctx context.Context, emit func(operator.Metric)) error {
		var list corev1.ConfigMapList
		if err := c.List(ctx, &list); err != nil {
			return err
		}
		counts := make(map[string]int)
		for i := range list.Items {
			counts[list.Items[i].Namespace]++
		}
		for namespace, n := range counts {
			emit(operator.Metric{
				Name: "example_configmaps", Help: "ConfigMaps of the cluster.", Type: metric.Gauge,
				Labels: metric.Labels("namespace", namespace), Value: float64(n),
			})
		}
		return nil
	}
}

// report is what the leader does now and then.
func report(c client.Client) operator.TaskFunc {
	return func(ctx context.Context) error {
		var list corev1.ConfigMapList
		if err := c.List(ctx, &list); err != nil {
			return err
		}
		ctrl.Log.Info("Report", "configmaps", len(list.Items))
		return nil
	}
}

type reconciler struct {
	client.Client
}

// Reconcile implements the reconciler of controller-runtime.
func (r reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	reconciled.WithLabelValues(req.Namespace).Inc()
	var c corev1.ConfigMap
	return ctrl.Result{}, client.IgnoreNotFound(r.Get(ctx, req.NamespacedName, &c))
}
