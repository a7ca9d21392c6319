// Command textproxy is the plainest proxy of pods' metrics one could write, for
// BenchmarkPods to compare ours with: it reads the body of every pod, puts two
// labels into every line as text, and joins what it has. It knows the environment
// of metrics-k8s-proxy, keeps whole bodies as that does, and checks nothing: one
// bad pod spoils its answer.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "textproxy:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	timeout, err := time.ParseDuration(cmp.Or(os.Getenv("SCRAPE_TIMEOUT"), "9s"))
	if err != nil {
		return fmt.Errorf("SCRAPE_TIMEOUT: %w", err)
	}
	lister, err := watch(ctx, os.Getenv("KUBECONFIG"), os.Getenv("POD_LABEL_SELECTOR"))
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		pods, err := lister.List(labels.Everything())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte(strings.Join(fanOut(ctx, pods), "\n")))
	})
	server := &http.Server{Addr: "127.0.0.1:" + cmp.Or(os.Getenv("PORT"), "15090"), Handler: mux, ReadHeaderTimeout: timeout}
	return server.ListenAndServe()
}

// watch returns what is known of the pods that a selector chooses, once it is.
func watch(ctx context.Context, kubeconfig, selector string) (corelisters.PodLister, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	factory := informers.NewSharedInformerFactoryWithOptions(clients, 0,
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = selector }))
	pods := factory.Core().V1().Pods().Lister()
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	return pods, nil
}

// fanOut asks all pods at once and returns the lines about each.
func fanOut(ctx context.Context, pods []*corev1.Pod) []string {
	blocks := make([]string, len(pods))
	var all sync.WaitGroup
	for i, pod := range pods {
		all.Go(func() {
			body, err := get(ctx, pod)
			up := 1
			if err != nil {
				up = 0
			}
			blocks[i] = fmt.Sprintf("%s\nup{k8s_pod_name=\"%s\",k8s_namespace=\"%s\"} %d\n", label(body, pod), pod.Name, pod.Namespace, up)
		})
	}
	all.Wait()
	return blocks
}

func get(ctx context.Context, pod *corev1.Pod) (string, error) {
	port := cmp.Or(pod.Annotations["prometheus.io/port"], "80")
	path := cmp.Or(pod.Annotations["prometheus.io/path"], "/metrics")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+pod.Status.PodIP+":"+port+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return "", errors.New(resp.Status)
	}
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// label puts the pod's own labels first into every sample of a text.
func label(text string, pod *corev1.Pod) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.Contains(line, "{"):
			lines[i] = strings.Replace(line, "{", fmt.Sprintf(`{k8s_pod_name="%s",k8s_namespace="%s",`, pod.Name, pod.Namespace), 1)
		default:
			if fields := strings.Fields(line); len(fields) == 2 {
				lines[i] = fmt.Sprintf(`%s{k8s_pod_name="%s",k8s_namespace="%s"} %s`, fields[0], pod.Name, pod.Namespace, fields[1])
			}
		}
	}
	return strings.Join(lines, "\n")
}
