package target_test

import (
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/internal/pods/target"
)

func TestParsePath(t *testing.T) {
	f := func(path, want string) {
		t.Helper()
		got, err := target.ParsePath(path)
		if (err != nil) != (want == "") || err == nil && got != want {
			t.Errorf("%q: got %q, %v; want %q", path, got, err, want)
		}
		if err == nil {
			if again, err := target.ParsePath(got); again != got {
				t.Errorf("%q: %q once more is %q, %v", path, got, again, err)
			}
		}
	}
	// As it is.
	f("/", "/")
	f("/metrics", "/metrics")
	f("/metrics/", "/metrics/")
	f("/metrics?a=b&c[]=d?/..//&e=%20", "/metrics?a=b&c[]=d?/..//&e=%20")
	f("/a%20b%2Fc", "/a%20b%2Fc")
	f("/a:b@c;d=e,f!$&'()*+~", "/a:b@c;d=e,f!$&'()*+~")
	// Made proper.
	f("/metrics#x", "/metrics")
	f("/metrics?#x?y", "/metrics")
	f("/metrics?x#?y", "/metrics?x")
	f("/é?ü={\"x\"}", "/%C3%A9?%C3%BC=%7B%22x%22%7D")
	f("/a|b", "/a%7Cb")
	// It stays below the root, and on the host.
	f("/../../etc/passwd", "/etc/passwd")
	f("/a/./b//c/../d/", "/a/b/d/")
	f("/a/%2e%2E/b", "/b")
	f("/..", "/")
	f("//host/x", "/host/x")
	f("///host:80//x", "/host:80/x")
	f("/@host:9999/latest/meta-data", "/@host:9999/latest/meta-data")
	f("/x/http://host/", "/x/http:/host/")
	// Not at all.
	for _, bad := range []string{
		"", "metrics", "@127.0.0.99:9999/latest/meta-data", ".host/x", ":99/x", "?x", "#/x", "*", "http://host/x",
		"\\\\host\\x", "/\\host", "/%5chost", "/x?y=\\", "/a b", "/a?b c", "/\t", "/\r\nHost: x", "/\x00", "/%00", "/%0d%0aX: y", "/\x7f",
		"/%", "/%2", "/%zz", "/\xff", "/%ff", "/\u00a0", "/\u2028", "/\u202e", "/\ufffd", "/a/..%2f..%2fb", "/%2e%2e%2fx",
		"/" + strings.Repeat("a", 1024), "/" + strings.Repeat("é", 300), "/" + strings.Repeat("|", 500),
	} {
		f(bad, "")
	}
	f("/"+strings.Repeat("a", 1023), "/"+strings.Repeat("a", 1023))
}

// FuzzAnnotations checks that no annotation leads a request anywhere but to the
// pod, and that targets of one pod differ.
func FuzzAnnotations(f *testing.F) {
	f.Add("80", "/metrics", "http", "4Mi")
	f.Add("8080:/metrics,http:/stats,9,09,,x", "@host:9999/x", "https", "1e5")
	f.Add("1@host:9/x?", "//host/../x?y#z", "HTTP", "1.5Gi")
	f.Add("8080/a,8080,8080:/a,#1,#2", "/%2e%2e/\\", "", "1e-99999")
	f.Fuzz(func(t *testing.T, port, path, scheme, size string) {
		p := declaring(pod("a", "prometheus.io/port", port, "prometheus.io/path", path, "prometheus.io/scheme", scheme,
			"kubevitals.io/body-size-limit", size, "kubevitals.io/format", size, "kubevitals.io/scrape-timeout", size), "app/http/8080")
		p.Status.PodIP = "fd00::1"
		o := target.Options{Labels: []target.LabelSource{{Name: "a", From: "annotation:prometheus.io/path"}, {Name: "path", From: "path"}}}
		targets := o.Of(p)
		if len(targets) == 0 {
			t.Fatal("no target")
		}
		checkInvariants(t, targets)
	})
}
