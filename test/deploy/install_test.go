package deploy_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevitals/kubevitals/test/program"
)

// installed is a part of the chart in a namespace of the cluster, with a process in
// the place of its pod.
type installed struct {
	namespace, name string
	process         *program.Process
	pod             corev1.PodTemplateSpec
}

// install applies the chart and runs what its Deployment says, with the token of its
// ServiceAccount, and its Secrets and ConfigMaps as files. name is that of the
// Deployment. The pod and the EndpointSlice of its Service are made as the
// controllers of a cluster would make them.
func install(t *testing.T, namespace, name, manifests string) *installed {
	t.Helper()
	kubectl(t, "create", "namespace", namespace)
	kubectl(t, "label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
	apply(t, manifests)
	x := &installed{namespace: namespace, name: name}
	var w struct {
		Spec struct{ Template corev1.PodTemplateSpec }
	}
	x.read(t, "deployment", name, &w)
	x.pod = w.Spec.Template
	x.start(t)
	x.admit(t)
	x.endpoint(t)
	return x
}

// read reads an object.
func (x *installed) read(t *testing.T, kind, name string, into any) {
	t.Helper()
	out := kubectl(t, "get", kind, name, "--namespace", x.namespace, "--output=json")
	if err := json.Unmarshal([]byte(out), into); err != nil {
		t.Fatal(err)
	}
}

// start runs the container.
func (x *installed) start(t *testing.T) {
	t.Helper()
	container := x.pod.Spec.Containers[0]
	args := strings.Join(container.Args, "\n")
	for _, v := range x.pod.Spec.Volumes {
		dir := x.mount(t, v)
		for _, m := range container.VolumeMounts {
			if m.Name == v.Name {
				args = strings.ReplaceAll(args, m.MountPath, dir)
			}
		}
	}
	token, err := control.ServiceAccountToken(t.Context(), x.namespace, x.pod.Spec.ServiceAccountName)
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := control.KubeconfigFor(token)
	if err != nil {
		t.Fatal(err)
	}
	x.process = program.Start(t, binary, append(strings.Split(args, "\n"), "--kubeconfig", kubeconfig)...)
}

// mount writes a volume to files.
func (x *installed) mount(t *testing.T, v corev1.Volume) (dir string) {
	t.Helper()
	dir = t.TempDir()
	files := make(map[string][]byte)
	switch {
	case v.Secret != nil:
		var secret corev1.Secret
		x.read(t, "secret", v.Secret.SecretName, &secret)
		files = secret.Data
	case v.ConfigMap != nil:
		var m corev1.ConfigMap
		x.read(t, "configmap", v.ConfigMap.Name, &m)
		for name, text := range m.Data {
			files[name] = []byte(text)
		}
	default:
		t.Fatalf("the volume %s is neither a Secret nor a ConfigMap", v.Name)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// port is where the process listens.
func (x *installed) port() string {
	return x.process.URL[strings.LastIndex(x.process.URL, ":")+1:]
}

// admit creates the pod: the namespace, which is restricted, must let it in. Its
// container port is where the process listens.
func (x *installed) admit(t *testing.T) {
	t.Helper()
	pod := corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: x.namespace, Name: x.name, Labels: x.pod.Labels, Annotations: x.pod.Annotations},
		Spec:       x.pod.Spec,
	}
	pod.Spec.NodeName = "node"
	if _, err := fmt.Sscan(x.port(), &pod.Spec.Containers[0].Ports[0].ContainerPort); err != nil {
		t.Fatal(err)
	}
	pod.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: "127.0.0.1", PodIPs: []corev1.PodIP{{IP: "127.0.0.1"}},
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
	}
	data, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	if err := control.Apply(t.Context(), data); err != nil {
		t.Fatal(err)
	}
}

// endpoint creates the EndpointSlice. The API server takes no loopback address in
// one, so it has one that is for documentation, and who scrapes has to put the
// other in its place.
func (x *installed) endpoint(t *testing.T) {
	t.Helper()
	service := x.name + "-metrics-service"
	apply(t, fmt.Sprintf(`
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: %[1]s
  namespace: %[2]s
  labels: {kubernetes.io/service-name: %[1]s}
addressType: IPv4
ports: [{name: %[3]s, port: %[4]s, protocol: TCP}]
endpoints:
- addresses: [192.0.2.1]
  conditions: {ready: true}
  targetRef: {kind: Pod, name: %[5]s, namespace: %[2]s}
`, service, x.namespace, x.pod.Spec.Containers[0].Ports[0].Name, x.port(), x.name))
}
