package cli

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/kubevitals/kubevitals/internal/engine"
	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/rulebook"
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
	err       error     // why there is none
	loaded    bool      // the ConfigMaps have been taken in once
	ready     bool      // and their rules were at work

	seen map[string]source.ConfigMap // by namespace/name
}

// run keeps an engine at work, and lets another one take over when the rules or
// the shard have changed and it knows its objects.
func (s *state) run(ctx context.Context) error {
	active := s.current.Load().Start(ctx)
	var next *engine.Running
	defer func() {
		active.Stop()
		next.Stop()
	}()
	for {
		var ready, resharded <-chan struct{}
		changes := s.changes
		if s.shards != nil {
			resharded = s.shards.changed
		}
		if next != nil { // one after the other, or none would get its turn
			ready, changes, resharded = next.Known(), nil, nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-active.Ended():
			return active.Failure()
		case set := <-changes:
			next = s.succeed(ctx, set)
		case <-resharded:
			if s.shards.now() != active.Store.Shard() {
				next = s.succeed(ctx, active.Set)
			}
		case <-ready:
			s.takeOver(active, next)
			active, next = next, nil
		}
	}
}

// takeOver makes an engine that knows its objects the one at work.
func (s *state) takeOver(from, to *engine.Running) {
	s.current.Store(to.Engine)
	s.listeners.tell()
	from.Stop()
	if shard := to.Store.Shard(); shard != from.Store.Shard() {
		s.log.Info("Shard is at work", "index", shard.Index, "of", shard.Count)
	}
	if to.Set != from.Set {
		s.reloads.done(len(s.changes) > 0)
		s.log.Info("Rules have changed", "families", len(to.Set.Families()))
	}
}

// succeed starts an engine for other rules.
func (s *state) succeed(ctx context.Context, set *rule.Set) *engine.Running {
	e, err := s.build(set)
	if err != nil {
		s.log.Error("Rules cannot be changed", "err", err)
		s.reloads.failed(err)
		return nil
	}
	s.next.Store(e)
	return e.Start(ctx)
}

// follow watches where the rules come from.
func (s *state) follow(op *operator.Operator) {
	s.reloads.succeeded = time.Now()
	if paths := s.rules.Followed(); len(paths) > 0 {
		op.Daemon("rules", func(ctx context.Context) error {
			return source.WatchPaths(ctx, paths, s.log, func() { s.change(ctx, s.rules.Own) })
		})
	}
	if s.configMaps != nil {
		op.Daemon("rules_configmaps", func(ctx context.Context) error {
			return s.configMaps.Watch(ctx, func(all []source.ConfigMap) {
				s.reloads.see(all)
				s.change(ctx, func() (*rule.Set, []rulebook.Verdict) { return s.rules.ConfigMaps(unitsOf(all)) })
				s.reloads.taken()
			})
		})
	}
}

// unitsOf returns ConfigMaps as a book knows them.
func unitsOf(all []source.ConfigMap) []rulebook.ConfigMap {
	out := make([]rulebook.ConfigMap, len(all))
	for i, cm := range all {
		out[i] = rulebook.ConfigMap{Name: cm.String(), Created: cm.Created, Data: cm.Data}
	}
	return out
}

// change makes changed rules known, tells what became of them, and has a set
// take over.
func (s *state) change(ctx context.Context, load func() (*rule.Set, []rulebook.Verdict)) {
	for _, v := range s.push(load) {
		s.tell(ctx, v)
	}
}

// push hands over a changed set. Sets are handed over in the order in which they
// were made.
func (s *state) push(load func() (*rule.Set, []rulebook.Verdict)) []rulebook.Verdict {
	s.pushing.Lock()
	defer s.pushing.Unlock()
	set, verdicts := load()
	if set == nil {
		return verdicts
	}
	s.reloads.begin()
	for {
		select {
		case s.changes <- set:
			return verdicts
		case <-s.changes: // older rules that nobody has taken yet
		}
	}
}

// tell counts a verdict, logs it, and writes it on the ConfigMap it is about.
func (s *state) tell(ctx context.Context, v rulebook.Verdict) {
	s.reloads.count(v.Err == nil)
	if !v.News {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	configMap, isConfigMap := s.reloads.configMap(v.ConfigMap)
	if v.Err != nil {
		s.log.Error("Rules are refused, those from before stay in use", "rules", v.About(), "err", v.Err)
		if isConfigMap {
			s.configMaps.Record(ctx, configMap, true, "RulesRefused", v.Err.Error())
		}
		return
	}
	s.log.Info("Rules are accepted", "rules", v.About())
	if isConfigMap && !v.First {
		s.configMaps.Record(ctx, configMap, false, "RulesAccepted", "The rules are accepted.")
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
	if err := s.rules.Err(); err != nil {
		return operator.Warning(err)
	}
	return operator.Warning(s.reloads.why(ctx, s.next.Load()))
}

// why returns why changed rules have not taken over yet, or nil.
func (r *reloads) why(ctx context.Context, next *engine.Engine) error {
	r.mu.Lock()
	pending, err := r.pending, r.err
	r.mu.Unlock()
	switch {
	case err != nil:
		return fmt.Errorf("changed rules cannot be used: %w", err)
	case !pending || next == nil:
		return nil
	}
	if err := next.Ready(ctx); err != nil {
		return fmt.Errorf("changed rules wait for their objects: %w", err)
	}
	return nil
}

// changing reports whether changed rules are about to take over.
func (r *reloads) changing() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pending
}

func (r *reloads) failed(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending, r.err = false, err
}

// see notes the ConfigMaps as they are now.
func (r *reloads) see(all []source.ConfigMap) {
	seen := make(map[string]source.ConfigMap, len(all))
	for _, cm := range all {
		seen[cm.String()] = cm
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = seen
}

// configMap returns the ConfigMap of a name, if there is one.
func (r *reloads) configMap(name string) (source.ConfigMap, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	cm, ok := r.seen[name]
	return cm, ok
}

func (r *reloads) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending, r.err = true, nil
}

func (r *reloads) done(more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending, r.succeeded = more, time.Now()
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
	if !r.ready && r.loaded && !r.pending {
		r.ready = true // what changes from now on may take its time
	}
	return !r.ready
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
	emit(gauge("kubevitals_rules_last_reload_successful", "Whether all rules are in use as they are now.", s.rules.Err() == nil))
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
	for name, valid := range s.rules.States() {
		emit(gauge("kubevitals_rules_valid", "Whether the rules of the flags' files, or of a ConfigMap, are in use as they are now.", valid, "rules", name))
	}
	return nil
}
