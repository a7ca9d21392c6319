package controlplane

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/gateway-api/pkg/consts"
)

// TestControlPlane runs its parts one after the other on one control plane.
func TestControlPlane(t *testing.T) {
	began := time.Now()
	if _, err := Build(t.Context()); err != nil {
		t.Fatal(err)
	}
	built := time.Now()
	control, err := Start(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("programs found or built in %s, control plane started in %s", built.Sub(began), time.Since(built))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("data and logs: %s", control.Keep())
		}
		if err := control.Stop(); err != nil {
			t.Error(err)
		}
	})
	part := func(name string, test func(*testing.T, *ControlPlane)) {
		t.Run(name, func(t *testing.T) { test(t, control) })
	}
	part("CRDs", testCRDs)
	part("Apply", testApply)
	part("ApplyMany", testApplyMany)
	part("ApplyErrors", testApplyErrors)
	part("Requests", testRequests)
	part("ServiceAccountToken", testServiceAccountToken)
	part("SignToken", testSignToken)
	part("Kubectl", testKubectl)
	part("ForeignCluster", testForeignCluster)
	part("Restart", testRestart)
}

func testCRDs(t *testing.T, control *ControlPlane) {
	paths, err := GatewayAPICRDs("standard")
	if err != nil {
		t.Fatal(err)
	}
	if err := control.InstallCRDs(t.Context(), paths...); err != nil {
		t.Fatal(err)
	}
	if err := control.Apply(t.Context(), KuadrantCRDs()); err != nil {
		t.Fatal(err)
	}
	crd := read(t, control, crdResource, "", "gateways.gateway.networking.k8s.io")
	want := map[string]string{consts.BundleVersionAnnotation: GatewayAPIVersion, consts.ChannelAnnotation: "standard"}
	for key, value := range want {
		if got := crd.GetAnnotations()[key]; got != value {
			t.Errorf("annotation %s is %q, want %q", key, got, value)
		}
	}
	// What is installed can be listed at once.
	for _, resource := range []schema.GroupVersionResource{
		{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"},
		{Group: "gateway.networking.k8s.io", Version: "v1beta1", Resource: "gateways"},
		{Group: "kuadrant.io", Version: "v1", Resource: "tlspolicies"},
		{Group: "extensions.kuadrant.io", Version: "v1alpha1", Resource: "threatpolicies"},
	} {
		if _, err := dynamicClient(t, control.Config()).Resource(resource).List(t.Context(), metav1.ListOptions{}); err != nil {
			t.Error(err)
		}
	}
}

func testRequests(t *testing.T, control *ControlPlane) {
	mark, err := control.Mark()
	skipNotOwned(t, err)
	config := control.Config()
	config.UserAgent = "requests-test"
	client := kubernetes.NewForConfigOrDie(config)
	if _, err := client.CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{Limit: 7}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().Pods("default").Get(t.Context(), "nobody", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Fatalf("got error %v, want not found", err)
	}
	watch, err := client.CoreV1().Pods("").Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	config.BearerToken = "wrong"
	if _, err := kubernetes.NewForConfigOrDie(config).Discovery().ServerVersion(); !apierrors.IsUnauthorized(err) {
		t.Fatalf("got error %v with a wrong token, want unauthorized", err)
	}

	requests, err := control.Requests(mark)
	if err != nil {
		t.Fatal(err)
	}
	var got []Request
	for _, request := range requests {
		if time.Since(request.Time) > time.Minute {
			t.Errorf("request %+v was made long ago", request)
		}
		request.Time = time.Time{}
		if request.UserAgent == "requests-test" {
			got = append(got, request)
		}
	}
	want := []Request{
		{User: "admin", Verb: "list", URI: "/api/v1/namespaces/default/pods?limit=7", Resource: "pods", Code: 200},
		{User: "admin", Verb: "get", URI: "/api/v1/namespaces/default/pods/nobody", Resource: "pods", Code: 404},
		{User: "admin", Verb: "watch", URI: "/api/v1/pods?watch=true", Resource: "pods", Code: 200, Begun: true},
		{Verb: "get", URI: "/version", Code: 401},
	}
	for i := range want {
		want[i].UserAgent = "requests-test"
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func testServiceAccountToken(t *testing.T, control *ControlPlane) {
	token, err := control.ServiceAccountToken(t.Context(), "tokens", "reader")
	if err != nil {
		t.Fatal(err)
	}
	client := tokenClient(t, control, token)
	if _, err := client.CoreV1().Pods("tokens").List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("got error %v without a role, want forbidden", err)
	}
	const role = `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: tokens}
rules: [{apiGroups: [""], resources: [pods], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: tokens}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: tokens}]
`
	if err := control.Apply(t.Context(), []byte(role)); err != nil {
		t.Fatal(err)
	}
	// The authorizer learns of the role by a watch.
	err = waitFor(t.Context(), time.Minute, "the role", func(ctx context.Context) error {
		_, err := client.CoreV1().Pods("tokens").List(ctx, metav1.ListOptions{})
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func testSignToken(t *testing.T, control *ControlPlane) {
	for _, test := range []struct {
		name string
		spec TokenSpec
		ok   func(error) bool
	}{
		{"valid", TokenSpec{}, apierrors.IsForbidden}, // known, but with no role
		{"expired", TokenSpec{Expires: time.Now().Add(-time.Hour)}, apierrors.IsUnauthorized},
		{"other audience", TokenSpec{Audiences: []string{"other"}}, apierrors.IsUnauthorized},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.spec.Namespace, test.spec.Name = "tokens", "signed"
			token, err := control.SignToken(t.Context(), test.spec)
			skipNotOwned(t, err)
			_, err = tokenClient(t, control, token).CoreV1().Pods("tokens").List(t.Context(), metav1.ListOptions{})
			if !test.ok(err) {
				t.Errorf("got error %v (reason %q)", err, apierrors.ReasonForError(err))
			}
		})
	}
}

func testKubectl(t *testing.T, control *ControlPlane) {
	out, err := control.Kubectl(t.Context(), "get", "namespace", "default", "--output=name")
	if err != nil {
		t.Fatal(err)
	}
	if want := "namespace/default\n"; out != want {
		t.Errorf("got %q, want %q", out, want)
	}
	if _, err = control.Kubectl(t.Context(), "get", "no-such-kind"); err == nil || !strings.Contains(err.Error(), "no-such-kind") {
		t.Errorf("got error %v, want what kubectl says of the kind", err)
	}
	if control.own == nil {
		return
	}
	if out, err = control.Kubectl(t.Context(), "version"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Client Version: v1.36.", "Server Version: v1.36."} {
		if !strings.Contains(out, want) {
			t.Errorf("kubectl version prints %q, want %q in it", out, want)
		}
	}
}

func testForeignCluster(t *testing.T, control *ControlPlane) {
	t.Setenv(ClusterVariable, control.Kubeconfig())
	if _, err := Start(t.Context(), Options{APIServerArgs: []string{"--v=1"}}); !errors.Is(err, ErrNotOwned) {
		t.Errorf("got error %v with flags, want ErrNotOwned", err)
	}
	foreign, err := Start(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := foreign.ServiceAccountToken(t.Context(), "tokens", "foreign"); err != nil {
		t.Error(err)
	}
	if out, err := foreign.Kubectl(t.Context(), "get", "namespace", "tokens", "-o=name"); err != nil || out != "namespace/tokens\n" {
		t.Errorf("kubectl prints %q, error %v", out, err)
	}
	_, markErr := foreign.Mark()
	_, requestsErr := foreign.Requests(0)
	_, signErr := foreign.SignToken(t.Context(), TokenSpec{})
	for what, err := range map[string]error{
		"KillAPIServer": foreign.KillAPIServer(), "StartAPIServer": foreign.StartAPIServer(t.Context()),
		"Mark": markErr, "Requests": requestsErr, "SignToken": signErr,
	} {
		if !errors.Is(err, ErrNotOwned) {
			t.Errorf("%s: got error %v, want ErrNotOwned", what, err)
		}
	}
	if err := foreign.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := kubernetes.NewForConfigOrDie(control.Config()).Discovery().ServerVersion(); err != nil {
		t.Errorf("the cluster has gone with its user: %v", err)
	}
}

func testRestart(t *testing.T, control *ControlPlane) {
	skipNotOwned(t, control.KillAPIServer())
	if err := control.KillAPIServer(); err != nil {
		t.Errorf("killing it twice: %v", err)
	}
	config := control.Config()
	namespaces := kubernetes.NewForConfigOrDie(config).CoreV1().Namespaces()
	if _, err := namespaces.Get(t.Context(), "apply", metav1.GetOptions{}); err == nil || apierrors.ReasonForError(err) != metav1.StatusReasonUnknown {
		t.Errorf("got error %v from a killed server, want a refused connection", err)
	}
	if err := control.StartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	if control.Config().Host != config.Host {
		t.Errorf("the server has moved from %s to %s", config.Host, control.Config().Host)
	}
	mark, err := control.Mark()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := namespaces.Get(t.Context(), "apply", metav1.GetOptions{}); err != nil {
		t.Errorf("with the client and the data of before: %v", err)
	}
	if requests, err := control.Requests(mark); err != nil || len(requests) == 0 {
		t.Errorf("got requests %v, error %v after the restart, want one", requests, err)
	}
	if err := control.StartAPIServer(t.Context()); err == nil {
		t.Error("a running server was started again")
	}
}

// TestStartError shows that the error of a failed start says why and that
// nothing is left.
func TestStartError(t *testing.T) {
	if os.Getenv(ClusterVariable) != "" {
		t.Skip(ErrNotOwned)
	}
	t.Setenv("TMPDIR", t.TempDir())
	_, err := Start(t.Context(), Options{APIServerArgs: []string{"--no-such-flag"}})
	if err == nil || !strings.Contains(err.Error(), "unknown flag: --no-such-flag") {
		t.Errorf("got error %v, want the end of the log", err)
	}
	left, err := os.ReadDir(os.TempDir())
	if err != nil || len(left) > 0 {
		t.Errorf("left %v, error %v", left, err)
	}
}

// read returns an object of the cluster.
func read(t *testing.T, control *ControlPlane, resource schema.GroupVersionResource, namespace, name string) *unstructured.Unstructured {
	t.Helper()
	object, err := dynamicClient(t, control.Config()).Resource(resource).Namespace(namespace).
		Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return object
}

// dynamicClient returns a client for objects of any kind.
func dynamicClient(t *testing.T, config *rest.Config) dynamic.Interface {
	t.Helper()
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// tokenClient returns a client by a kubeconfig file with a token.
func tokenClient(t *testing.T, control *ControlPlane, token string) kubernetes.Interface {
	t.Helper()
	path, err := control.KubeconfigFor(token)
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1 // no limit
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// skipNotOwned skips the test if err is ErrNotOwned and fails it on another.
func skipNotOwned(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, ErrNotOwned) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}
