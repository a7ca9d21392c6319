package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cluster is a cluster as a watcher knows it, inside a bubble of time.
type cluster struct {
	t      *testing.T
	client *fake.FakeDynamicClient
	w      *Watcher
	log    *bytes.Buffer

	mu  sync.Mutex
	got string
	n   int // how often it was told
}

var someError = apierrors.NewInternalError(fmt.Errorf("broken"))

func refusal(resource, name string) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: resource}, name, fmt.Errorf("no"))
}

// newCluster watches a cluster with objects. prepare may change how it answers.
func newCluster(t *testing.T, prepare func(*fake.FakeDynamicClient), objects ...runtime.Object) *cluster {
	t.Helper()
	kinds := map[schema.GroupVersionResource]string{secretResource: "SecretList"}
	for _, v := range versions {
		kinds[resourceOf(v)] = "MetricPipelineList"
	}
	c := &cluster{t: t, client: fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds, objects...), log: new(bytes.Buffer)}
	if prepare != nil {
		prepare(c.client)
	}
	c.w = newWatcher(c.client, slog.New(slog.NewTextHandler(c.log, nil)))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- c.w.Watch(ctx, c.tell) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return c
}

func (c *cluster) tell(all []Pipeline) {
	var out []string
	for _, p := range all {
		s := fmt.Sprintf("%s %t", p.Name, p.Kyma)
		if p.Output != nil {
			s += " " + p.Output.Client.Endpoint
		}
		if p.Err != nil {
			s += " " + p.Err.Error()
		}
		out = append(out, s)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got, c.n = strings.Join(out, "; "), c.n+1
}

// check compares what is known when nothing happens any more.
func (c *cluster) check(want string) {
	c.t.Helper()
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.got != want {
		c.t.Errorf("got  %s\nwant %s", c.got, want)
	}
}

// failure is what requests are answered by. Without an error they get what they ask
// for.
type failure struct {
	mu  sync.Mutex
	err error
}

func (f *failure) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// of has the failure answer some requests.
func (f *failure) of(client *fake.FakeDynamicClient, verb, resource string) {
	client.PrependReactor(verb, resource, func(clienttesting.Action) (bool, runtime.Object, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.err != nil, nil, f.err
	})
}

func pipelineObject(spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": group + "/v1beta1", "kind": kind, "metadata": map[string]any{"name": "p", "generation": int64(1)}, "spec": spec,
	}}
}

// withSecret is a spec whose endpoint is in a Secret.
func withSecret() map[string]any {
	return map[string]any{"output": map[string]any{"otlp": map[string]any{"endpoint": map[string]any{
		"valueFrom": map[string]any{"secretKeyRef": map[string]any{"namespace": "ns", "name": "s", "key": "k"}},
	}}}}
}

func secretObject(text string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "s", "namespace": "ns"}, "data": map[string]any{"k": text},
	}}
}

func (c *cluster) setSecret(text string) {
	c.t.Helper()
	if _, err := c.client.Resource(secretResource).Namespace("ns").Update(c.t.Context(), secretObject(text), metav1.UpdateOptions{}); err != nil {
		c.t.Fatal(err)
	}
}

// TestSecretsWithoutWatch reads Secrets every minute where they may not be watched,
// and keeps what it knows while there is no answer.
func TestSecretsWithoutWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f failure
		c := newCluster(t, func(client *fake.FakeDynamicClient) {
			client.PrependWatchReactor("secrets", clienttesting.DefaultWatchReactor(nil, refusal("secrets", "s")))
			f.of(client, "get", "secrets")
		}, pipelineObject(withSecret()), secretObject("YQ==")) // a
		c.check("p false a")
		c.setSecret("Yg==") // b
		c.check("p false a")
		time.Sleep(time.Minute)
		c.check("p false b")

		f.set(someError)
		c.setSecret("Yw==") // c
		time.Sleep(time.Minute)
		c.check("p false b")
		f.set(nil)
		time.Sleep(5 * time.Second) // sooner than in a minute
		c.check("p false c")

		f.set(refusal("secrets", "s"))
		time.Sleep(time.Minute)
		c.check(`p false metricpipeline p: spec.output.otlp.endpoint: Secret ns/s, key "k": secrets "s" is forbidden: no: a Role in namespace "ns" must allow get of it`)
		f.set(nil)
		c.setSecret("YSBi?")
		time.Sleep(time.Minute)
		c.check(`p false metricpipeline p: spec.output.otlp.endpoint: Secret ns/s, key "k": its data are not base64`)
		if c.n != 5 {
			t.Errorf("told %d times", c.n)
		}
	})
}

