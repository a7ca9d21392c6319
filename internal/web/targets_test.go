package web

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const hostile = `"><script>alert('x')</script>&{{.}}`

func hostileTargets() []Target {
	return []Target{
		{
			Namespace: "a", Pod: "good", URL: "http://10.0.0.1:80/metrics", Link: "/pods/a/good/80?path=%2Fmetrics", Container: "app", PortName: "http",
			Scraped: time.Now().Add(-3 * time.Second), Duration: 12300 * time.Microsecond, Samples: 42, Bytes: 2048, Labels: []string{"team", "x\ny" + hostile},
		},
		{Namespace: "a", Pod: "new", URL: "http://10.0.0.2:80/metrics", Link: "javascript:alert(1)"},
		{
			Namespace: "b", Pod: hostile, URL: hostile, Container: hostile, PortName: hostile, Scraped: time.Now(), Bytes: -1,
			Duration: 2 * time.Second, Reason: "body_size", Detail: hostile,
		},
	}
}

func get(t *testing.T, h http.Handler, path string) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	if w.Code != http.StatusOK || w.Header().Get("Content-Security-Policy") == "" {
		t.Errorf("GET %s: status %d, header %v", path, w.Code, w.Header())
	}
	return w.Body.String()
}

func contains(t *testing.T, body string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(body, w) {
			t.Errorf("no %q in\n%s", w, body)
		}
	}
}

func TestTargets(t *testing.T) {
	page := Pods{Version: "v1", Source: "Pods with " + hostile, Err: "no & answer", Targets: hostileTargets()}
	h := PodsTargets(slog.New(slog.DiscardHandler), func() Pods { return page })
	body := get(t, h, "/targets")
	contains(t, body,
		"<b>all 3</b>", `<a href="/targets?state=down">down 1</a>`, "<h2>a <small>(1 of 2 up)</small></h2>", "<h2>b <small>(0 of 1 up)</small></h2>",
		`<a href="/pods/a/good/80?path=%2Fmetrics">http://10.0.0.1:80/metrics</a>`, "<small>container app</small> <small>port http</small>",
		`<td class="good">up</td>`, "3s ago", "12.3 ms", `<td class="number" data-name="samples">42</td>`, "2.0 KiB", "2.00 s", "too large",
		"<tr>\n<td>waiting</td>\n<td>new</td>\n", "<td data-name=\"last scrape\">never</td>\n<td class=\"number\"></td>", "down: body_size<br><small>&#34;&gt;&lt;script&gt;", "no &amp; answer",
		`<code>team=&#34;x\ny\&#34;&gt;&lt;script&gt;`,
	)
	for _, bad := range []string{"<script", "href=\"javascript:"} {
		if strings.Contains(body, bad) {
			t.Errorf("%q in\n%s", bad, body)
		}
	}
	down := get(t, h, "/targets?state=down")
	contains(t, down, `<a href="/targets">all 3</a>`, "<b>down 1</b>", "<h2>b ")
	if strings.Contains(down, "<h2>a ") {
		t.Errorf("targets that are up are among those that are down:\n%s", down)
	}
	contains(t, get(t, h, "/targets?state="+"%3Cscript%3E"), "<b>all 3</b>")

	page.Targets = nil
	contains(t, get(t, h, "/targets"), "There is no target.")
	contains(t, get(t, h, "/targets?state=up"), "No target is up.")
}

func TestPodsIndex(t *testing.T) {
	page := Pods{Version: "v1", Source: "Pods with " + hostile, Targets: hostileTargets(), Links: []Link{{"/sd", "who & what"}}}
	body := get(t, PodsIndex(slog.New(slog.DiscardHandler), func() Pods { return page }), "/")
	contains(t, body, "&lt;script&gt;", `up <b class="good">1</b>`, `<b class="bad">1</b>`, "waiting <b>1</b>", "samples <b>42</b>", `<a href="/sd">/sd</a><span>who &amp; what</span>`)
	if strings.Contains(body, "<script") {
		t.Errorf("a script in\n%s", body)
	}
}

func TestGroups(t *testing.T) {
	p := Pods{Targets: hostileTargets(), only: "down"}
	var got []string
	for _, g := range p.Groups() {
		got = append(got, g.Namespace)
	}
	if diff := cmp.Diff([]string{"b"}, got); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
}
