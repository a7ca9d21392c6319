package cli

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/kubevitals/kubevitals/internal/otlp/client"
	"github.com/kubevitals/kubevitals/internal/otlp/points"
)

// otlpOf parses flags.
func otlpOf(t *testing.T, args ...string) *otlpFlags {
	t.Helper()
	f := new(otlpFlags)
	cmd := &cobra.Command{}
	f.add(cmd)
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestOTLPFlags(t *testing.T) {
	env := map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": "http://env:4318", "OTEL_EXPORTER_OTLP_HEADERS": "a=1,b=2", "OTEL_METRIC_EXPORT_INTERVAL": "30000",
		"OTEL_RESOURCE_ATTRIBUTES": "x=y", "OTEL_SERVICE_NAME": "mine",
	}
	lookup := func(name string) string { return env[name] }
	p, err := otlpOf(t).prepare(lookup, slog.New(slog.DiscardHandler), false)
	if err != nil {
		t.Fatal(err)
	}
	if p.target != "http://env:4318" || p.options.Interval != 30*time.Second || p.options.Points.Resource.Get("service.name") != "mine" || p.options.Points.Resource.Get("x") != "y" {
		t.Errorf("%+v", p)
	}
	p, err = otlpOf(t, "--otlp-endpoint=https://flag/path", "--otlp-interval=5s", "--otlp-min-interval=1s", "--otlp-resource-attribute=x=z",
		"--otlp-object=namespace=k8s.namespace.name", "--instance-id=i", "--cluster-name=c", "--otlp-dots").prepare(lookup, slog.New(slog.DiscardHandler), false)
	if err != nil {
		t.Fatal(err)
	}
	o := p.options
	if p.target != "https://flag/path" || o.Interval != 5*time.Second || o.MinInterval != time.Second || !o.Points.Dots {
		t.Errorf("%+v", p)
	}
	for key, want := range map[string]string{"x": "z", "service.instance.id": "i", "k8s.cluster.name": "c", "service.version": currentVersion()} {
		if got := o.Points.Resource.Get(key); got != want {
			t.Errorf("%s: %q", key, got)
		}
	}
	if diff := cmp.Diff([]points.ObjectKey{{Label: "namespace", Attribute: "k8s.namespace.name"}}, o.Points.Objects); diff != "" {
		t.Error(diff)
	}
}

func TestOTLPConfig(t *testing.T) {
	c := client.Config{Headers: map[string]string{"a": "env"}, CAFile: "env"}
	f := otlpOf(t, "--otlp-endpoint=http://h:4318", "--otlp-header=a=b=c", "--otlp-header=d=", "--otlp-cert=c", "--otlp-key=k", "--otlp-protocol=grpc", "--otlp-plain", "--otlp-timeout=3s")
	if err := f.config(&c); err != nil {
		t.Fatal(err)
	}
	want := client.Config{
		Endpoint: "http://h:4318", AllSignals: true, Protocol: client.GRPC, Headers: map[string]string{"a": "b=c", "d": ""},
		Timeout: 3 * time.Second, Plain: true, CAFile: "env", CertFile: "c", KeyFile: "k", UserAgent: userAgent(),
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
	for endpoint, all := range map[string]bool{"h:4317": true, "http://h": true, "http://h/": true, "http://h/v1/metrics": false} {
		var c client.Config
		if err := otlpOf(t, "--otlp-endpoint", endpoint).config(&c); err != nil || c.AllSignals != all {
			t.Errorf("%s: %+v %v", endpoint, c, err)
		}
	}
}

// TestOTLPErrors: what is wrong is said in the words of flags.
func TestOTLPErrors(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		_, err := otlpOf(t, args...).prepare(func(string) string { return "" }, slog.New(slog.DiscardHandler), false)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", args, err)
		}
	}
	f("--otlp-dots goes with --otlp-endpoint", "--otlp-dots")
	f("--otlp-endpoint: ", "--otlp-endpoint=ftp://h")
	f(`--otlp-protocol "tcp": expected grpc or http/protobuf`, "--otlp-endpoint=http://h", "--otlp-protocol=tcp")
	f("--otlp-header", "--otlp-endpoint=http://h", "--otlp-header=x")
	f("expected NAME=VALUE", "--otlp-endpoint=http://h", "--otlp-resource-attribute=x")
	f("expected LABEL=ATTRIBUTE", "--otlp-endpoint=http://h", "--otlp-object=namespace")
	f("more than 0", "--otlp-endpoint=http://h", "--otlp-interval=0s")
	if p, err := otlpOf(t).prepare(func(string) string { return "" }, slog.New(slog.DiscardHandler), false); p != nil || err != nil {
		t.Errorf("nothing asked for: %v, %v", p, err)
	}
	if p, err := otlpOf(t, "--otlp-dots").prepare(func(string) string { return "" }, slog.New(slog.DiscardHandler), true); p != nil || err != nil {
		t.Errorf("another pushes: %v, %v", p, err)
	}
}

func TestLeaderFlags(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		var flags leaderFlags
		cmd := &cobra.Command{}
		flags.add(cmd, "name")
		if err := cmd.ParseFlags(args); err != nil {
			t.Fatal(err)
		}
		err := flags.check()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", args, err)
		}
	}
	f("")
	f("", "--leader-elect")
	f("--leader-elect-name goes with --leader-elect", "--leader-elect-name=x")
	f("longer than the renew deadline", "--leader-elect", "--leader-elect-lease-duration=5s")
	f("longer than the retry period", "--leader-elect", "--leader-elect-retry-period=12s")
}