// TestSecretsWithWatch knows a change of a Secret at once, and forgets Secrets that
// are not referred to any more.
func TestSecretsWithWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, nil, pipelineObject(withSecret()), secretObject("YQ=="))
		c.check("p false a")
		c.setSecret("Yg==")
		c.check("p false b")
		update(t, c, pipelineObject(map[string]any{"input": map[string]any{"kyma": map[string]any{"enabled": true}}}))
		c.check("p true")
		if n := len(c.w.secrets.known); n != 0 {
			t.Errorf("%d Secrets are kept", n)
		}
	})
}

func update(t *testing.T, c *cluster, u *unstructured.Unstructured) {
	t.Helper()
	if _, err := c.client.Resource(resourceOf("v1beta1")).Update(t.Context(), u, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestNotReadable is not synced until it may list, and does not forget what it knows.
func TestNotReadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &failure{err: refusal(resource, "")}
		c := newCluster(t, func(client *fake.FakeDynamicClient) { f.of(client, "list", resource) }, pipelineObject(nil))
		time.Sleep(30 * time.Second)
		c.check("")
		if err := c.w.Synced(t.Context()); err == nil || !strings.Contains(err.Error(), "a ClusterRole must allow get, list and watch") {
			t.Errorf("synced: %v", err)
		}
		if n := strings.Count(c.log.String(), "cannot be read"); n != 1 {
			t.Errorf("%d lines:\n%s", n, c.log)
		}
		f.set(nil)
		time.Sleep(maxRetry * 2 * time.Second)
		c.check("p false")
		if err := c.w.Synced(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestReport: who else writes a status costs another attempt, and what cannot be
// written is not tried each time.
func TestReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f failure
		attempts := 0
		c := newCluster(t, func(client *fake.FakeDynamicClient) {
			f.of(client, "update", resource)
			client.PrependReactor("update", resource, func(a clienttesting.Action) (bool, runtime.Object, error) {
				if a.GetSubresource() == "status" {
					attempts++
				}
				if attempts == 1 {
					return true, nil, apierrors.NewConflict(schema.GroupResource{Resource: resource}, "p", fmt.Errorf("changed"))
				}
				return false, nil, nil
			})
		}, pipelineObject(nil))
		c.check("p false")
		report := func(reason string, want int) error {
			t.Helper()
			synctest.Wait()
			err := c.w.Report(t.Context(), "p", Condition{Status: "True", Reason: reason, Message: strings.Repeat("é", 2000)})
			if attempts != want {
				t.Errorf("%s: %d attempts, want %d", reason, attempts, want)
			}
			return err
		}
		for _, x := range []struct {
			reason   string
			err      error
			pause    time.Duration
			attempts int
			failed   bool
		}{
			{reason: "A", attempts: 2},
			{reason: "A", attempts: 2},
			{reason: "B", err: someError, attempts: 3, failed: true},
			{reason: "B", attempts: 4},
			{reason: "C", err: refusal(resource, "p"), attempts: 5},
			{reason: "C", err: refusal(resource, "p"), attempts: 5},
			{reason: "C", pause: forbidden, attempts: 6},
			{reason: "C", attempts: 6},
			{reason: "D", err: apierrors.NewNotFound(schema.GroupResource{Resource: resource}, "p"), attempts: 7},
		} {
			time.Sleep(x.pause)
			f.set(x.err)
			if got := report(x.reason, x.attempts); (got != nil) != x.failed {
				t.Errorf("%+v: %v", x, got)
			}
		}
		if n := strings.Count(c.log.String(), "cannot be written"); n != 1 {
			t.Errorf("%d lines:\n%s", n, c.log)
		}
	})
}
