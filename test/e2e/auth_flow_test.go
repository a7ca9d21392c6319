package e2e

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/model/labels"
	promscrape "github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/tsdb"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevitals/kubevitals/test/controlplane"
	"github.com/kubevitals/kubevitals/test/program"
)

// TestAuthAsOperatorSDK reads metrics by the steps that the documentation of an
// operator made with the Operator SDK gives to its users. Of these, oc
// port-forward needs a kubelet: the process is reached at its own port.
func TestAuthAsOperatorSDK(t *testing.T) {
	const namespace, account, binding = "openshift-operators", "tawon-operator-controller-manager", "tawon-operator-metrics-binding"
	applyText(t, control, `
apiVersion: v1
kind: ServiceAccount
metadata: {namespace: openshift-operators, name: tawon-operator-controller-manager}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  creationTimestamp: "2024-10-22T22:25:14Z"
  labels:
    app.kubernetes.io/component: kube-rbac-proxy
    app.kubernetes.io/created-by: tawon-operator
    app.kubernetes.io/instance: metrics-reader
    app.kubernetes.io/managed-by: kustomize
    app.kubernetes.io/name: clusterrole
    app.kubernetes.io/part-of: tawon-operator
    olm.owner: tawon-operator.v2.39.20
  name: tawon-operator-metrics-reader
  resourceVersion: "59601497"
  uid: 1322e10b-f728-48a3-949c-470d633b0606
rules:
- nonResourceURLs:
  - /metrics
  verbs:
  - get
`)
	kubeconfig := kubeconfigFor(t, control, newToken(t, control, namespace, account))
	delegate(t, control, namespace, account)
	p := startProtected(t, kubeconfig, "demo", "--every=0", "--auth=kubernetes", "--tls-self-signed")

	kubectl(t, control, "delete", "clusterrolebinding", binding, "--ignore-not-found")
	kubectl(t, control, "create", "clusterrolebinding", binding,
		"--clusterrole=tawon-operator-metrics-reader", "--serviceaccount=openshift-operators:tawon-operator-controller-manager")
	awaitAllowed(t, control, "get", "/metrics", asAccount(namespace, account))
	token := strings.TrimSpace(kubectl(t, control, "create", "token", account, "-n", namespace))
	issued = append(issued, token)

	var got string
	if _, err := exec.LookPath("curl"); err != nil {
		t.Log("curl is not installed: the test does what curl -k does")
		got = bearer(p, token).get(t, "/metrics").body
	} else {
		_, port, _ := strings.Cut(p.URL, "https://127.0.0.1:")
		cmd := exec.CommandContext(t.Context(), "sh", "-c",
			`curl -H "Authorization: Bearer $TOKEN" https://localhost:`+port+`/metrics -k`)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TOKEN=" + token}
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("curl: %v", err)
		}
		got = string(out)
	}
	if n := len(lines(got, "gatewayapi_gateway_info{")); n < 4 {
		t.Errorf("%d gateways are served:\n%.1000s", n, got)
	}
}

