package exposition_test

import (
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/operator/exposition"
)

func TestNegotiateCoding(t *testing.T) {
	f := func(header, want string) {
		t.Helper()
		if got := exposition.NegotiateCoding(header, "zstd", "br", "gzip"); got != want {
			t.Errorf("NegotiateCoding(%q) = %q, want %q", header, got, want)
		}
	}
	f("", "")
	f("identity", "")
	f("deflate", "")
	f("gzip", "gzip")
	f("x-gzip", "gzip")
	f("GZip;Q=0.5", "gzip")
	f("gzip, zstd", "zstd") // the server's preference
	f("gzip, deflate, br", "br")
	f("gzip, ZSTD;q=0.9", "gzip")
	f("gzip;q=0.8, zstd;q=0.9, br;q=0.7", "zstd")
	f("zstd;q=0, gzip", "gzip")
	f("zstd;q=0", "")
	f("*", "zstd")
	f("gzip, *;q=0.5", "gzip")
	f("gzip;q=0.5, *;q=0.5", "zstd")
	f("zstd;q=0, br;q=0, *;q=0.1", "gzip")
	f("*;q=0", "")
	f("identity;q=0.5, gzip;q=0.4", "")
	f("identity;q=0.5, gzip;q=0.5", "gzip")
	f("identity;q=0, gzip", "gzip")
	f("identity;q=0", "") // there is nothing else to give
	f("gzip;q=-1", "")
	f("gzip;q=x", "gzip")
	f(",;,", "")
	if got := exposition.NegotiateCoding("gzip"); got != "" {
		t.Errorf("%q, of nothing", got)
	}
	if got := exposition.NegotiateCoding("zstd", "Zstd"); got != "Zstd" {
		t.Errorf("%q, want the name as it is offered", got)
	}
}

// FuzzNegotiateCoding: with gzip alone it agrees with AcceptsGzip, unless the
// client would rather have nothing.
func FuzzNegotiateCoding(f *testing.F) {
	f.Add("gzip;q=0.5, *;q=0")
	f.Add("identity, zstd;q=1.1")
	f.Fuzz(func(t *testing.T, header string) {
		got := exposition.NegotiateCoding(header, "zstd", "gzip")
		lower := strings.ToLower(header)
		if got != "" && !strings.Contains(lower, got) && !strings.Contains(header, "*") {
			t.Errorf("NegotiateCoding(%q) gives %q", header, got)
		}
		if strings.Contains(lower, "identity") || strings.Count(lower, "gzip") > 1 || strings.Count(lower, "*") > 1 {
			return
		}
		if gzip := exposition.NegotiateCoding(header, "gzip"); (gzip != "") != exposition.AcceptsGzip(header) {
			t.Errorf("NegotiateCoding(%q) gives %q", header, gzip)
		}
	})
}
