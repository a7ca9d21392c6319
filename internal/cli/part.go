package cli

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/rulebook"
	"github.com/kubevitals/kubevitals/internal/source"
	"github.com/kubevitals/kubevitals/internal/store"
	"github.com/kubevitals/kubevitals/internal/web"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// state is the state part: the engine at work, and the rules that may give it a
// successor.
type state struct {
	log     *slog.Logger
	title   string // of the source
	current atomic.Pointer[engine]

	build      builder            // nil when rules do not change
	rules      *rulebook.Book     // nil when rules do not change
	configMaps *source.ConfigMaps // nil when there are none with rules
	changes    chan *rule.Set     // holds the newest rules that are not at work
	pushing    sync.Mutex         // held while rules are made and handed over
	next       atomic.Pointer[engine]
	reloads    reloads
	withAbout  bool // the part has the metrics about itself
}

func newState(first *engine, title string, log *slog.Logger) *state {
	s := &state{title: title, log: log, changes: make(chan *rule.Set, 1)}
	s.current.Store(first)
	return s
}

// Families returns the names of the families of the rules that are at work
// first. Later ones are not known yet.
func (s *state) Families() []string { return s.current.Load().store.Families() }

// Gather returns the families of the engine at work: a scrape sees one set of
// rules.
func (s *state) Gather(ctx context.Context, f exposition.Format) ([]exposition.Rendered, error) {
	e := s.current.Load()
	part := store.Part{Store: e.store, Before: e.before}
	if s.withAbout {
		part.About = s.about(e)
	}
	return part.Gather(ctx, f)
}

// about returns what gives the metrics about an engine and its rules.
func (s *state) about(e *engine) []operator.CollectorFunc {
	out := slices.Concat([]operator.CollectorFunc{e.store.Collect, e.up}, e.collect)
	if s.rules != nil {
		out = append(out, s.collectRules)
	}
	return out
}

// register hangs the part on the servers.
func (s *state) register(to *servers) {
	to.expose()
	if s.withAbout = to.telemetry == nil; !s.withAbout {
		to.op.Collect("state_about", func(ctx context.Context, emit func(operator.Metric)) error {
			return together(s.about(s.current.Load()))(ctx, emit)
		})
	}
	to.op.AddPart(statePart, s)
	to.op.Daemon("state", s.run)
	if s.rules != nil {
		s.follow(to.op)
	}
	to.each(func(op *operator.Operator) {
		op.Check(operator.Ready, "state", s.ready)
		if s.rules != nil {
			op.Check(operator.Ready, "rules", s.rulesReady)
		}
		op.Handle("GET /{$}", web.Index(s.log, s.page))
	})
}

// ready reports why the engine at work does not know its objects yet, or warns of
// what it cannot find out.
func (s *state) ready(ctx context.Context) error {
	e := s.current.Load()
	if err := e.ready(ctx); err != nil || e.warning == nil {
		return err
	}
	return operator.Warning(e.warning())
}

// together makes one collector of several.
func together(collectors []operator.CollectorFunc) operator.CollectorFunc {
	return func(ctx context.Context, emit func(operator.Metric)) error {
		for _, collect := range collectors {
			if err := collect(ctx, emit); err != nil {
				return err
			}
		}
		return nil
	}
}

// up gives gateway_metrics_up, which the RFC of the Gateway API exporter asks
// for, and the state of the source.
func (e *engine) up(_ context.Context, emit func(operator.Metric)) error {
	sourceUp := e.err() == nil
	gatewayUp, asked := sourceUp, false
	for _, k := range e.store.Status() {
		if slices.ContainsFunc(rulebook.DefaultCatalogs, func(name string) bool { return slices.Contains(k.Documents, name) }) {
			gatewayUp = gatewayUp && k.Up()
		}
	}
	for _, name := range e.set.Documents() {
		asked = asked || slices.Contains(rulebook.DefaultCatalogs, name)
	}
	emit(gauge("kubevitals_state_source_up", "Whether the cluster or the files could be read when last tried.", sourceUp))
	emit(gauge("kubevitals_state_discovery_complete", "Whether all was found out about kinds that rules ask for: labels of CustomResourceDefinitions, fields of schemas.", e.warning == nil || e.warning() == nil))
	if asked {
		emit(gauge("gateway_metrics_up", "Whether every installed kind of the Gateway API and Kuadrant catalogs could be read.", gatewayUp))
	}
	return nil
}

// gauge returns a metric that is 1 or 0.
func gauge(name, help string, yes bool, labels ...string) operator.Metric {
	m := operator.Metric{Name: name, Help: help, Type: metric.Gauge, Labels: metric.Labels(labels...)}
	if yes {
		m.Value = 1
	}
	return m
}

func (s *state) page() web.Page {
	e := s.current.Load()
	p := web.Page{
		Title: "state", Version: currentVersion(), Source: s.title, Kinds: e.store.Status(),
		Links: []web.Link{
			{Path: "/metrics", Text: "what Prometheus scrapes"},
			{Path: "/readyz?verbose", Text: "whether every kind has been read"},
			{Path: "/livez?verbose", Text: "whether the process works"},
		},
	}
	if err := e.err(); err != nil {
		p.Err = err.Error()
	} else if s.rules != nil && s.rules.Err() != nil {
		p.Err = fmt.Sprintf("rules are refused: %v", s.rules.Err())
	}
	return p
}

// revision is another value when the engine at work, or what it knows, is another.
func (s *state) revision() any {
	e := s.current.Load()
	return e
}

// otlpNames returns the names that rules give their families in OTLP.
func (s *state) otlpNames() map[string]string {
	set := s.current.Load().set
	out := make(map[string]string)
	for i, f := range set.Families() {
		if name := set.Shape(i).OTLPName; name != "" {
			out[f.Name] = name
		}
	}
	return out
}
