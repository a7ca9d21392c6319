package monitoring

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubevitals/kubevitals/test/podtest"
	"github.com/kubevitals/kubevitals/test/program"
	"github.com/kubevitals/kubevitals/test/promtest"
)

// allGroups are the opt-in groups of all catalogs.
const allGroups = "reasons,transitions,generations,routes,backends,matches,gateways,tls,dns,annotations,crds,ages,health,resources"

// lab is a Prometheus that has scraped several kubevitals processes.
type lab struct {
	prom *promtest.Server
	// at is when queries are evaluated.
	at time.Time
	// state has the objects of the catalogs gateway-api, kuadrant and kyma, conditions
	// those of the catalog conditions.
	state, conditions []object
	pods              []labPod
	processes         map[string]*program.Process // by job
}

// newLab starts, for as long as the test:
//
//   - files: kubevitals state with the sample cluster and broken objects, from files
//   - conditions: the same, with other objects and the catalog conditions
//   - cluster: kubevitals state that watches an API server with TLS and tokens, leads,
//     and pushes; two kinds are forbidden to it
//   - pods: kubevitals pods with good pods and bad ones
//
// Each is scraped twice, as rates need.
func newLab(t *testing.T) *lab {
	t.Helper()
	prepare(t)
	l := &lab{prom: promtest.New(t), processes: map[string]*program.Process{}}
	state := []string{filepath.Join("..", "..", "internal", "cli", "demo", "cluster.yaml")}
	for _, name := range []string{"classes", "modules"} {
		state = append(state, filepath.Join("testdata", name+".yaml"))
	}
	for _, c := range copies {
		for _, name := range c.files {
			if name != "routes" {
				state = append(state, c.write(t, name, ""))
				continue
			}
			for _, k := range routeKinds {
				state = append(state, c.write(t, name, k.kind))
			}
		}
	}
	l.state = readObjects(t, state...)
	l.conditions = readObjects(t, filepath.Join("testdata", "objects.yaml"))

	args := []string{
		"state", "--catalog", "gateway-api,kuadrant,kyma", "--enable", strings.ReplaceAll(allGroups, ",ages,health", ""),
		"--rules", filepath.Join("testdata", "failing-rule.yaml"),
	}
	for _, file := range state {
		args = append(args, "--from", file)
	}
	l.start(t, "files", args...)
	l.start(t, "conditions", "state", "--catalog", "conditions", "--enable", "reasons,transitions,generations,ages,health",
		"--from", filepath.Join("testdata", "objects.yaml"))
	token := l.startCluster(t)
	l.startPods(t)
	l.scrape(t, token)
	return l
}

func (l *lab) start(t *testing.T, job string, args ...string) {
	t.Helper()
	p := program.Start(t, binary, args...)
	p.WaitReady(t)
	l.processes[job] = p
}

// instance is the label instance of a process.
func (l *lab) instance(job string) string {
	_, address, _ := strings.Cut(l.processes[job].URL, "://")
	return address
}

// scrape scrapes all processes twice.
func (l *lab) scrape(t *testing.T, token string) {
	t.Helper()
	var b strings.Builder
	b.WriteString("scrape_configs:\n")
	for job, p := range l.processes {
		scheme, _, _ := strings.Cut(p.URL, "://")
		fmt.Fprintf(&b, `
- job_name: %s
  scheme: %s
  scrape_interval: 10m
  scrape_timeout: 30s
  honor_labels: true
  tls_config: {insecure_skip_verify: true}
  static_configs: [{targets: [%q]}]
`, job, scheme, l.instance(job))
		if scheme == "https" {
			fmt.Fprintf(&b, "  authorization: {credentials: %q}\n", token)
		}
	}
	for range 2 {
		l.prom.Run(t, b.String(), len(l.processes))
	}
	// Whole seconds that are not before the samples.
	l.at = time.Now().Truncate(time.Second).Add(time.Second)
	up, err := l.prom.Query(t.Context(), `up{k8s_pod_name=""} == 1`, l.at)
	if err != nil || len(up) != len(l.processes) {
		t.Fatalf("of %d processes these are up: %v, %v; log of Prometheus:\n%s", len(l.processes), up, err, l.prom.Log())
	}
}

