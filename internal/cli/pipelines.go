package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"

	"github.com/kubevitals/kubevitals/internal/otlp"
	"github.com/kubevitals/kubevitals/internal/otlp/client"
	"github.com/kubevitals/kubevitals/internal/pipeline"
	"github.com/kubevitals/kubevitals/internal/rbac"
	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/rulebook"
	"github.com/kubevitals/kubevitals/internal/source"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// pipelineFlags are the flags of MetricPipelines.
type pipelineFlags struct {
	file  string
	watch bool
}

func (f *pipelineFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.file, "metric-pipeline", "", "file with MetricPipelines of Kyma, which switch the catalog kyma on and say where to push it")
	flags.BoolVar(&f.watch, "metric-pipelines", false, "the same for the MetricPipelines of the cluster")
	cmd.MarkFlagsMutuallyExclusive("metric-pipeline", "metric-pipelines")
}

// any reports whether there are any pipelines.
func (f *pipelineFlags) any() bool { return f.file != "" || f.watch }

// allow adds what it takes to watch pipelines. What Secrets they refer to is not
// known here.
func (f *pipelineFlags) allow(to *rbac.Permissions) {
	if !f.watch {
		return
	}
	for _, rule := range pipeline.Permissions() {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				to.Allow(rbac.Permission{Group: group, Resource: resource, Verbs: rule.Verbs, Why: "--metric-pipelines"})
			}
		}
	}
}

// kymaCatalog is what a MetricPipeline switches on, and kymaFamilies how its
// families begin.
const (
	kymaCatalog  = "kyma"
	kymaFamilies = "kyma_"
)

// pipelines are the MetricPipelines that are in use.
type pipelines struct {
	file    string
	watcher *pipeline.Watcher // instead of the file
	secrets pipeline.SecretFunc
	log     *slog.Logger
	push    otlp.Options // but for what differs
	leader  *leading
	// statuses is nil without a watcher.
	statuses *pipelineStatuses

	state *state
	op    *operator.Operator

	applying sync.Mutex // held while pipelines are taken into use
	warned   map[string]bool

	mu      sync.Mutex
	applied bool  // pipelines have been taken into use once
	atWork  bool  // and what they switch on has taken over
	err     error // of the file, or of pipelines that cannot be used
	running map[string]*pipelinePush
	invalid map[string]string // why pipelines cannot be used, as their status says
}

// pipelinePush is the push of one pipeline.
type pipelinePush struct {
	config client.Config
	pusher *otlp.Pusher
	cancel context.CancelFunc
	done   chan struct{}
	forget func() // of changes
}

// prepare returns what the flags ask for, nil if that is nothing. Of several shards
// one reports on pipelines.
func (f *pipelineFlags) prepare(cluster func() (*rest.Config, error), push otlp.Options, leader *leading, reports bool, log *slog.Logger) (*pipelines, error) {
	if !f.any() {
		return nil, nil
	}
	p := &pipelines{file: f.file, log: log, push: push, leader: leader, running: make(map[string]*pipelinePush), warned: make(map[string]bool)}
	config, err := cluster()
	switch {
	case err != nil && f.watch:
		return nil, fmt.Errorf("--metric-pipelines: %w", err)
	case err != nil && !errors.Is(err, source.ErrNoCluster):
		return nil, err
	case f.watch:
		if p.watcher, err = pipeline.NewWatcher(config, log); err != nil {
			return nil, err
		}
		leads := func() bool { return reports && (leader == nil || leader.elector.IsLeader()) }
		p.statuses = newPipelineStatuses(p.watcher.Report, leads, log)
		return p, nil
	case err == nil:
		if p.secrets, err = pipeline.NewSecrets(config); err != nil {
			return nil, err
		}
	default:
		p.secrets = func(namespace, name, _ string) ([]byte, error) {
			return nil, fmt.Errorf("the Secret %s/%s cannot be read: there is no cluster", namespace, name)
		}
	}
	_, err = p.read()
	return p, err
}

