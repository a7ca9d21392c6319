// Package engine puts rules to work: an [Engine] is a store, with a source that
// fills it from a cluster or from files.
package engine

import (
	"context"
	"slices"
	"time"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/rulebook"
	"github.com/kubevitals/kubevitals/internal/store"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// Engine is a set of rules at work. Other rules get an engine of their own, which
// takes over once it knows its objects. Set, Store, Ready and Err are needed. The
// fields do not change once it has started; its methods are safe for concurrent
// use.
type Engine struct {
	// Set are the rules.
	Set *rule.Set
	// Store is what they make of the objects.
	Store *store.Store
	// Before brings the store up to date for a scrape. It may be nil.
	Before func(context.Context)
	// Run keeps the store up to date. It may be nil.
	Run operator.TaskFunc
	// Ready reports why the objects are not known yet.
	Ready operator.CheckFunc
	// Err returns why the source does not answer, or nil.
	Err func() error
	// Warning returns what the source does not find out, or nil. It may be nil
	// itself.
	Warning func() error
	// Tried is like Ready, but an error is an answer. It may be nil.
	Tried operator.CheckFunc
	// Collect give metrics about the source.
	Collect []operator.CollectorFunc
}

// Builder makes an engine for a set of rules. Those that it made before share
// what they know of the source with it. Calls must not overlap.
type Builder func(set *rule.Set) (*Engine, error)

// AtOnce is the check of what is ready from its beginning.
func AtOnce(context.Context) error { return nil }

// Part returns the engine as a part of an exposition, with metrics about it.
func (e *Engine) Part(about ...operator.CollectorFunc) store.Part {
	return store.Part{Store: e.Store, Before: e.Before, About: about}
}

// About returns what gives the metrics about the engine.
func (e *Engine) About() []operator.CollectorFunc {
	return slices.Concat([]operator.CollectorFunc{e.Store.Collect, e.up}, e.Collect)
}

// Check is Ready, and warns of what the source does not find out. It is an
// [operator.CheckFunc].
func (e *Engine) Check(ctx context.Context) error {
	if err := e.Ready(ctx); err != nil || e.Warning == nil {
		return err
	}
	return operator.Warning(e.Warning())
}

// up gives gateway_metrics_up, which the RFC of the Gateway API exporter asks
// for, and the state of the source.
func (e *Engine) up(_ context.Context, emit func(operator.Metric)) error {
	sourceUp := e.Err() == nil
	gatewayUp, asked := sourceUp, false
	for _, k := range e.Store.Status() {
		if slices.ContainsFunc(rulebook.DefaultCatalogs, func(name string) bool { return slices.Contains(k.Documents, name) }) {
			gatewayUp = gatewayUp && k.Up()
		}
	}
	for _, name := range e.Set.Documents() {
		asked = asked || slices.Contains(rulebook.DefaultCatalogs, name)
	}
	emit(gauge("kubevitals_state_source_up", "Whether the cluster or the files could be read when last tried.", sourceUp))
	emit(gauge("kubevitals_state_discovery_complete", "Whether all was found out about kinds that rules ask for: labels of CustomResourceDefinitions, fields of schemas.", e.Warning == nil || e.Warning() == nil))
	if asked {
		emit(gauge("gateway_metrics_up", "Whether every installed kind of the Gateway API and Kuadrant catalogs could be read.", gatewayUp))
	}
	return nil
}

// gauge returns a metric that is 1 or 0.
func gauge(name, help string, yes bool) operator.Metric {
	m := operator.Metric{Name: name, Help: help, Type: metric.Gauge}
	if yes {
		m.Value = 1
	}
	return m
}

// Running is an engine whose source runs, until [Running.Stop].
type Running struct {
	*Engine
	cancel context.CancelFunc
	known  chan struct{}
	ended  chan struct{}
	err    error // set before ended is closed
}

// askReady is how often an engine that is to take over is asked whether it can.
const askReady = 100 * time.Millisecond

// maxWait is how long it is waited for kinds that answer with errors.
const maxWait = 15 * time.Second

// Start lets the source run until ctx is over. The caller must call
// [Running.Stop].
func (e *Engine) Start(ctx context.Context) *Running {
	ctx, cancel := context.WithCancel(ctx)
	r := &Running{Engine: e, cancel: cancel, known: make(chan struct{}), ended: make(chan struct{})}
	asked := make(chan struct{})
	go func() {
		defer close(r.ended)
		if e.Run != nil {
			r.err = e.Run(ctx)
		}
		if r.err == nil {
			<-ctx.Done() // it has nothing more to do
		}
		cancel()
		<-asked
	}()
	go func() {
		defer close(asked)
		r.ask(ctx)
	}()
	return r
}

// ask waits until the engine knows its objects, as well as it will for now.
func (r *Running) ask(ctx context.Context) {
	tick := time.NewTicker(askReady)
	defer tick.Stop()
	patience := time.After(maxWait)
	for r.Ready(ctx) != nil {
		select {
		case <-ctx.Done():
			return
		case <-patience:
			if r.Tried != nil && r.Tried(ctx) == nil {
				close(r.known)
				return
			}
			patience = time.After(maxWait)
		case <-tick.C:
		}
	}
	close(r.known)
}

// Known is closed when the engine knows its objects.
func (r *Running) Known() <-chan struct{} { return r.known }

// Ended is closed when the source has ended. [Running.Err] of the engine is about
// what it cannot read; why it has ended is what [Running.Failure] says.
func (r *Running) Ended() <-chan struct{} { return r.ended }

// Failure returns what the source has ended with. It must not be called before
// [Running.Ended] is closed.
func (r *Running) Failure() error { return r.err }

// Stop ends the source and waits for it. Stopping nil does nothing.
func (r *Running) Stop() {
	if r != nil {
		r.cancel()
		<-r.ended
	}
}
