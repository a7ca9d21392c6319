// Command plain is an exporter with no dependency but the operator module: it
// measures a spool folder while a scrape waits, cleans it in the background, and
// lets the cluster's RBAC decide who may read /metrics.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/kubeauth"
	"github.com/kubevitals/kubevitals/operator/metric"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		slog.Error("The exporter has failed", "err", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("plain", flag.ContinueOnError)
	listen := flags.String("listen", ":8443", "address to serve on")
	folder := flags.String("spool", os.TempDir(), "folder to measure")
	keep := flags.Duration("keep", 24*time.Hour, "age at which files are removed")
	everybody := flags.Bool("everybody", false, "let everybody read the metrics, for a try outside a cluster")
	if err := flags.Parse(args); err != nil {
		return err
	}

	certificate, err := kubeauth.SelfSigned()
	if err != nil {
		return err
	}
	op := operator.New(operator.Options{Addr: *listen, TLS: certificate})
	if !*everybody {
		auth, err := kubeauth.New(kubeauth.Config{}) // the ServiceAccount of this pod
		if err != nil {
			return err
		}
		op.Protect(auth.Wrap)
	}
	s := &spool{folder: *folder, keep: *keep}
	op.Collect("spool", s.collect, operator.Timeout(2*time.Second))
	op.Timer("clean", time.Minute, s.clean, operator.Jitter(0.1))
	op.Probe("spool", s.describe)
	op.Check(operator.Ready, "spool", s.readable)
	op.Expose("/metrics", exposition.Prometheus{})
	op.Expose("/metrics.json", exposition.JSON{})
	return op.Run(ctx)
}

// spool is a folder whose files wait to be worked on.
type spool struct {
	folder string
	keep   time.Duration
}

// collect measures the folder each time it is called.
func (s *spool) collect(ctx context.Context, emit func(operator.Metric)) error {
	entries, err := os.ReadDir(s.folder)
	if err != nil {
		return err // costs the samples of this collector, and nothing else
	}
	ages := &metric.HistogramValue{Buckets: []metric.Bucket{{UpperBound: 60}, {UpperBound: 3600}, {UpperBound: 86400}}}
	bytes := make(map[string]int64)
	for _, e := range entries {
		if ctx.Err() != nil {
			return ctx.Err() // the scrape does not wait any longer
		}
		info, err := e.Info()
		if err != nil || info.IsDir() {
			continue // gone meanwhile
		}
		bytes[filepath.Ext(e.Name())] += info.Size()
		observe(ages, time.Since(info.ModTime()).Seconds())
	}
	for extension, n := range bytes {
		emit(operator.Metric{
			Name: "spool_size_bytes", Help: "Size of the files that wait.", Unit: "bytes", Type: metric.Gauge,
			Labels: metric.Labels("extension", extension), Value: float64(n),
		})
	}
	emit(operator.Metric{
		Name: "spool_file_age_seconds", Help: "Age of the files that wait.", Unit: "seconds", Type: metric.GaugeHistogram,
		Histogram: ages,
	})
	return nil
}

// observe counts a value in a histogram, whose buckets are cumulative.
func observe(h *metric.HistogramValue, v float64) {
	h.Count++
	h.Sum += v
	for i := range h.Buckets {
		if v <= h.Buckets[i].UpperBound {
			h.Buckets[i].Count++
		}
	}
}

// clean removes the files that are too old.
func (s *spool) clean(ctx context.Context) error {
	entries, err := os.ReadDir(s.folder)
	if err != nil {
		return err // tried again after a pause, and counted
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || time.Since(info.ModTime()) < s.keep || filepath.Ext(e.Name()) != ".spool" {
			continue
		}
		if err := os.Remove(filepath.Join(s.folder, e.Name())); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

func (s *spool) describe(context.Context) (any, error) {
	return map[string]any{"folder": s.folder, "keep": s.keep.String()}, nil
}

func (s *spool) readable(context.Context) error {
	_, err := os.Stat(s.folder)
	if err != nil {
		return fmt.Errorf("the spool cannot be read: %w", err)
	}
	return nil
}