// read reads the file.
func (p *pipelines) read() ([]pipeline.Pipeline, error) {
	data, err := os.ReadFile(p.file)
	if err != nil {
		return nil, fmt.Errorf("--metric-pipeline: %w", err)
	}
	return pipeline.Parse(data, p.file, p.secrets)
}

// register hangs them on the servers.
func (p *pipelines) register(to *servers, s *state) {
	p.op, p.state = to.op, s
	to.op.Daemon("pipelines", p.run)
	to.op.Collect("pipelines", p.collect)
	to.each(func(op *operator.Operator) { op.Check(operator.Ready, "pipelines", p.ready) })
}

// ready reports that what pipelines switch on is not at work for the first time
// yet, or warns of what is wrong with them.
func (p *pipelines) ready(ctx context.Context) error {
	if p.watcher != nil {
		if err := p.watcher.Synced(ctx); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.atWork = p.atWork || p.applied && !p.state.reloads.changing(); !p.atWork {
		return errors.New("what MetricPipelines switch on is being taken into use")
	}
	return operator.Warning(p.err)
}

// run follows the pipelines.
func (p *pipelines) run(ctx context.Context) error {
	defer p.stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if p.watcher != nil {
		wg.Go(func() { p.statuses.run(ctx) })
		return p.watcher.Watch(ctx, func(all []pipeline.Pipeline) { p.apply(ctx, all, nil) })
	}
	load := func() {
		all, err := p.read()
		p.apply(ctx, all, err)
	}
	wg.Go(func() { each(ctx, secretsAgain, load) }) // Secrets may have changed
	return source.WatchPaths(ctx, []string{p.file}, p.log, load)
}

// secretsAgain is how often Secrets of pipelines of a file are read.
const secretsAgain = time.Minute

// each calls a function now and then until the context ends.
func each(ctx context.Context, interval time.Duration, fn func()) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			fn()
		}
	}
}

// apply takes pipelines as they are now into use. With an error those from before
// stay.
func (p *pipelines) apply(ctx context.Context, all []pipeline.Pipeline, err error) {
	p.applying.Lock()
	defer p.applying.Unlock()
	invalid := make(map[string]string)
	for _, one := range all {
		for _, w := range one.Warnings {
			if hint := one.Name + ": " + w; !p.warned[hint] {
				p.warned[hint] = true
				p.log.Warn("MetricPipeline", "name", one.Name, "hint", w)
			}
		}
		if one.Err != nil {
			invalid[one.Name] = one.Err.Error()
			err = errors.Join(err, one.Err) // which names it
		}
	}
	p.tell(invalid)
	p.mu.Lock()
	p.err = err
	p.mu.Unlock()
	if all == nil && err != nil {
		p.log.Error("MetricPipelines cannot be read, those from before stay in use", "err", err)
		return
	}
	var catalogs []rulebook.Catalog
	if on, modules := pipeline.Modules(all); on {
		catalogs = append(catalogs, rulebook.Catalog{Name: kymaCatalog, Params: map[string][]string{"modules": modules}})
	}
	p.state.change(ctx, func() (*rule.Set, []rulebook.Verdict) {
		set, verdicts, err := p.state.rules.Catalogs(catalogs...)
		if err != nil {
			p.log.Error("MetricPipelines cannot switch a catalog", "err", err)
		}
		return set, verdicts
	})
	p.mu.Lock()
	p.applied = true
	p.mu.Unlock()
	p.connect(ctx, all)
}

// tell says which pipelines cannot be used, where that has changed.
func (p *pipelines) tell(invalid map[string]string) {
	p.mu.Lock()
	before := p.invalid
	p.invalid = invalid
	p.mu.Unlock()
	for name, why := range invalid {
		if before[name] != why {
			p.log.Error("MetricPipeline cannot be used", "name", name, "err", why)
			p.statuses.say(name, invalidCondition(why))
		}
	}
}

