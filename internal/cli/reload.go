package cli

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/source"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// reloads is what has become of changes of the rules.
type reloads struct {
	mu        sync.Mutex
	accepted  int
	refused   int
	succeeded time.Time // when the rules at work were last changed, or loaded first
	pending   bool      // an engine waits for its objects
	loaded    bool      // the ConfigMaps have been taken in once
}

// begin loads the rules for the first time. Warnings go to w.
func (b *rulebook) begin(w io.Writer) (*rule.Set, error) {
	b.warnings = w
	defer func() { b.warnings = nil }()
	set, verdicts := b.own()
	for _, v := range verdicts {
		if v.err != nil {
			return nil, v.err
		}
	}
	return set, nil
}

// run keeps an engine at work, and lets another one take over when the rules
// have changed and it knows its objects.
func (s *state) run(ctx context.Context) error {
	active := s.current.Load().start(ctx)
	var next *running
	defer func() {
		active.stop()
		next.stop()
	}()
	for {
		var ready chan struct{}
		if next != nil {
			ready = next.ready
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-active.ended:
			active.ended <- err // for stop
			return err
		case set := <-s.changes:
			next.stop()
			next = s.succeed(ctx, set)
		case <-ready:
			s.current.Store(next.engine)
			active.stop()
			active, next = next, nil
			s.reloads.done()
			s.log.Info("Rules have changed", "families", len(active.set.Families()))
		}
	}
}

// succeed starts an engine for other rules.
func (s *state) succeed(ctx context.Context, set *rule.Set) *running {
	e, err := s.build(set)
	if err != nil {
		s.log.Error("Rules cannot be changed", "err", err)
		return nil
	}
	return e.start(ctx)
}

// follow watches where the rules come from.
func (s *state) follow(op *operator.Operator) {
	s.reloads.succeeded = time.Now()
	if paths := s.rules.flags.paths(); len(paths) > 0 {
		op.Daemon("rules", func(ctx context.Context) error {
			return source.WatchPaths(ctx, paths, s.log, func() { s.change(ctx, s.rules.own) })
		})
	}
	if s.configMaps != nil {
		op.Daemon("rules_configmaps", func(ctx context.Context) error {
			return s.configMaps.Watch(ctx, func(all []source.ConfigMap) {
				s.change(ctx, func() (*rule.Set, []verdict) { return s.rules.configMaps(all) })
				s.reloads.taken()
			})
		})
	}
}

// paths returns the files and folders that rules are read from.
func (f *ruleFlags) paths() []string {
	paths := append([]string{}, f.files...)
	if f.legacy != "" {
		paths = append(paths, f.legacy)
	}
	return paths
}

// change makes changed rules known, tells what became of them, and has a set
// take over.
func (s *state) change(ctx context.Context, load func() (*rule.Set, []verdict)) {
	set, verdicts := load()
	for _, v := range verdicts {
		s.tell(ctx, v)
	}
	if set == nil {
		return
	}
	s.reloads.begin()
	for {
		select {
		case s.changes <- set:
			return
		case <-s.changes: // older rules that nobody has taken yet
		}
	}
}

// tell counts a verdict, logs it, and writes it on the ConfigMap it is about.
func (s *state) tell(ctx context.Context, v verdict) {
	s.reloads.count(v.err == nil)
	if !v.news {
		return
	}
	name, isConfigMap := displayName(v.name), v.name != ownUnit
	if v.err != nil {
		s.log.Error("Rules are refused, those from before stay in use", "rules", name, "err", v.err)
		if isConfigMap {
			s.configMaps.Record(ctx, v.unit.configMap, true, "RulesRefused", v.err.Error())
		}
		return
	}
	s.log.Info("Rules are accepted", "rules", name)
	if isConfigMap && !v.first {
		s.configMaps.Record(ctx, v.unit.configMap, false, "RulesAccepted", "The rules are in use.")
	}
}

// rulesReady reports that ConfigMaps have not been taken in yet. Rules that are
// refused are a warning: those from before are in use.
func (s *state) rulesReady(ctx context.Context) error {
	if s.configMaps != nil {
		if err := s.configMaps.Synced(ctx); err != nil {
			return err
		}
		if s.reloads.waiting() {
			return errors.New("the rules of ConfigMaps are being taken in")
		}
	}
	return operator.Warning(s.rules.err())
}

func (r *reloads) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending = true
}

func (r *reloads) done() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending, r.succeeded = false, time.Now()
	r.loaded = true
}

// taken notes that the ConfigMaps have been looked at, if no engine has to wait
// for it.
func (r *reloads) taken() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.loaded = r.loaded || !r.pending
}

// waiting reports whether the first rules of ConfigMaps are not at work yet.
func (r *reloads) waiting() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.loaded
}

func (r *reloads) count(accepted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if accepted {
		r.accepted++
	} else {
		r.refused++
	}
}

// collectRules gives the metrics about the rules.
func (s *state) collectRules(_ context.Context, emit func(operator.Metric)) error {
	r := &s.reloads
	r.mu.Lock()
	defer r.mu.Unlock()
	emit(gauge("kubevitals_rules_last_reload_successful", "Whether all rules are in use as they are now.", s.rules.err() == nil))
	emit(gauge("kubevitals_rules_reload_pending", "Whether changed rules wait for their objects before they take over.", r.pending))
	emit(operator.Metric{
		Name: "kubevitals_rules_last_reload_success_timestamp_seconds", Help: "When the rules in use took over.", Unit: "seconds",
		Type: metric.Gauge, Value: float64(r.succeeded.UnixMilli()) / 1000,
	})
	for result, n := range map[string]int{"accepted": r.accepted, "refused": r.refused} {
		emit(operator.Metric{
			Name: "kubevitals_rules_reloads_total", Help: "Changes of rules, by whether they were accepted.",
			Type: metric.Counter, Labels: metric.Labels("result", result), Value: float64(n),
		})
	}
	for name, valid := range s.rules.states() {
		emit(gauge("kubevitals_rules_valid", "Whether the rules of the flags' files, or of a ConfigMap, are in use as they are now.", valid, "rules", name))
	}
	return nil
}