// TestAuthProtectedManifest applies deploy/protected.yaml and runs what its
// Deployment says, with that account's token, and with certificates made in the
// ways that the manifest describes. It is scraped as the manifest describes.
func TestAuthProtectedManifest(t *testing.T) {
	const quickstart, protected = "../../deploy/quickstart.yaml", "../../deploy/protected.yaml"
	kubectl(t, control, "apply", "--validate=strict", "-f", quickstart, "-f", protected)
	if err := control.Apply(t.Context(), demoObjects(t)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(protected)
	if err != nil {
		t.Fatal(err)
	}
	var deployment appsv1.Deployment
	var service corev1.Service
	read(t, &deployment, "deployment", "kubevitals")
	read(t, &service, "service", "kubevitals")
	checkManifest(t, deployment, service, string(text))

	pod := deployment.Spec.Template.Spec
	account := pod.ServiceAccountName
	kubeconfig := kubeconfigFor(t, control, newToken(t, control, "kubevitals", account))
	awaitAllowed(t, control, "create", "tokenreviews.authentication.k8s.io", asAccount("kubevitals", account))
	awaitAllowed(t, control, "get", "/metrics", asAccount("kubevitals", "kubevitals-metrics-reader"))
	token := newToken(t, control, "kubevitals", "kubevitals-metrics-reader")

	f := func(name string, makeSecret func(*testing.T)) {
		t.Run(name, func(t *testing.T) {
			kubectl(t, control, "delete", "secret", "--namespace=kubevitals", "kubevitals-tls", "--ignore-not-found")
			makeSecret(t)
			dir := mount(t, pod.Volumes[0].Secret.SecretName)
			var args []string
			for _, arg := range pod.Containers[0].Args {
				args = append(args, strings.ReplaceAll(arg, pod.Containers[0].VolumeMounts[0].MountPath, dir))
			}
			p := startProtected(t, kubeconfig, args...)
			p.WaitReady(t)
			c := bearer(p, token)
			c.tls = trust(t, filepath.Join(dir, "ca.crt"), "kubevitals.kubevitals.svc")
			program.Poll(t, "all kinds", func() error {
				a := c.get(t, "/metrics")
				return errors.Join(has(a.body, "gateway_metrics_up 1"), has(a.body, routeUp))
			})
			c.expect(t, 403, "/")
			c.authorization = ""
			c.expect(t, 401, "/metrics")
			c.authorization = "Bearer " + newToken(t, control, "kubevitals", account)
			c.expect(t, 403, "/metrics") // it may ask, and may not read
			c.tls = trust(t, filepath.Join(dir, "ca.crt"), "kubevitals.other.svc")
			if _, err := c.do(t.Context(), "GET", "/metrics"); err == nil {
				t.Error("the certificate is good for another name")
			}

			up, samples := scrapeByPrometheus(t, strings.NewReplacer(
				"/etc/prometheus/kubevitals-metrics-reader/token", writeFile(t, "token", token+"\n"),
				"/etc/prometheus/kubevitals-tls", dir,
				"kubevitals.kubevitals.svc:8443", strings.TrimPrefix(p.URL, "https://"),
			).Replace(snippet(t, string(text), "scrape_configs:")))
			if up != 1 || samples < 400 {
				t.Errorf("Prometheus: up is %g, and %d series", up, samples)
			}
			t.Logf("Prometheus has scraped %d series", samples)
		})
	}
	f("authority", func(t *testing.T) {
		ca, dir := newAuthority(t, "cluster-ca"), t.TempDir()
		cert := ca.server(t, "kubevitals.kubevitals.svc")
		for name, text := range map[string]string{"tls.crt": cert.cert, "tls.key": cert.key, "ca.crt": encode("CERTIFICATE", ca.cert.Raw)} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		kubectl(t, control, "create", "secret", "generic", "kubevitals-tls", "--namespace=kubevitals",
			"--type=kubernetes.io/tls", "--from-file="+dir)
	})
	f("openssl", func(t *testing.T) {
		if _, err := exec.LookPath("openssl"); err != nil {
			if os.Geteuid() == 0 { // make test installs it
				t.Fatal(err)
			}
			t.Skip(err)
		}
		commands := strings.NewReplacer("\\\n", "", "tls.", t.TempDir()+"/tls.").Replace(snippet(t, string(text), "openssl req "))
		openssl, create, _ := strings.Cut(commands, "\n")
		words := strings.Fields(openssl)
		if out, err := exec.CommandContext(t.Context(), words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		kubectl(t, control, strings.Fields(create)[1:]...)
	})
}

// read reads an object of the namespace kubevitals.
func read(t *testing.T, into any, kind, name string) {
	t.Helper()
	out := kubectl(t, control, "get", kind, name, "--namespace=kubevitals", "--output=json")
	if err := json.Unmarshal([]byte(out), into); err != nil {
		t.Fatal(err)
	}
}

// mount writes a Secret to files, as the kubelet does.
func mount(t *testing.T, secretName string) (dir string) {
	t.Helper()
	var secret corev1.Secret
	read(t, &secret, "secret", secretName)
	if want := []string{"ca.crt", "tls.crt", "tls.key"}; !slices.Equal(slices.Sorted(maps.Keys(secret.Data)), want) {
		t.Fatalf("the Secret has %v, want %v", slices.Sorted(maps.Keys(secret.Data)), want)
	}
	dir = t.TempDir()
	for name, data := range secret.Data {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// trust returns the settings of a client that knows the authorities of a file.
func trust(t *testing.T, caFile, serverName string) *tls.Config {
	t.Helper()
	data, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		t.Fatalf("no certificate in %s", caFile)
	}
	return &tls.Config{RootCAs: pool, ServerName: serverName}
}

// snippet returns the part of a manifest's comment that begins with a text.
func snippet(t *testing.T, manifest, begin string) string {
	t.Helper()
	var out strings.Builder
	for line := range strings.Lines(manifest) {
		line, quoted := strings.CutPrefix(line, "#   ")
		if out.Len() == 0 && !strings.HasPrefix(line, begin) {
			continue
		}
		if !quoted {
			break
		}
		out.WriteString(line)
	}
	if out.Len() == 0 {
		t.Fatalf("the manifest has no comment with %s", begin)
	}
	return out.String()
}

// checkManifest checks what only a kubelet, cert-manager and Prometheus Operator
// would find out.
func checkManifest(t *testing.T, deployment appsv1.Deployment, service corev1.Service, manifest string) {
	t.Helper()
	pod := deployment.Spec.Template.Spec
	// Nothing of the quickstart's own is left.
	if ports := pod.Containers[0].Ports; len(ports) != 1 || ports[0].Name != "https-metrics" || ports[0].ContainerPort != 8443 {
		t.Errorf("the container has ports %+v", ports)
	}
	if ports := service.Spec.Ports; len(ports) != 1 || ports[0].Name != "https-metrics" || ports[0].Port != 8443 {
		t.Errorf("the Service has ports %+v", ports)
	}
	for _, probe := range []*corev1.Probe{pod.Containers[0].ReadinessProbe, pod.Containers[0].LivenessProbe} {
		if get := probe.HTTPGet; get.Scheme != corev1.URISchemeHTTPS || get.Port.StrVal != "https-metrics" {
			t.Errorf("a probe is %+v", get)
		}
	}
	// The namespace lets such a pod in.
	podFile, err := json.Marshal(corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "kubevitals", Name: "kubevitals"},
		Spec:       pod,
	})
	if err != nil {
		t.Fatal(err)
	}
	kubectl(t, control, "create", "--dry-run=server", "-f", writeFile(t, "pod.json", string(podFile)))

	comment := func(begin string) *unstructured.Unstructured {
		objects, err := controlplane.ParseManifests([]byte(snippet(t, manifest, begin)))
		if err != nil || len(objects) != 1 {
			t.Fatalf("%s: %d objects, %v", begin, len(objects), err)
		}
		return objects[0]
	}
	tlsSecret, host := pod.Volumes[0].Secret.SecretName, service.Name+"."+service.Namespace+".svc"
	certificate := comment("apiVersion: cert-manager.io/v1")
	names, _, _ := unstructured.NestedStringSlice(certificate.Object, "spec", "dnsNames")
	if s, _, _ := unstructured.NestedString(certificate.Object, "spec", "secretName"); s != tlsSecret || !slices.Contains(names, host) {
		t.Errorf("the Certificate makes Secret %s for %v, want %s for %s", s, names, tlsSecret, host)
	}
	tokenSecret := comment("apiVersion: v1")
	applyText(t, control, snippet(t, manifest, "apiVersion: v1"))
	monitor := comment("apiVersion: monitoring.coreos.com/v1")
	selector, _, _ := unstructured.NestedStringMap(monitor.Object, "spec", "selector", "matchLabels")
	for name, value := range selector {
		if service.Labels[name] != value {
			t.Errorf("the ServiceMonitor wants label %s=%s, the Service has %v", name, value, service.Labels)
		}
	}
	endpoints, _, _ := unstructured.NestedSlice(monitor.Object, "spec", "endpoints")
	endpoint := endpoints[0].(map[string]any)
	f := func(want string, path ...string) {
		t.Helper()
		if got, _, _ := unstructured.NestedString(endpoint, path...); got != want {
			t.Errorf("the ServiceMonitor has %s in %v, want %s", cmp.Or(got, "nothing"), path, want)
		}
	}
	f(service.Spec.Ports[0].Name, "port")
	f(host, "tlsConfig", "serverName")
	f(tlsSecret, "tlsConfig", "ca", "secret", "name")
	f(tokenSecret.GetName(), "authorization", "credentials", "name")
}

// scrapeByPrometheus scrapes once with a configuration of one static target. It
// returns the value of up and the number of series that the target gave.
func scrapeByPrometheus(t *testing.T, configuration string) (up float64, series int) {
	t.Helper()
	cfg, err := config.Load(configuration, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	db, err := tsdb.Open(t.TempDir(), nil, nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	// The manager scrapes when it stops, so there is no wait for the interval.
	manager, err := promscrape.NewManager(&promscrape.Options{DiscoveryReloadOnStartup: true, ScrapeOnShutdown: true},
		slog.New(slog.NewTextHandler(t.Output(), nil)), nil, nil, db, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	if err := manager.ApplyConfig(cfg); err != nil {
		t.Fatal(err)
	}
	job := cfg.ScrapeConfigs[0]
	targets := make(chan map[string][]*targetgroup.Group, 1)
	targets <- map[string][]*targetgroup.Group{job.JobName: job.ServiceDiscoveryConfigs[0].(discovery.StaticConfig)}
	ended := make(chan error, 1)
	go func() { ended <- manager.Run(targets) }()
	program.Poll(t, "Prometheus to know its target", func() error {
		if len(manager.TargetsActive()[job.JobName]) != 1 {
			return errors.New("no target yet")
		}
		return nil
	})
	manager.Stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	querier, err := db.Querier(now.Add(-time.Hour).UnixMilli(), now.UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = querier.Close() }()
	up = -1
	found := querier.Select(t.Context(), false, nil, labels.MustNewMatcher(labels.MatchEqual, "job", job.JobName))
	for found.Next() {
		if found.At().Labels().Get("__name__") != "up" {
			series++
			continue
		}
		for samples := found.At().Iterator(nil); samples.Next() != 0; {
			_, up = samples.At()
		}
	}
	if err := found.Err(); err != nil {
		t.Fatal(fmt.Errorf("reading the database of Prometheus: %w", err))
	}
	return up, series
}
