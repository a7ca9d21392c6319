package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// The names of metrics-k8s-proxy's program: the one that its image has, and that of
// the project.
const (
	proxyName     = "metrics-proxy"
	proxyLongName = "metrics-k8s-proxy"
)

// proxyRoot returns the command line of metrics-k8s-proxy, which is configured by
// the environment alone: the command pods, with the commands that are beside it.
// name is how the program was called.
func proxyRoot(name string, streams Streams) *cobra.Command {
	root := newPodsCommand()
	root.Use = name
	root.Short = "Serve the metrics of many pods, in the place of metrics-k8s-proxy"
	root.Long = fmt.Sprintf(`Serve the metrics of many pods as one exposition. This is Kubevitals, called by the
name of metrics-k8s-proxy: it needs no flags, and those of "kubevitals pods" are
there as well. A flag counts for more than the environment.

Environment:
  %-20s labels of the pods to scrape, such as app=ztunnel (needed)
  %-20s the most that a scrape takes, such as 15s (default %s)
  %-20s port to serve on (default %d)
  %-20s kubeconfig file (default ~/.kube/config, or the pod's ServiceAccount)`,
		envSelector, envTimeout, defaultPodsTimeout, envPort, defaultPodsPort, "KUBECONFIG")
	root.Example = `  POD_LABEL_SELECTOR=app=ztunnel SCRAPE_TIMEOUT=15s metrics-proxy`
	root.Version = currentVersion()
	prepare(root, streams)
	root.AddCommand(newVersion())
	return root
}