// startCluster starts the process that watches an API server, and returns a token
// that may scrape it. TCPRoutes and UDPRoutes are forbidden to the process.
func (l *lab) startCluster(t *testing.T) string {
	t.Helper()
	if err := control.Apply(t.Context(), []byte(roles)); err != nil {
		t.Fatal(err)
	}
	tokens := map[string]string{}
	for _, account := range []string{"kubevitals", "reader"} {
		token, err := control.ServiceAccountToken(t.Context(), "monitoring", account)
		if err != nil {
			t.Fatal(err)
		}
		tokens[account] = token
	}
	kubeconfig, err := control.KubeconfigFor(tokens["kubevitals"])
	if err != nil {
		t.Fatal(err)
	}
	// Another Prometheus: what is pushed would else be there twice.
	receiver := httptest.NewServer(promtest.New(t).OTLP())
	t.Cleanup(receiver.Close)
	p := program.Start(t, binary, "state", "--kubeconfig", kubeconfig, "--auth", "kubernetes", "--tls-self-signed",
		"--leader-elect", "--leader-elect-namespace", "monitoring", "--otlp-endpoint", receiver.URL+promtest.OTLPPath,
		"--otlp-interval", "1s", "--otlp-min-interval", "1s")
	p.WaitReady(t)
	l.processes["cluster"] = p
	header := http.Header{"Authorization": {"Bearer " + tokens["reader"]}}
	program.Poll(t, "a push to be taken", func() error {
		code, body := p.Get(t, "/metrics", header)
		if code != http.StatusOK || !strings.Contains(string(body), "kubevitals_otlp_last_success_timestamp_seconds ") {
			return fmt.Errorf("%d %s", code, body)
		}
		return nil
	})
	return tokens["reader"]
}

const roles = `
apiVersion: v1
kind: Namespace
metadata: {name: monitoring}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: monitoring-kubevitals}
rules:
- apiGroups: [gateway.networking.k8s.io]
  resources: [gatewayclasses, gateways, listenersets, httproutes, grpcroutes, tlsroutes, backendtlspolicies, referencegrants]
  verbs: [list, watch]
- apiGroups: [gateway.networking.x-k8s.io]
  resources: ["*"]
  verbs: [list, watch]
- {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, create, update]}
- {apiGroups: [authentication.k8s.io], resources: [tokenreviews], verbs: [create]}
- {apiGroups: [authorization.k8s.io], resources: [subjectaccessreviews], verbs: [create]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: monitoring-reader}
rules:
- {nonResourceURLs: [/metrics], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: monitoring-kubevitals}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: monitoring-kubevitals}
subjects: [{kind: ServiceAccount, name: kubevitals, namespace: monitoring}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: monitoring-reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: monitoring-reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: monitoring}]
`

// labPod is a pod and its targets.
type labPod struct {
	name    string
	handler http.Handler
	targets []labTarget
	server  *podtest.Pod
}

// labTarget is what a scrape of a target must give.
type labTarget struct {
	path                string // if the pod has several targets, which then have labels to tell them apart
	reason              string // why it is down, or empty
	code                float64
	samples, duplicates float64
}

const podNamespace = "lab-pods"

