package deploy_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubevitals/kubevitals/test/program"
	"github.com/kubevitals/kubevitals/test/promtest"
)

// prometheusObject is a Prometheus of Prometheus Operator that selects every
// monitor, and finds targets through the API server of the test.
func prometheusObject(t *testing.T, namespace string) string {
	t.Helper()
	token, err := control.ServiceAccountToken(t.Context(), namespace, "prometheus")
	if err != nil {
		t.Fatal(err)
	}
	ca := control.Config().CAData
	if len(ca) == 0 {
		if ca, err = os.ReadFile(control.Config().CAFile); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: prometheus}
rules:
- {apiGroups: [""], resources: [services, endpoints, pods, nodes, namespaces], verbs: [get, list, watch]}
- {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [get, list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: prometheus-%[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: prometheus}
subjects: [{kind: ServiceAccount, name: prometheus, namespace: %[1]s}]
---
apiVersion: v1
kind: Secret
metadata: {name: apiserver, namespace: %[1]s}
data: {token: %[2]s, ca.crt: %[3]s}
---
apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata:
  name: prometheus-example
  namespace: %[1]s
spec:
  serviceMonitorSelector: {}
  podMonitorSelector: {}
  serviceMonitorNamespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %[1]s}}
  podMonitorNamespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %[1]s}}
  replicas: 1
  serviceDiscoveryRole: EndpointSlice
  apiserverConfig:
    host: %[4]q
    authorization: {credentials: {name: apiserver, key: token}}
    tlsConfig: {ca: {secret: {name: apiserver, key: ca.crt}}}
`, namespace, base64.StdEncoding.EncodeToString([]byte(token)), base64.StdEncoding.EncodeToString(ca), control.Config().Host)
}

// scrapeConfig returns what Prometheus Operator makes of the monitors of a namespace.
func scrapeConfig(t *testing.T, namespace string) string {
	t.Helper()
	out, err := command(t.Context(), ".", promoperator, "-kubeconfig", control.Kubeconfig(), "-namespace", namespace, "-name", "prometheus-example")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// awaitToken waits until the API server has a token for the Secret of the reader.
// In a cluster its controller manager puts one in; here it is the one of the API
// server's own making.
func (x *installed) awaitToken(t *testing.T) {
	t.Helper()
	name := "kubevitals-metrics-reader"
	token, err := control.ServiceAccountToken(t.Context(), x.namespace, name)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, fmt.Sprintf(`
apiVersion: v1
kind: Secret
metadata: {name: %[1]s-token, namespace: %[2]s, annotations: {kubernetes.io/service-account.name: %[1]s}}
type: kubernetes.io/service-account-token
data: {token: %[3]s}
`, name, x.namespace, base64.StdEncoding.EncodeToString([]byte(token))))
	program.Poll(t, "the reader to be allowed", func() error {
		_, err := control.Kubectl(t.Context(), "auth", "can-i", "get", "/metrics", "--as=system:serviceaccount:"+x.namespace+":"+name)
		return err
	})
}

// TestMonitors installs the chart with a ServiceMonitor and a PodMonitor. Prometheus
// Operator makes a scrape configuration of both, by which Prometheus finds the
// running program in the cluster and scrapes it by TLS, with the token of the reader
// and the certificate's authority.
func TestMonitors(t *testing.T) {
	const namespace = "monitors"
	x := install(t, namespace, "kubevitals-state", template(t, namespace, `
serviceMonitor: {enabled: true, relabelings: [{sourceLabels: [__meta_kubernetes_endpointslice_port], regex: (.+), targetLabel: __address__, replacement: "127.0.0.1:$1"}]}
podMonitor: {enabled: true}
prometheusRule: {enabled: true}
dashboards: {enabled: true}
networkPolicy: {enabled: true}
podDisruptionBudget: {enabled: true}
`))
	x.awaitToken(t)
	apply(t, prometheusObject(t, namespace))
	s := promtest.New(t)
	s.Run(t, scrapeConfig(t, namespace), 2)
	for _, job := range []string{"kubevitals-state-metrics-service", namespace + "/kubevitals-state"} {
		series := s.SeriesOf(t, job)
		up, ready := 0, 0
		for key, v := range series {
			if strings.HasPrefix(key, "up{") && v == 1 {
				up++
			}
			if strings.HasPrefix(key, "gateway_metrics_up") {
				ready++
			}
		}
		if up != 1 || ready != 1 {
			t.Errorf("job %s: up %d, gateway_metrics_up %d, of %d series", job, up, ready, len(series))
		}
	}
}

// TestMonitorsOfPods does the same for the part pods, whose own metrics are a target
// of their own.
func TestMonitorsOfPods(t *testing.T) {
	const namespace = "monitors-pods"
	x := install(t, namespace, "kubevitals-pods", template(t, namespace, `
state: {enabled: false}
pods: {enabled: true, selector: app=web, namespaces: [monitors-pods]}
serviceMonitor: {enabled: true, relabelings: [{sourceLabels: [__meta_kubernetes_endpointslice_port], regex: (.+), targetLabel: __address__, replacement: "127.0.0.1:$1"}]}
`))
	x.awaitToken(t)
	apply(t, prometheusObject(t, namespace))
	s := promtest.New(t)
	s.Run(t, scrapeConfig(t, namespace), 2)
	for job, family := range map[string]string{"kubevitals-pods-metrics-service": "kubevitals_pods_targets", "kubevitals-pods-self": "process_cpu_seconds_total"} {
		found := false
		for key := range s.SeriesOf(t, job) {
			found = found || strings.HasPrefix(key, family)
		}
		if !found {
			t.Errorf("the job %s has no %s", job, family)
		}
	}
}

// podMonitor is one that selects pods by a name of its own, as pages of Tawon show it.
const podMonitor = `
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  name: tawon-podmonitor
  namespace: tawon-operator
spec:
  namespaceSelector:
    matchNames:
    - tawon-operator # Target the "tawon-operator" namespace
  podMetricsEndpoints:
  - interval: 10s # Scrape metrics every 10 seconds
    path: /metrics # Path where metrics are exposed
    port: http-metrics # Port where metrics endpoint is served
  selector:
    matchLabels:
      app.kubernetes.io/name: tawon-directive
`

// TestForeignPodMonitor installs the chart under the name that an existing PodMonitor
// selects.
func TestForeignPodMonitor(t *testing.T) {
	const namespace = "tawon-operator"
	x := install(t, namespace, "kubevitals-state", template(t, namespace, `
auth: {enabled: false}
state: {appName: tawon-directive}
`))
	if got := x.pod.Labels["app.kubernetes.io/name"]; got != "tawon-directive" {
		t.Errorf("the pods are called %s", got)
	}
	apply(t, prometheusObject(t, namespace))
	apply(t, podMonitor)
	s := promtest.New(t)
	s.Run(t, scrapeConfig(t, namespace), 1)
	series := s.SeriesOf(t, namespace+"/tawon-podmonitor")
	if len(series) < 100 {
		t.Errorf("%d series", len(series))
	}
	var service corev1.Service
	x.read(t, "service", "kubevitals-state-metrics-service", &service)
	if service.Spec.Ports[0].Name != "http-metrics" {
		t.Errorf("the Service has the port %s", service.Spec.Ports[0].Name)
	}
}
