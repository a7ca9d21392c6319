package otelreceiver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/connrotation"

	"github.com/kubevitals/kubevitals/internal/election"
	"github.com/kubevitals/kubevitals/internal/engine"
	"github.com/kubevitals/kubevitals/internal/otlp"
	"github.com/kubevitals/kubevitals/internal/otlp/points"
	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/source"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

// session is a receiver at work: an Operator that listens nowhere, whose daemons
// fill the store and hand over what is in it.
type session struct {
	config      *Config
	host        component.Host
	op          *operator.Operator
	engine      *engine.Engine
	pusher      *otlp.Pusher
	leader      *leader              // nil without an extension
	connections *connrotation.Dialer // nil without a cluster
}

// open makes a session of the configuration.
func (r *stateReceiver) open(host component.Host) (s *session, err error) {
	c := r.config
	var warnings bytes.Buffer
	set, err := c.load(&warnings)
	if err != nil {
		return nil, err
	}
	r.warnings(&warnings)
	s = &session{config: c, host: host}
	s.op = operator.New(operator.Options{Logger: r.log, ScrapeTimeout: c.scrapeTimeout()})
	s.op.SelfMetrics("")
	var cluster *rest.Config
	if len(c.From) == 0 {
		if cluster, err = s.cluster(r.settings.BuildInfo); err != nil {
			return nil, err
		}
	}
	opts, err := s.options(r, set)
	if err != nil {
		return nil, err
	}
	if err := s.elect(r, cluster, &opts); err != nil {
		return nil, err
	}
	if s.pusher, err = otlp.New(opts); err != nil {
		s.close()
		return nil, err
	}
	if err := s.read(r, set, cluster); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// cluster returns how to reach the cluster. The session closes the connections.
func (s *session) cluster(build component.BuildInfo) (*rest.Config, error) {
	config, err := source.ConfigContext(s.config.Kubeconfig, s.config.Context)
	switch {
	case errors.Is(err, source.ErrNoCluster):
		return nil, fmt.Errorf("%w: run in a pod, give kubeconfig, set KUBECONFIG, or read objects with from", err)
	case err != nil:
		return nil, keyed{err}
	}
	config.UserAgent = fmt.Sprintf("kubevitals-otelreceiver (%s/%s)", build.Command, build.Version)
	s.connections = connrotation.NewDialer((&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext)
	config.Dial = s.connections.DialContext
	return config, nil
}

// options returns how metrics are handed over.
func (s *session) options(r *stateReceiver, set *rule.Set) (otlp.Options, error) {
	c := s.config
	naming, err := c.naming(set)
	if err != nil {
		return otlp.Options{}, err
	}
	next, err := newNext(r.settings, r.next)
	if err != nil {
		return otlp.Options{}, err
	}
	return otlp.Options{
		// A collector that fails must not end the series that it gives.
		Source: func(ctx context.Context, f exposition.Format) (*operator.Snapshot, error) {
			return s.op.Snapshot(ctx, f, operator.Strict())
		},
		Client: next, Interval: c.CollectionInterval, MinInterval: c.MinInterval, Backoff: c.RetryInterval,
		MaxSeries: c.MaxSeries, Logger: r.log,
		Points: points.Options{Naming: naming, Resource: c.attributes(), Objects: c.objects(), Version: r.settings.BuildInfo.Version},
	}, nil
}

// elect makes metrics those of a leader, if there is to be one.
func (s *session) elect(r *stateReceiver, cluster *rest.Config, opts *otlp.Options) error {
	switch lease := s.config.Lease; {
	case s.config.K8sLeaderElector != nil:
		var err error
		if s.leader, err = follow(s.host, *s.config.K8sLeaderElector); err != nil {
			return err
		}
		opts.Leader = s.leader.Term
	case lease != nil:
		e, err := election.New(cluster, election.Options{
			Namespace: lease.Namespace, Name: lease.Name, LeaseDuration: lease.Duration, Logger: r.log,
		})
		if err != nil {
			return err
		}
		opts.Leader, opts.Instance = e.Term, e.UID
		s.op.Daemon("lease", e.Run)
		if s.config.SelfMetrics {
			s.op.Collect("lease", e.Collect)
		}
	}
	return nil
}

// read makes the engine, and the daemons.
func (s *session) read(r *stateReceiver, set *rule.Set, cluster *rest.Config) error {
	c := s.config
	build := engine.New(engine.Options{
		From: c.From, REST: cluster, Scrape: c.Collect == collectScrape, Poll: c.DiscoveryInterval,
		Namespaces: sorted(c.Namespaces), NamespacesDenylist: sorted(c.NamespacesDenylist),
		Budget: c.CELBudget, Changed: s.pusher.Notify, Log: r.log,
	})
	var err error
	if s.engine, err = build(set); err != nil {
		if len(c.From) > 0 {
			return fmt.Errorf("from: %w", err)
		}
		return err
	}
	part := s.engine.Part()
	if c.SelfMetrics {
		part.About = s.engine.About()
		s.op.Collect("otlp", s.pusher.Collect)
	}
	s.op.AddPart("state", part)
	if s.engine.Run != nil {
		s.op.Daemon("state", s.engine.Run)
	}
	s.op.Daemon("push", s.push)
	return nil
}

// push hands over what there is, as soon as all objects are known. A source that
// does not answer is waited for no longer than until the first metrics are due:
// they say so.
func (s *session) push(ctx context.Context) error {
	first, cancel := context.WithTimeout(ctx, s.config.CollectionInterval)
	known := s.engine.Await(first)
	cancel()
	if !known && ctx.Err() == nil {
		componentstatus.ReportStatus(s.host, componentstatus.NewRecoverableErrorEvent(s.engine.Ready(ctx)))
		var late sync.WaitGroup
		defer late.Wait()
		late.Go(func() {
			if s.engine.Await(ctx) {
				componentstatus.ReportStatus(s.host, componentstatus.NewEvent(componentstatus.StatusOK))
			}
		})
	}
	return s.pusher.Run(ctx)
}

// run works until ctx is over.
func (s *session) run(ctx context.Context) error {
	defer s.close()
	return s.op.Background().Start(ctx)
}

// close ends what has no context.
func (s *session) close() {
	if s.leader != nil {
		s.leader.close()
	}
	if s.connections != nil {
		s.connections.CloseAll()
	}
}
