package web

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/store"
)

func TestIndex(t *testing.T) {
	page := Page{
		Title: "state", Version: "v1", Source: "Objects of <somewhere>", Err: "no & answer",
		Links: []Link{{"/metrics", "what Prometheus scrapes"}},
		Kinds: []store.KindStatus{
			{GVK: rule.GVK{Group: "a.io", Version: "v1", Kind: "Good"}, Objects: 3, Series: 40, Answered: true, LastContact: time.Now().Add(-time.Hour)},
			{GVK: rule.GVK{Version: "v1", Kind: "Bad"}, Objects: 1, Series: 2, Reason: "forbidden", Err: "may not <list>"},
			{GVK: rule.GVK{Version: "v1", Kind: "New"}},
		},
	}
	w := httptest.NewRecorder()
	Index(slog.New(slog.DiscardHandler), func() Page { return page }).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	body := w.Body.String()
	for _, want := range []string{
		`<a href="/metrics">`, "<td>Good</td>\n<td>a.io/v1</td>", "1h0m0s ago", `<td class="good">up</td>`,
		"forbidden: may not &lt;list&gt;", "never", "<td>waiting</td>", "Objects of &lt;somewhere&gt;", "no &amp; answer",
		`<td class="number">4</td><td class="number">42</td>`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
}
