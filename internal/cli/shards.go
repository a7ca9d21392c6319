package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/kubevitals/kubevitals/internal/rbac"
	"github.com/kubevitals/kubevitals/internal/shard"
	"github.com/kubevitals/kubevitals/internal/source"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// shardFlags say which part of the objects is served: a fixed one, or that of a
// pod of a StatefulSet.
type shardFlags struct {
	fixed          shard.Shard
	pod, namespace string
}

// any reports whether objects may be divided.
func (f *shardFlags) any() bool { return f.pod != "" || f.fixed.Divided() }

// allow adds what it takes to follow the StatefulSet of the pod.
func (f *shardFlags) allow(to *rbac.Permissions) {
	if f.pod == "" {
		return
	}
	name := ordinal.ReplaceAllString(f.pod, "")
	to.Allow(rbac.Permission{Resource: "pods", Verbs: []string{"get"}, Why: "--pod"}, f.namespace)
	to.Allow(rbac.Permission{Group: "apps", Resource: "statefulsets", Name: name, Verbs: []string{"get", "watch"}, Why: "--pod"}, f.namespace)
}

// shards are the part of the objects that this process is to serve.
type shards struct {
	fixed    shard.Shard
	replicas *source.Replicas // instead; nil if nothing changes
	changed  chan struct{}
}

// shards returns what the flags ask for.
func (f *stateFlags) shards(ctx context.Context, log *slog.Logger) (*shards, error) {
	s := &shards{fixed: f.sharding.fixed, changed: make(chan struct{}, 1)}
	if f.sharding.pod == "" {
		return s, nil
	}
	config, err := f.cluster()
	switch {
	case errors.Is(err, source.ErrNoCluster):
		return nil, fmt.Errorf("--pod: %w: give --kubeconfig FILE, set KUBECONFIG, run in a pod, or say --shard and --total-shards", err)
	case err != nil:
		return nil, fmt.Errorf("--pod: %w", err)
	}
	s.replicas, err = source.FindReplicas(ctx, config, f.sharding.namespace, f.sharding.pod, log)
	if err != nil {
		return nil, fmt.Errorf("--pod, --pod-namespace: %w", err)
	}
	return s, nil
}

// now returns the part as of now.
func (s *shards) now() shard.Shard {
	if s.replicas != nil {
		return s.replicas.Shard()
	}
	return s.fixed
}

// register hangs what makes shards change on the servers.
func (s *shards) register(to *servers) {
	if s.replicas == nil {
		return
	}
	to.op.Daemon("shards", func(ctx context.Context) error {
		return s.replicas.Watch(ctx, func() {
			select {
			case s.changed <- struct{}{}:
			default:
			}
		})
	})
	to.each(func(op *operator.Operator) {
		op.Check(operator.Ready, "shards", func(context.Context) error { return operator.Warning(s.replicas.Err()) })
	})
}

// collectShard gives which part of the objects is served.
func collectShard(s shard.Shard) operator.CollectorFunc {
	return func(_ context.Context, emit func(operator.Metric)) error {
		emit(operator.Metric{
			Name: "kubevitals_state_shard", Help: "Which part of the objects is served, counted from 0.", Type: metric.Gauge, Value: float64(s.Index),
		})
		emit(operator.Metric{
			Name: "kubevitals_state_total_shards", Help: "Into how many parts the objects are divided.", Type: metric.Gauge, Value: float64(max(s.Count, 1)),
		})
		return nil
	}
}
