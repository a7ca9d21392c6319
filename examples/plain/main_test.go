package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/operator/operatortest"
)

func spoolOf(t *testing.T, files map[string]time.Duration) *spool {
	t.Helper()
	s := &spool{folder: t.TempDir(), keep: time.Hour}
	for name, age := range files {
		path := filepath.Join(s.folder, name)
		if err := os.WriteFile(path, []byte("0123456789"), 0o600); err != nil {
			t.Fatal(err)
		}
		modified := time.Now().Add(-age)
		if err := os.Chtimes(path, modified, modified); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestCollect(t *testing.T) {
	s := spoolOf(t, map[string]time.Duration{"a.spool": 0, "b.spool": 30 * time.Minute, "c.txt": 2 * time.Hour})
	operatortest.Compare(t, operatortest.Collector(s.collect), `
		spool_size_bytes{extension=".spool"} 20
		spool_size_bytes{extension=".txt"} 10
	`, "spool_size_bytes")
	families, err := operatortest.Collector(s.collect).Families(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.Name == "spool_file_age_seconds" {
			var counts []float64
			for _, b := range f.Samples[0].Histogram.Buckets {
				counts = append(counts, b.Count)
			}
			if fmt.Sprint(counts) != "[1 2 3]" {
				t.Errorf("buckets %v, want 1, 2 and 3", counts)
			}
		}
	}
}

func TestClean(t *testing.T) {
	s := spoolOf(t, map[string]time.Duration{"new.spool": 0, "old.spool": 2 * time.Hour, "old.txt": 2 * time.Hour})
	if err := s.clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(s.folder, "*"))
	if err != nil || len(left) != 2 {
		t.Errorf("left: %q, %v, want the new one and the one of another kind", left, err)
	}
}

// TestRun runs the whole exporter, as for a try outside a cluster.
func TestRun(t *testing.T) {
	operatortest.NoLeaks(t)
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	_ = ln.Close()
	s := spoolOf(t, map[string]time.Duration{"a.spool": 0})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- run(ctx, []string{"-listen", address, "-spool", s.folder, "-everybody"}) }()

	for path, want := range map[string]string{
		"/metrics":         `spool_size_bytes{extension=".spool"} 10`,
		"/metrics.json":    `{"labels":{"extension":".spool"},"value":10}`,
		"/probes":          `"keep":"24h0m0s"`,
		"/readyz?verbose=": "[+]spool ok",
	} {
		body, err := get(ctx, "https://"+address+path)
		if err != nil || !strings.Contains(body, want) {
			t.Errorf("%s: no %q in %q, %v", path, want, body, err)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("the exporter ended with %v", err)
	}
}

// get tries until somebody answers, for ten seconds at most.
func get(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // self-signed
	defer transport.CloseIdleConnections()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return "", err
		}
		resp, err := (&http.Client{Transport: transport}).Do(req)
		if err == nil {
			body, err := io.ReadAll(resp.Body)
			return string(body), errors.Join(err, resp.Body.Close())
		}
		select {
		case <-ctx.Done():
			return "", err
		case <-time.After(10 * time.Millisecond):
		}
	}
}
