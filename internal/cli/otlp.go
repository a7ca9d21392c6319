package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubevitals/kubevitals/internal/otlp"
	"github.com/kubevitals/kubevitals/internal/otlp/client"
	"github.com/kubevitals/kubevitals/internal/otlp/points"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

// otlpFlags are the flags of pushing, of every command that serves.
type otlpFlags struct {
	set *pflag.FlagSet

	endpoint, protocol    string
	headers, attributes   []string
	insecure, plain       bool
	ca, cert, key, server string
	timeout               time.Duration
	interval, minInterval time.Duration
	objects               []string
	dots, semconv, native bool
	instance              string
	clusterName           string
}

func (f *otlpFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	f.set = flags
	flags.StringVar(&f.endpoint, "otlp-endpoint", "", "push to an OpenTelemetry receiver as well: a URL, or HOST:PORT for gRPC with TLS (default $OTEL_EXPORTER_OTLP_METRICS_ENDPOINT, $OTEL_EXPORTER_OTLP_ENDPOINT, or no push)")
	flags.StringVar(&f.protocol, "otlp-protocol", "", "how to push: grpc or http/protobuf (default by the endpoint: gRPC without a scheme or with port 4317, else HTTP)")
	flags.StringArrayVar(&f.headers, "otlp-header", nil, "header of each push, NAME=VALUE (repeatable)")
	flags.BoolVar(&f.insecure, "otlp-insecure", false, "no TLS for an endpoint without a scheme")
	flags.StringVar(&f.ca, "otlp-ca", "", "file with the certificates to trust, instead of the system's")
	flags.StringVar(&f.cert, "otlp-cert", "", "file with the certificate to show")
	flags.StringVar(&f.key, "otlp-key", "", "file with its key")
	flags.StringVar(&f.server, "otlp-server-name", "", "name that the receiver's certificate must be of (default the endpoint's host)")
	flags.BoolVar(&f.plain, "otlp-plain", false, "do not compress")
	flags.DurationVar(&f.timeout, "otlp-timeout", client.DefaultTimeout, "how long a push may take")
	flags.DurationVar(&f.interval, "otlp-interval", time.Minute, "how far apart two pushes are at most")
	flags.DurationVar(&f.minInterval, "otlp-min-interval", 5*time.Second, "how far apart two pushes are at least when much changes")
	flags.StringArrayVar(&f.attributes, "otlp-resource-attribute", nil, "attribute of the resource, NAME=VALUE (repeatable)")
	flags.StringArrayVar(&f.objects, "otlp-object", nil, "make each object a resource of its own that has a label as an attribute, LABEL=ATTRIBUTE, such as namespace=k8s.namespace.name (repeatable)")
	flags.BoolVar(&f.dots, "otlp-dots", false, "write names with dots instead of underscores")
	flags.BoolVar(&f.semconv, "otlp-semconv", false, "push state sets as sums that can go down, as OpenTelemetry's conventions for Kubernetes do")
	flags.BoolVar(&f.native, "otlp-native-histograms", false, "push native histograms as exponential ones, and the times since which is counted; it costs more")
	flags.StringVar(&f.instance, "instance-id", "", "service.instance.id of what is pushed; the same for all replicas (default the Lease's with --leader-elect, else the hostname)")
	flags.StringVar(&f.clusterName, "cluster-name", "", "k8s.cluster.name of what is pushed")
	fixedValues(cmd, "otlp-protocol", string(client.GRPC), string(client.HTTP))
}

// pushing is what is needed for a push.
type pushing struct {
	client  client.Client
	options otlp.Options
	target  string
}

// prepare returns what the flags and the environment ask for, nil if that is no
// push.
func (f *otlpFlags) prepare(lookup func(string) string, log *slog.Logger, others bool) (*pushing, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	if f.endpoint == "" && !named(lookup) {
		if others {
			return nil, nil
		}
		return nil, f.idle()
	}
	env, err := otlp.FromEnvironment(lookup)
	if err != nil {
		return nil, err
	}
	config := env.Client
	for _, w := range env.Warnings {
		log.Warn("Environment", "hint", w)
	}
	if err := f.config(&config); err != nil {
		return nil, err
	}
	opts := f.options(env, log)
	c, err := client.New(config)
	if err != nil {
		return nil, fmt.Errorf("--otlp-endpoint: %w", err)
	}
	opts.Client = c
	return &pushing{client: c, options: opts, target: config.Endpoint}, nil
}

// options returns those of any push, as the flags say and else the environment.
func (f *otlpFlags) options(env otlp.Environment, log *slog.Logger) otlp.Options {
	resource, _ := f.resource(env.Resource) // check has told what is wrong
	objects, _ := f.objectKeys()
	interval := f.interval
	if env.Interval > 0 && !f.set.Changed("otlp-interval") {
		interval = env.Interval
	}
	return otlp.Options{
		Points: points.Options{
			Naming: points.Naming{Dots: f.dots, Semconv: f.semconv}, Resource: resource, Version: currentVersion(), Objects: objects,
		},
		Records: f.native, Interval: interval, MinInterval: f.minInterval, Logger: log,
	}
}

// others returns the options of pushes that have an endpoint of their own. What the
// environment says of endpoints does not matter to them.
func (f *otlpFlags) others(lookup func(string) string, log *slog.Logger) (otlp.Options, error) {
	env, err := otlp.FromEnvironment(func(name string) string {
		if strings.HasPrefix(name, "OTEL_EXPORTER_OTLP_") {
			return ""
		}
		return lookup(name)
	})
	return f.options(env, log), err
}

