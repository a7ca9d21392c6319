package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

// serveFlags are the flags of every command that serves.
type serveFlags struct {
	listen    string
	logLevel  string
	logFormat string
	pprof     bool
	secure    secureFlags

	listenFlag string // which flags have given listen, if it was not --listen
	telemetry  string // address of a second server, or empty
	plain      bool   // the main server compresses nothing
	timeouts   timeouts

	// scrape is how long a scrape takes whose request does not say it; 0 for the
	// SDK's default.
	scrape time.Duration
	// compressors are codings besides gzip. What is kept compressed as gzip has
	// none: it would be compressed anew.
	compressors []exposition.Compressor
}

func (f *serveFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.listen, "listen", cmp.Or(f.listen, ":8080"), "address to serve on, host:port")
	flags.StringVar(&f.logLevel, "log-level", "info", "what to log: debug, info, warn or error")
	flags.StringVar(&f.logFormat, "log-format", "text", "how to log: text or json")
	flags.BoolVar(&f.pprof, "pprof", false, "serve Go's profiles under /debug/pprof/")
	f.secure.add(cmd)
	fixedValues(cmd, "log-level", "debug", "info", "warn", "error")
	fixedValues(cmd, "log-format", "text", "json")
}

// fixedValues completes a flag that takes one of some words.
func fixedValues(cmd *cobra.Command, flag string, values ...string) {
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic("BUG: " + err.Error())
	}
}

// logger returns the logger that the flags ask for. Libraries that log on their
// own are heard at level debug only: what matters of it is logged here, once.
func (f *serveFlags) logger(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return nil, fmt.Errorf("--log-level %q: expected debug, info, warn or error", f.logLevel)
	}
	opts := &slog.HandlerOptions{Level: level}
	var log *slog.Logger
	switch strings.ToLower(f.logFormat) {
	case "text":
		log = slog.New(slog.NewTextHandler(w, opts))
	case "json":
		log = slog.New(slog.NewJSONHandler(w, opts))
	default:
		return nil, fmt.Errorf("--log-format %q: expected text or json", f.logFormat)
	}
	if level > slog.LevelDebug {
		klog.SetSlogLogger(slog.New(slog.DiscardHandler))
	} else {
		klog.SetSlogLogger(log)
	}
	return log, nil
}

// open listens and returns the servers, with what every program says about
// itself. cluster gives the cluster that decides about requests, if the flags
// want it. What fails closes all.
func (f *serveFlags) open(ctx context.Context, log *slog.Logger, cluster func() (*rest.Config, error)) (*servers, error) {
	security, err := f.secure.open(log, cluster)
	if err != nil {
		return nil, err
	}
	ln, err := listen(ctx, cmp.Or(f.listenFlag, "--listen"), f.listen)
	if err != nil {
		return nil, err
	}
	opts := operator.Options{Listener: ln, Logger: log, TLS: security.tls, Serve: security.serve, Server: f.tune, ScrapeTimeout: f.scrape, Compressors: f.compressors}
	s := &servers{op: operator.New(opts), ln: ln, url: address(ln, security.https)}
	if f.telemetry != "" {
		other, err := listen(ctx, "--telemetry-host, --telemetry-port", f.telemetry)
		if err != nil {
			_ = ln.Close()
			return nil, err
		}
		opts.Listener, opts.Server = other, nil
		s.telemetry, s.telemetryURL = operator.New(opts), address(other, security.https)
	}
	s.op.SelfMetrics("kubevitals")
	if security.protect != nil {
		s.each(func(op *operator.Operator) { op.Protect(security.protect) })
	}
	s.op.Collect("build", buildInfo)
	s.op.AddSource(processPart, processMetrics())
	if f.pprof {
		profiles(s.inner())
	}
	return s, nil
}

// listen listens on the address that a flag has given.
func listen(ctx context.Context, flag, address string) (net.Listener, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s %s: the port is in use, choose another", flag, address)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", flag, address, err)
	}
	return ln, nil
}

// profiles mounts Go's profiles.
func profiles(op *operator.Operator) {
	op.Handle("GET /debug/pprof/", http.HandlerFunc(pprof.Index))
	op.Handle("GET /debug/pprof/cmdline", http.HandlerFunc(pprof.Cmdline))
	op.Handle("GET /debug/pprof/profile", http.HandlerFunc(pprof.Profile))
	op.Handle("GET /debug/pprof/symbol", http.HandlerFunc(pprof.Symbol))
	op.Handle("GET /debug/pprof/trace", http.HandlerFunc(pprof.Trace))
}

// address returns how to reach a listener from this machine.
func address(ln net.Listener, https bool) string {
	scheme := "http://"
	if https {
		scheme = "https://"
	}
	host, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		return scheme + ln.Addr().String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return scheme + net.JoinHostPort(host, port)
}