// startPods creates pods, and starts the process that scrapes them.
func (l *lab) startPods(t *testing.T) {
	t.Helper()
	unavailable := podtest.Answer{Status: http.StatusServiceUnavailable, Body: []byte("not now")}
	l.pods = []labPod{
		{name: "good", handler: podtest.Body("# TYPE jobs gauge\njobs{queue=\"a\"} 1\njobs{queue=\"b\"} 2\n# TYPE tasks gauge\ntasks 1\n"), targets: []labTarget{{code: 200, samples: 3}}},
		{name: "again", handler: podtest.Body("jobs 1\njobs 1\n"), targets: []labTarget{{code: 200, samples: 2, duplicates: 1}}},
		{name: "counter", handler: podtest.Body("# TYPE jobs counter\njobs 7\n# TYPE tasks counter\ntasks 1\n"), targets: []labTarget{{code: 200, samples: 2}}},
		{name: "page", handler: podtest.Answer{ContentType: "text/html", Body: []byte("<html>")}, targets: []labTarget{{code: 200, reason: "content_type"}}},
		{name: "later", handler: unavailable, targets: []labTarget{{code: 503, reason: "http_503"}}},
		{name: "several", handler: podtest.ByPath{"/metrics": podtest.Body("jobs 1\njobs 1\njobs 2\n"), "/late": unavailable}, targets: []labTarget{
			{path: "/metrics", code: 200, samples: 3, duplicates: 2}, {path: "/late", code: 503, reason: "http_503"},
		}},
	}
	client, err := kubernetes.NewForConfig(control.Config())
	if err != nil {
		t.Fatal(err)
	}
	if err := control.Apply(t.Context(), []byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: "+podNamespace+"}\n")); err != nil {
		t.Fatal(err)
	}
	targets := 0
	for i := range l.pods {
		p := &l.pods[i]
		p.server = podtest.Start(t, p.handler)
		p.create(t, client)
		targets += len(p.targets)
	}
	l.start(t, "pods", "pods", "--kubeconfig", control.Kubeconfig(), "--namespaces", podNamespace, "--selector", "app=lab", "--pod-cidr", "127.0.0.0/8")
	program.Poll(t, "all pods to be targets", func() error {
		_, body := l.processes["pods"].Get(t, "/sd", nil)
		var found []json.RawMessage
		if err := json.Unmarshal(body, &found); err != nil || len(found) != targets {
			return fmt.Errorf("%d targets: %s", len(found), body)
		}
		return nil
	})
}

func (p *labPod) create(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	var ports []string
	for _, target := range p.targets {
		ports = append(ports, p.server.Port()+":"+target.path)
	}
	pods := client.CoreV1().Pods(podNamespace)
	created, err := pods.Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: p.name, Labels: map[string]string{"app": "lab"},
			Annotations: map[string]string{"prometheus.io/scrape": "true", "prometheus.io/port": strings.TrimRight(strings.Join(ports, ","), ":")},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "main", Image: "example.com/lab", Ports: []corev1.ContainerPort{{ContainerPort: int32(p.server.Addr.Port())}},
		}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	created.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: p.server.IP(), PodIPs: []corev1.PodIP{{IP: p.server.IP()}}}
	if _, err := pods.UpdateStatus(t.Context(), created, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// namespace is a namespace that gets objects of testdata.
type namespace struct {
	name  string
	files []string
	swap  []string // pairs of names, to be the other way round
}

// copies are namespaces with objects of the same names. What is broken in one is not in
// another, so that a query that does not keep namespaces apart is found out.
var copies = []namespace{
	{name: "lab", files: []string{"gateways", "routes", "policies"}},
	{name: "twin", files: []string{"gateways", "routes", "policies"}, swap: []string{
		"name: orphan", "name: partial", "name: shop-public", "name: classless", "name: https", "name: late",
	}},
	{name: "plain", files: []string{"gateways", "routes"}},
}

// write writes a file of testdata for the namespace, with a kind where it leaves that
// open, and returns where.
func (n namespace) write(t *testing.T, name, kind string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	pairs := []string{"kind: KIND", "kind: " + kind, "namespace: lab", "namespace: " + n.name}
	for i := 0; i < len(n.swap); i += 2 {
		pairs = append(pairs, n.swap[i], n.swap[i+1], n.swap[i+1], n.swap[i])
	}
	file := filepath.Join(t.TempDir(), name+kind+".yaml")
	if err := os.WriteFile(file, []byte(strings.NewReplacer(pairs...).Replace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
