package cli_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// TestZstd asks several times, as encoders are used again.
func TestZstd(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(config, []byte(kubeconfigOf("http://127.0.0.1:1")), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, "pods", "--selector", "app=web", "--kubeconfig", config)
	for range 3 {
		req, err := http.NewRequest(http.MethodGet, s.url+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept-Encoding", "gzip;q=0.5, zstd")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		decoder, err := zstd.NewReader(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(decoder)
		decoder.Close()
		_ = resp.Body.Close()
		if coding := resp.Header.Get("Content-Encoding"); err != nil || coding != "zstd" || !strings.Contains(string(body), "kubevitals_pods_watch_up") {
			t.Errorf("Content-Encoding %q, %v:\n%.500s", coding, err, body)
		}
	}
}
