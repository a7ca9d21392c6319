package cli

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"

	"github.com/kubevitals/kubevitals/internal/otlp/client"
)

// variables look names up in a list of NAME=VALUE.
func variables(env ...string) func(string) string {
	return func(name string) string {
		for _, e := range env {
			if value, ok := strings.CutPrefix(e, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

// TestOTLPNamed: only an endpoint that is not switched off asks for a push.
func TestOTLPNamed(t *testing.T) {
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT=http://h:4318"
	f := func(want bool, env ...string) {
		t.Helper()
		p, err := otlpOf(t).prepare(variables(env...), slog.New(slog.DiscardHandler), false)
		if err != nil || (p != nil) != want {
			t.Errorf("%q: pushes %t, %v", env, p != nil, err)
		}
	}
	f(false)
	f(true, endpoint)
	f(true, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://h:4318/v1/metrics")
	f(false, endpoint, "OTEL_SDK_DISABLED=TRUE")
	f(true, endpoint, "OTEL_SDK_DISABLED=no")
	f(false, endpoint, "OTEL_METRICS_EXPORTER=none")
	f(true, endpoint, "OTEL_METRICS_EXPORTER=otlp")
	f(false, "OTEL_EXPORTER_OTLP_TIMEOUT=soon", "OTEL_METRIC_EXPORT_INTERVAL=-1") // for other programs
	// A flag says it whatever the environment has switched off.
	p, err := otlpOf(t, "--otlp-endpoint=http://flag").prepare(variables("OTEL_SDK_DISABLED=true", endpoint), slog.New(slog.DiscardHandler), false)
	if err != nil || p == nil || p.target != "http://flag" {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestOTLPPrecedence: a flag counts for more than a variable, also to take back
// what that has switched on.
func TestOTLPPrecedence(t *testing.T) {
	env := client.Config{Endpoint: "http://env", AllSignals: true, Protocol: client.GRPC, Insecure: true, Plain: true, CAFile: "env", ServerName: "env", Timeout: time.Second}
	f := func(name string, ok func(c client.Config) bool, args ...string) {
		t.Helper()
		c := env
		if err := otlpOf(t, args...).config(&c); err != nil || !ok(c) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	f("nothing", func(c client.Config) bool {
		return c.Endpoint == "http://env" && c.Protocol == client.GRPC && c.Insecure && c.Plain && c.CAFile == "env" && c.ServerName == "env" && c.Timeout == time.Second
	})
	f("endpoint", func(c client.Config) bool { return c.Endpoint == "http://flag/x" && !c.AllSignals }, "--otlp-endpoint=http://flag/x")
	f("protocol", func(c client.Config) bool { return c.Protocol == client.HTTP }, "--otlp-protocol=http/protobuf")
	f("insecure", func(c client.Config) bool { return !c.Insecure && c.Plain }, "--otlp-insecure=false")
	f("plain", func(c client.Config) bool { return !c.Plain && c.Insecure }, "--otlp-plain=false")
	f("names", func(c client.Config) bool { return c.CAFile == "flag" && c.ServerName == "flag" }, "--otlp-ca=flag", "--otlp-server-name=flag")
	f("timeout", func(c client.Config) bool { return c.Timeout == 10*time.Second }, "--otlp-timeout=10s")
}

// TestOTLPEnvironmentErrors: what is wrong in the environment is said by its name,
// and what may be secret is not said.
func TestOTLPEnvironmentErrors(t *testing.T) {
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT=http://h:4318"
	f := func(want string, args []string, env ...string) {
		t.Helper()
		_, err := otlpOf(t, args...).prepare(variables(append(env, endpoint)...), slog.New(slog.DiscardHandler), false)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, want %q", env, err, want)
		}
	}
	f("OTEL_EXPORTER_OTLP_TIMEOUT", nil, "OTEL_EXPORTER_OTLP_TIMEOUT=soon")
	f("OTEL_EXPORTER_OTLP_PROTOCOL", nil, "OTEL_EXPORTER_OTLP_PROTOCOL=http/json")
	f("OTEL_EXPORTER_OTLP_COMPRESSION", nil, "OTEL_EXPORTER_OTLP_COMPRESSION=zstd")
	f("OTEL_EXPORTER_OTLP_METRICS_HEADERS", nil, "OTEL_EXPORTER_OTLP_METRICS_HEADERS=secret")
	f("OTEL_METRIC_EXPORT_INTERVAL", nil, "OTEL_METRIC_EXPORT_INTERVAL=often")
	f("OTEL_RESOURCE_ATTRIBUTES", nil, "OTEL_RESOURCE_ATTRIBUTES=x")
	f("--otlp-header number 2", []string{"--otlp-header=a=b", "--otlp-header=secret"})
	f("--otlp-object", []string{"--otlp-object==k8s.namespace.name"})
	f("--otlp-resource-attribute", []string{"--otlp-resource-attribute==x"})
	f("more than 0", []string{"--otlp-min-interval=-1s"})
}

// TestOTLPWarnings: a preference that cannot be met is said.
func TestOTLPWarnings(t *testing.T) {
	var log strings.Builder
	_, err := otlpOf(t).prepare(variables("OTEL_EXPORTER_OTLP_ENDPOINT=http://h", "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=delta"),
		slog.New(slog.NewTextHandler(&log, nil)), false)
	if err != nil || !strings.Contains(log.String(), "TEMPORALITY_PREFERENCE") {
		t.Errorf("%v, log: %s", err, &log)
	}
}

// TestOTLPIdle: each flag of pushing is refused if nothing is pushed.
func TestOTLPIdle(t *testing.T) {
	for _, arg := range []string{
		"--otlp-protocol=grpc", "--otlp-header=a=b", "--otlp-insecure", "--otlp-ca=x", "--otlp-cert=x", "--otlp-key=x", "--otlp-server-name=x",
		"--otlp-plain", "--otlp-timeout=1s", "--otlp-interval=1s", "--otlp-min-interval=1s", "--otlp-resource-attribute=a=b", "--otlp-object=a=b",
		"--otlp-semconv", "--otlp-native-histograms", "--instance-id=x", "--cluster-name=x",
	} {
		name, _, _ := strings.Cut(arg, "=")
		_, err := otlpOf(t, arg).prepare(variables(), slog.New(slog.DiscardHandler), false)
		if err == nil || err.Error() != name+" goes with --otlp-endpoint: nothing is pushed" {
			t.Errorf("%s: %v", arg, err)
		}
	}
}

// TestRedacted: what is logged of an endpoint has no passwords and no tokens.
func TestRedacted(t *testing.T) {
	for endpoint, want := range map[string]string{
		"collector:4317": "collector:4317", "https://u:secret@h:4318/v1/metrics?token=secret#secret": "https://h:4318/v1/metrics",
		"u:secret@h:4317?token=secret": "h:4317", "http://h": "http://h",
	} {
		if got := redacted(endpoint); got != want {
			t.Errorf("%s: %s, want %s", endpoint, got, want)
		}
	}
}

// TestLeaderPrepare: without --leader-elect no cluster is asked for; with it, what is
// missing is said.
func TestLeaderPrepare(t *testing.T) {
	prepare := func(cluster func() (*rest.Config, error), args ...string) (*leading, error) {
		var flags leaderFlags
		cmd := &cobra.Command{}
		flags.add(cmd, "name")
		if err := cmd.ParseFlags(args); err != nil {
			t.Fatal(err)
		}
		return flags.prepare(cluster, slog.New(slog.DiscardHandler))
	}
	none := func() (*rest.Config, error) { return nil, errors.New("there is no cluster") }
	if l, err := prepare(none); l != nil || err != nil {
		t.Errorf("not asked for: %v, %v", l, err)
	}
	if _, err := prepare(none, "--leader-elect", "--leader-elect-namespace=n"); err == nil || err.Error() != "--leader-elect: there is no cluster" {
		t.Errorf("no cluster: %v", err)
	}
	if _, err := prepare(none, "--leader-elect"); err == nil || !strings.Contains(err.Error(), "--leader-elect-namespace") {
		t.Errorf("no namespace: %v", err)
	}
	some := func() (*rest.Config, error) { return &rest.Config{Host: "http://127.0.0.1:1"}, nil }
	l, err := prepare(some, "--leader-elect", "--leader-elect-namespace=n", "--leader-elect-name=x")
	if err != nil {
		t.Fatal(err)
	}
	if got := l.instance(); got != "n/x" { // until the Lease was seen
		t.Errorf("the instance is %q", got)
	}
}
