// Command informers is an exporter on client-go: informers keep the pods of the
// cluster, and a scrape counts them.
package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

func main() {
	kubeconfig := flag.String("kubeconfig", os.Getenv("KUBECONFIG"), "kubeconfig file; the pod's ServiceAccount without one")
	listen := flag.String("listen", ":8080", "address to serve on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *kubeconfig, *listen); err != nil {
		slog.Error("The exporter has failed", "err", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, kubeconfig, listen string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 10*time.Hour)
	pods := factory.Core().V1().Pods()
	synced := pods.Informer().HasSynced

	op := operator.New(operator.Options{Addr: listen})
	op.Daemon("informers", func(ctx context.Context) error {
		factory.Start(ctx.Done())
		<-ctx.Done()
		factory.Shutdown() // awaits the informers' goroutines
		return nil
	})
	op.Check(operator.Ready, "pods", func(context.Context) error {
		if !synced() {
			return errors.New("the pods have not been listed yet")
		}
		return nil
	})
	op.Collect("pods", countPods(pods.Lister(), synced))
	op.Expose("/metrics", exposition.Prometheus{})
	return op.Run(ctx)
}

// countPods counts pods by namespace and phase.
func countPods(lister listers.PodLister, synced func() bool) operator.CollectorFunc {
	return func(_ context.Context, emit func(operator.Metric)) error {
		if !synced() {
			return errors.New("the pods have not been listed yet") // no numbers are better than wrong ones
		}
		pods, err := lister.List(labels.Everything())
		if err != nil {
			return err
		}
		type key struct {
			namespace string
			phase     corev1.PodPhase
		}
		counts := make(map[key]int)
		for _, p := range pods {
			counts[key{p.Namespace, p.Status.Phase}]++
		}
		for k, n := range counts {
			emit(operator.Metric{
				Name: "cluster_pods", Help: "Pods of the cluster.", Type: metric.Gauge,
				Labels: metric.Labels("namespace", k.namespace, "phase", string(k.phase)), Value: float64(n),
			})
		}
		return nil
	}
}
