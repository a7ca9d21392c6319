// Command promoperator prints the configuration that Prometheus Operator makes for
// one Prometheus of a cluster, of the ServiceMonitors and PodMonitors that it
// selects there: it is the operator's own selection and generator, without its
// controller.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus-operator/prometheus-operator/pkg/assets"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/client/versioned"
	"github.com/prometheus-operator/prometheus-operator/pkg/operator"
	"github.com/prometheus-operator/prometheus-operator/pkg/prometheus"
	client "github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/record"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "kubeconfig file of the cluster")
	namespace := flag.String("namespace", "", "namespace of the Prometheus")
	name := flag.String("name", "", "its name")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	config, err := generate(ctx, *kubeconfig, *namespace, *name)
	if err != nil {
		fmt.Fprintln(os.Stderr, "promoperator:", err)
		os.Exit(1)
	}
	_, _ = os.Stdout.Write(config)
}

func generate(ctx context.Context, kubeconfig, namespace, name string) ([]byte, error) {
	rest, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	core, err := kubernetes.NewForConfig(rest)
	if err != nil {
		return nil, err
	}
	objects, err := monitoring.NewForConfig(rest)
	if err != nil {
		return nil, err
	}
	p, err := objects.MonitoringV1().Prometheuses(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	namespaces := informers.NewSharedInformerFactory(core, 0).Core().V1().Namespaces().Informer()
	go namespaces.RunWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), namespaces.HasSynced) {
		return nil, errors.New("namespaces cannot be listed")
	}
	store := assets.NewStoreBuilder(core.CoreV1(), core.CoreV1())
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	selector, err := prometheus.NewResourceSelector(log, p, store, namespaces, operator.NewMetrics(client.NewRegistry()), &record.FakeRecorder{})
	if err != nil {
		return nil, err
	}
	services, err := selector.SelectServiceMonitors(ctx, func(ns string, s labels.Selector, add cache.AppendFunc) error {
		list, err := objects.MonitoringV1().ServiceMonitors(ns).List(ctx, metav1.ListOptions{LabelSelector: s.String()})
		if err != nil {
			return err
		}
		each(list.Items, add)
		return nil
	})
	if err != nil {
		return nil, err
	}
	pods, err := selector.SelectPodMonitors(ctx, func(ns string, s labels.Selector, add cache.AppendFunc) error {
		list, err := objects.MonitoringV1().PodMonitors(ns).List(ctx, metav1.ListOptions{LabelSelector: s.String()})
		if err != nil {
			return err
		}
		each(list.Items, add)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := prometheus.AddAPIServerConfigToStore(ctx, store, namespace, p.Spec.APIServerConfig); err != nil {
		return nil, err
	}
	generator, err := prometheus.NewConfigGenerator(log, p, prometheus.WithEndpointSliceSupport(), prometheus.WithInlineTLSConfig())
	if err != nil {
		return nil, err
	}
	config, err := generator.GenerateServerConfiguration(p, services.ValidResources(), pods.ValidResources(),
		map[string]*monitoringv1.Probe{}, nil, store, nil, nil, nil, nil)
	// As the reloader beside each Prometheus does.
	return []byte(strings.NewReplacer("$(SHARD)", "0", "$(POD_NAME)", "prometheus-"+name+"-0").Replace(string(config))), err
}

func each[T any](items []T, add cache.AppendFunc) {
	for i := range items {
		add(&items[i])
	}
}
