package operator_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

func TestRoutes(t *testing.T) {
	o := newOperator(operator.Options{})
	o.Handle("GET /state/{name}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "state of "+r.PathValue("name"))
	}))
	f := func(method, path string, code int, body string) {
		t.Helper()
		w := do(t.Context(), o, method, path)
		if w.Code != code || body != "" && w.Body.String() != body {
			t.Errorf("%s %s gives %d %q, want %d %q", method, path, w.Code, w.Body, code, body)
		}
	}
	f("GET", "/healthz", 200, "OK")
	f("HEAD", "/healthz", 200, "")
	f("POST", "/healthz", 405, "")
	f("GET", "/livez", 200, "ok")
	f("GET", "/readyz", 200, "ok")
	f("GET", "/state/x", 200, "state of x")
	f("POST", "/state/x", 405, "")
	f("GET", "/", 404, "")
	f("GET", "/livez/x", 404, "")
}

// TestHealthzAsksNobody: the route of old says that the server answers, and
// nothing else.
func TestHealthzAsksNobody(t *testing.T) {
	o := newOperator(operator.Options{})
	fail := func(context.Context) error { return errors.New("no") }
	o.Check(operator.Live, "l", fail)
	o.Check(operator.Ready, "r", fail)
	if w := get(o, "/healthz"); w.Code != http.StatusOK || w.Body.String() != "OK" {
		t.Errorf("got %d %q, want 200 OK", w.Code, w.Body)
	}
}

func TestNothingExposedUnlessAsked(t *testing.T) {
	if w := get(operator.New(operator.Options{}), "/metrics"); w.Code != http.StatusNotFound {
		t.Errorf("/metrics gives %d, want 404", w.Code)
	}
}

func TestDefaultLogger(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	o := operator.New(operator.Options{})
	o.Expose("/metrics", exposition.Prometheus{})
	o.Collect("c", func(context.Context, func(operator.Metric)) error { return errors.New("no luck") })
	scrape(t, o)
	if s := log.String(); !strings.Contains(s, "no luck") || !strings.Contains(s, "collector=c") {
		t.Errorf("the default logger got %q", s)
	}
}
