package cli

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kubevitals/kubevitals/internal/engine"
	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/rulebook"
	"github.com/kubevitals/kubevitals/internal/source"
	"github.com/kubevitals/kubevitals/internal/web"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// state is the state part: the engine at work, and the rules that may give it a
// successor.
type state struct {
	*listeners // of changes of what is known
	log        *slog.Logger
	title      string // of the source
	current    atomic.Pointer[engine.Engine]

	shards     *shards            // nil when all is served
	build      engine.Builder     // nil when rules do not change
	rules      *rulebook.Book     // nil when rules do not change
	configMaps *source.ConfigMaps // nil when there are none with rules
	changes    chan *rule.Set     // holds the newest rules that are not at work
	pushing    sync.Mutex         // held while rules are made and handed over
	next       atomic.Pointer[engine.Engine]
	reloads    reloads
	withAbout  bool // the part has the metrics about itself
}

func newState(first *engine.Engine, title string, log *slog.Logger) *state {
	s := &state{listeners: new(listeners), title: title, log: log, changes: make(chan *rule.Set, 1)}
	s.current.Store(first)
	return s
}

// Families returns the names of the families of the rules that are at work
// first. Later ones are not known yet.
func (s *state) Families() []string { return s.current.Load().Store.Families() }

// Gather returns the families of the engine at work: a scrape sees one set of
// rules.
func (s *state) Gather(ctx context.Context, f exposition.Format) ([]exposition.Rendered, error) {
	e := s.current.Load()
	if s.withAbout {
		return e.Part(s.about(e)...).Gather(ctx, f)
	}
	return e.Part().Gather(ctx, f)
}

// about returns what gives the metrics about an engine and its rules.
func (s *state) about(e *engine.Engine) []operator.CollectorFunc {
	out := append(e.About(), collectShard(e.Store.Shard()))
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
	if s.shards != nil {
		s.shards.register(to)
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
	return s.current.Load().Check(ctx)
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
		Title: "state", Version: currentVersion(), Source: s.title, Kinds: e.Store.Status(),
		Links: []web.Link{
			{Path: "/metrics", Text: "what Prometheus scrapes"},
			{Path: "/readyz?verbose", Text: "whether every kind has been read"},
			{Path: "/livez?verbose", Text: "whether the process works"},
		},
	}
	if shard := e.Store.Shard(); shard.Divided() {
		p.Source += fmt.Sprintf(", shard %d of %d, counted from 0", shard.Index, shard.Count)
	}
	if err := e.Err(); err != nil {
		p.Err = err.Error()
	} else if s.rules != nil && s.rules.Err() != nil {
		p.Err = fmt.Sprintf("rules are refused: %v", s.rules.Err())
	}
	return p
}

// otlpNames returns the names that rules give their families in OTLP.
func (s *state) otlpNames() map[string]string {
	set := s.current.Load().Set
	out := make(map[string]string)
	for i, f := range set.Families() {
		if name := set.Shape(i).OTLPName; name != "" {
			out[f.Name] = name
		}
	}
	return out
}

// await waits until the engine at work knows its objects. Meanwhile another one may
// be.
func (s *state) await(ctx context.Context) bool {
	for ctx.Err() == nil {
		attempt, cancel := context.WithTimeout(ctx, awaitAgain)
		known := s.current.Load().Await(attempt)
		cancel()
		if known {
			return true
		}
	}
	return false
}

// awaitAgain is how long one engine is waited for. It is longer than an engine needs
// to give up kinds that only answer with errors.
const awaitAgain = 20 * time.Second

// failure returns why the engine that lists during scrapes had no answer.
func (s *state) failure() error {
	if e := s.current.Load(); e.Before != nil {
		return e.Err()
	}
	return nil
}