// check reports what is wrong with flags, whatever is pushed.
func (f *otlpFlags) check() error {
	if f.interval <= 0 || f.minInterval <= 0 {
		return errors.New("--otlp-interval, --otlp-min-interval: expected times that are more than 0")
	}
	if _, err := f.resource(nil); err != nil {
		return err
	}
	_, err := f.objectKeys()
	return err
}

// named reports whether the environment wants a push. What else it says matters
// only then: others may have put it there for other programs.
func named(lookup func(string) string) bool {
	endpoint := cmp.Or(lookup("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"), lookup("OTEL_EXPORTER_OTLP_ENDPOINT"))
	return endpoint != "" && !strings.EqualFold(lookup("OTEL_SDK_DISABLED"), "true") && lookup("OTEL_METRICS_EXPORTER") != "none"
}

// idle reports flags that have no effect, as nothing is pushed.
func (f *otlpFlags) idle() (err error) {
	f.set.Visit(func(flag *pflag.Flag) {
		pushing := strings.HasPrefix(flag.Name, "otlp-") || flag.Name == "instance-id" || flag.Name == "cluster-name"
		if pushing && err == nil {
			err = fmt.Errorf("--%s goes with --otlp-endpoint: nothing is pushed", flag.Name)
		}
	})
	return err
}

// config puts what the flags say in the place of what the environment says.
func (f *otlpFlags) config(c *client.Config) error {
	if f.endpoint != "" {
		c.Endpoint, c.AllSignals = f.endpoint, !hasPath(f.endpoint)
	}
	switch client.Protocol(f.protocol) {
	case "":
	case client.GRPC, client.HTTP:
		c.Protocol = client.Protocol(f.protocol)
	default:
		return fmt.Errorf("--otlp-protocol %q: expected grpc or http/protobuf", f.protocol)
	}
	for i, h := range f.headers {
		name, value, ok := strings.Cut(h, "=")
		if !ok || name == "" {
			return fmt.Errorf("--otlp-header number %d: expected NAME=VALUE", i+1) // it may be secret
		}
		if c.Headers == nil {
			c.Headers = make(map[string]string)
		}
		c.Headers[name] = value
	}
	if f.set.Changed("otlp-insecure") {
		c.Insecure = f.insecure
	}
	if f.set.Changed("otlp-plain") {
		c.Plain = f.plain
	}
	c.CAFile, c.CertFile, c.KeyFile = cmp.Or(f.ca, c.CAFile), cmp.Or(f.cert, c.CertFile), cmp.Or(f.key, c.KeyFile)
	c.ServerName, c.UserAgent = cmp.Or(f.server, c.ServerName), userAgent()
	if f.set.Changed("otlp-timeout") || c.Timeout == 0 {
		c.Timeout = f.timeout
	}
	return nil
}

// hasPath reports whether a URL says more than where the receiver is.
func hasPath(endpoint string) bool {
	_, rest, hasScheme := strings.Cut(endpoint, "://")
	_, path, _ := strings.Cut(rest, "/")
	return hasScheme && path != ""
}

func (f *otlpFlags) resource(out points.Attributes) (points.Attributes, error) {
	for _, a := range f.attributes {
		name, value, ok := strings.Cut(a, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--otlp-resource-attribute %q: expected NAME=VALUE", a)
		}
		out = out.With(name, value)
	}
	if out.Get("service.version") == "" {
		out = out.With("service.version", currentVersion())
	}
	return out.With("service.instance.id", f.instance, "k8s.cluster.name", f.clusterName), nil
}

func (f *otlpFlags) objectKeys() (out []points.ObjectKey, err error) {
	for _, o := range f.objects {
		label, attribute, ok := strings.Cut(o, "=")
		if !ok || label == "" || attribute == "" {
			return nil, fmt.Errorf("--otlp-object %q: expected LABEL=ATTRIBUTE, such as namespace=k8s.namespace.name", o)
		}
		out = append(out, points.ObjectKey{Label: label, Attribute: attribute})
	}
	return out, nil
}

// pusher makes one that pushes what an Operator serves, but for what except
// names, while this process leads. c may be nil.
func (x *pushing) pusher(op *operator.Operator, leads *leading, c changing, except ...string) (*otlp.Pusher, error) {
	opts := x.options
	opts.Source = func(ctx context.Context, f exposition.Format) (*operator.Snapshot, error) {
		return snapshot(ctx, op, f, c, operator.Except(except...))
	}
	opts.Instance = hostname
	if leads != nil {
		opts.Leader, opts.Instance = leads.elector.Term, leads.instance
	}
	return otlp.New(opts)
}

// snapshot takes one that is whole: what a collector has had before, or an API
// server that does not answer, must not end.
func snapshot(ctx context.Context, op *operator.Operator, f exposition.Format, c changing, which operator.RouteOption) (*operator.Snapshot, error) {
	s, err := op.Snapshot(ctx, f, which, operator.Strict())
	if err != nil || c == nil {
		return s, err
	}
	if err := c.failure(); err != nil {
		s.Release()
		return nil, fmt.Errorf("the cluster does not answer: %w", err)
	}
	return s, nil
}

// hostname tells this process from others.
func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}

// redacted is an endpoint without what may be secret in it.
func redacted(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		_, host, found := strings.Cut(endpoint, "@")
		if !found {
			host = endpoint
		}
		host, _, _ = strings.Cut(host, "?")
		return host
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// register hangs a pusher on an Operator.
func (x *pushing) register(op *operator.Operator, p *otlp.Pusher, c changing, log *slog.Logger) {
	log.Info("Pushing", "endpoint", redacted(x.target))
	op.Daemon("otlp", func(ctx context.Context) error {
		defer func() { _ = x.client.Close() }()
		if c != nil && !c.await(ctx) {
			return nil
		}
		return p.Run(ctx)
	})
	op.Collect("otlp", p.Collect)
}