// connect begins pushes that are new or have changed, and ends others.
func (p *pipelines) connect(ctx context.Context, all []pipeline.Pipeline) {
	wanted := make(map[string]client.Config)
	for _, one := range all {
		if one.Kyma && one.Output != nil && one.Err == nil {
			wanted[one.Name] = one.Output.Client
		}
	}
	p.endAll(func(name string, push *pipelinePush) bool {
		config, ok := wanted[name]
		return !ok || !reflect.DeepEqual(config, push.config)
	})
	for _, one := range all {
		if _, ok := wanted[one.Name]; !ok && one.Err == nil && p.watcher != nil {
			p.statuses.sayIdle(one.Name, p.watcher.Reported)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if p.running[name] != nil {
			continue
		}
		push, err := p.start(ctx, name, wanted[name])
		if err != nil {
			p.log.Error("MetricPipeline cannot be used", "name", name, "err", err)
			p.err = errors.Join(p.err, fmt.Errorf("MetricPipeline %s: %w", name, err))
			p.statuses.say(name, invalidCondition(err.Error()))
			continue
		}
		p.running[name] = push
		p.log.Info("Pushing", "pipeline", name)
	}
}

// start begins a push.
func (p *pipelines) start(ctx context.Context, name string, config client.Config) (*pipelinePush, error) {
	push := &pipelinePush{config: config, done: make(chan struct{})}
	config.UserAgent = userAgent()
	c, err := client.New(config)
	if err != nil {
		return nil, err
	}
	ctx, push.cancel = context.WithCancel(ctx)
	opts := p.push
	opts.Client, opts.Source, opts.Names, opts.Logger = c, p.snapshot, p.state.otlpNames, p.log.With("pipeline", name)
	opts.Told = func(err error) { p.statuses.say(name, conditionOf(err)) }
	opts.Instance = hostname
	if p.leader != nil {
		opts.Leader, opts.Instance = p.leader.elector.Term, p.leader.instance
	}
	if push.pusher, err = otlp.New(opts); err != nil {
		push.cancel()
		return nil, errors.Join(err, c.Close())
	}
	go func() {
		defer close(push.done)
		defer func() { _ = c.Close() }()
		if !p.state.await(ctx) {
			return
		}
		if err := push.pusher.Run(ctx); err != nil && ctx.Err() == nil {
			p.log.Error("Pushing has ended", "pipeline", name, "err", err)
		}
	}()
	push.forget = p.state.onChange(push.pusher.Notify)
	return push, nil
}

func (x *pipelinePush) end() {
	x.forget()
	x.cancel()
	<-x.done
}

// stop ends all pushes.
func (p *pipelines) stop() { p.endAll(func(string, *pipelinePush) bool { return true }) }

// endAll ends some pushes, and waits for them.
func (p *pipelines) endAll(which func(name string, push *pipelinePush) bool) {
	var ending []*pipelinePush
	p.mu.Lock()
	maps.DeleteFunc(p.running, func(name string, push *pipelinePush) bool {
		end := which(name, push)
		if end {
			ending = append(ending, push)
		}
		return end
	})
	p.mu.Unlock()
	for _, push := range ending {
		push.end()
	}
}

// snapshot is what pipelines push: the families of the catalog.
func (p *pipelines) snapshot(ctx context.Context, f exposition.Format) (*operator.Snapshot, error) {
	s, err := snapshot(ctx, p.op, f, p.state, operator.Only(statePart))
	if err == nil {
		s.Families = slices.DeleteFunc(s.Families, func(r exposition.Rendered) bool { return !strings.HasPrefix(r.Name, kymaFamilies) })
	}
	return s, err
}

// collect gives the metrics about the pushes.
func (p *pipelines) collect(ctx context.Context, emit func(operator.Metric)) error {
	p.mu.Lock()
	pushers := make(map[string]*otlp.Pusher, len(p.running))
	for name, push := range p.running {
		pushers[name] = push.pusher
	}
	p.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(pushers)) {
		err := pushers[name].Collect(ctx, func(m operator.Metric) {
			m.Labels = append(slices.Clone(m.Labels), metric.Label{Name: "pipeline", Value: name})
			emit(m)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
