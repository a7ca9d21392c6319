package engine_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"k8s.io/client-go/rest"

	"github.com/kubevitals/kubevitals/internal/engine"
	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/rulebook"
	"github.com/kubevitals/kubevitals/internal/store"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

const rules = `
apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
spec:
  resources:
  - groupVersionKind: {group: a.io, kind: Foo}
    metrics: [{name: foo_size, labels: {n: object.metadata.name}, value: object.size}]
`

func load(t *testing.T, text string) *rule.Set {
	t.Helper()
	read := func(string) ([]byte, error) { return []byte(text), nil }
	set, err := new(rulebook.Config).Compile([]rulebook.File{{Name: "rules.yaml"}}, read, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// text returns what the engine gives of its store, and about itself.
func text(t *testing.T, e *engine.Engine) string {
	t.Helper()
	families, err := e.Part(e.About()...).Gather(t.Context(), exposition.OpenMetrics)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, f := range families {
		if err := f.Runs(func(run []byte) error { _, err := out.Write(run); return err }); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

func wantLine(t *testing.T, e *engine.Engine, line string) {
	t.Helper()
	if got := text(t, e); !strings.Contains("\n"+got, "\n"+line+"\n") {
		t.Errorf("no line %s in\n%s", line, got)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestFiles reads files, follows them, and lets other rules take over.
func TestFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "objects.yaml")
	write(t, file, "{apiVersion: a.io/v1, kind: Foo, metadata: {name: a}, size: 1}")
	changed := make(chan struct{}, 1)
	build := engine.New(engine.Options{From: []string{file}, Log: quiet, Changed: func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}})
	e, err := build(load(t, rules))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
	r := e.Start(t.Context())
	defer r.Stop()
	<-r.Known()
	wantLine(t, e, `foo_size{n="a"} 1`)
	wantLine(t, e, "kubevitals_state_source_up 1")
	<-changed
	write(t, file, "{apiVersion: a.io/v1, kind: Foo, metadata: {name: a}, size: 2}")
	<-changed
	wantLine(t, e, `foo_size{n="a"} 2`)
	next, err := build(load(t, strings.ReplaceAll(rules, "foo_size", "foo_other")))
	if err != nil {
		t.Fatal(err)
	}
	wantLine(t, next, `foo_other{n="a"} 2`)
}

// TestNoFiles: objects that cannot be read at all are an error.
func TestNoFiles(t *testing.T) {
	build := engine.New(engine.Options{From: []string{filepath.Join(t.TempDir(), "none.yaml")}, Log: quiet})
	if _, err := build(load(t, rules)); err == nil {
		t.Error("a file that is not there is no error")
	}
}

// TestUnreachable: a cluster that does not answer is not known, and its engine
// ends all the same.
func TestUnreachable(t *testing.T) {
	for _, scrape := range []bool{false, true} {
		e, err := engine.New(engine.Options{REST: &rest.Config{Host: "http://127.0.0.1:1"}, Scrape: scrape, Log: quiet})(load(t, rules))
		if err != nil {
			t.Fatal(err)
		}
		r := e.Start(t.Context())
		select {
		case <-r.Known():
			t.Error("its objects are known")
		case <-r.Ended():
			t.Errorf("it has ended: %v", r.Failure())
		default:
		}
		wantLine(t, e, "kubevitals_state_source_up 0")
		if e.Check(t.Context()) == nil {
			t.Error("it is ready")
		}
		r.Stop()
	}
}

// TestRunning: an engine whose kinds answer with errors is known after a while,
// and one that fails says why.
func TestRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := errors.New("never")
		e := &engine.Engine{
			Store: store.New(load(t, rules), store.Options{}),
			Ready: func(context.Context) error { return never }, Err: func() error { return nil },
			Tried: engine.AtOnce,
		}
		began := time.Now()
		r := e.Start(t.Context())
		<-r.Known()
		if d := time.Since(began); d != 15*time.Second {
			t.Errorf("known after %s", d)
		}
		r.Stop()
		e.Run = func(context.Context) error { return never }
		r = e.Start(t.Context())
		if <-r.Ended(); !errors.Is(r.Failure(), never) {
			t.Errorf("failure %v", r.Failure())
		}
		r.Stop()
		(*engine.Running)(nil).Stop()
	})
}
