package source

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	appsv1client "k8s.io/client-go/kubernetes/typed/apps/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/kubevitals/kubevitals/internal/shard"
)

// Replicas follows the StatefulSet of a pod: its replicas are shards, and the pod
// is one of them.
type Replicas struct {
	namespace, pod string
	log            *slog.Logger
	pods           corev1client.PodInterface
	sets           appsv1client.StatefulSetInterface
	name           string // of the StatefulSet

	mu    sync.Mutex
	shard shard.Shard
	err   error // why the StatefulSet is not followed
}

// FindReplicas asks a cluster which shard a pod is.
func FindReplicas(ctx context.Context, config *rest.Config, namespace, pod string, log *slog.Logger) (*Replicas, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	r := &Replicas{namespace: namespace, pod: pod, log: log}
	core, err := corev1client.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("preparing the client: %w", err)
	}
	apps, err := appsv1client.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("preparing the client: %w", err)
	}
	r.pods, r.sets = core.Pods(namespace), apps.StatefulSets(namespace)
	if r.name, err = r.owner(ctx); err != nil {
		return nil, err
	}
	set, err := r.get(ctx)
	if err != nil {
		return nil, err
	}
	r.shard, err = r.shardOf(set)
	return r, err
}

// owner returns the name of the StatefulSet that the pod belongs to.
func (r *Replicas) owner(ctx context.Context) (string, error) {
	pod, err := r.pods.Get(ctx, r.pod, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("reading the pod %s/%s: %w", r.namespace, r.pod, err)
	}
	owner := metav1.GetControllerOf(pod)
	if owner == nil || owner.Kind != "StatefulSet" || !strings.HasPrefix(owner.APIVersion, "apps/") {
		return "", fmt.Errorf("the pod %s/%s belongs to no StatefulSet, whose replicas would be the shards", r.namespace, r.pod)
	}
	return owner.Name, nil
}

func (r *Replicas) get(ctx context.Context) (*appsv1.StatefulSet, error) {
	set, err := r.sets.Get(ctx, r.name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading the StatefulSet %s/%s: %w", r.namespace, r.name, err)
	}
	return set, nil
}

// shardOf returns which of the StatefulSet's pods this one is.
func (r *Replicas) shardOf(set *appsv1.StatefulSet) (shard.Shard, error) {
	ordinal, err := strconv.Atoi(strings.TrimPrefix(r.pod, r.name+"-"))
	if err != nil {
		return shard.Shard{}, fmt.Errorf("the pod %s/%s is not named as those of the StatefulSet %s are, %[3]s-0 and so on", r.namespace, r.pod, r.name)
	}
	s := shard.Shard{Index: ordinal, Count: 1}
	if set.Spec.Replicas != nil {
		s.Count = int(*set.Spec.Replicas)
	}
	if set.Spec.Ordinals != nil {
		s.Index -= int(set.Spec.Ordinals.Start)
	}
	if s.Index < 0 || s.Index >= s.Count {
		return s, fmt.Errorf("the StatefulSet %s/%s has %d replicas, and the pod %s is none of them", r.namespace, r.name, s.Count, r.pod)
	}
	return s, s.Check()
}

// Shard returns which shard the pod is.
func (r *Replicas) Shard() shard.Shard {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shard
}

// Err returns why the StatefulSet is not followed, or nil.
func (r *Replicas) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Watch follows the StatefulSet until ctx ends, and calls changed when
// [Replicas.Shard] has changed.
func (r *Replicas) Watch(ctx context.Context, changed func()) error {
	for {
		if err := r.follow(ctx, changed); ctx.Err() == nil {
			r.note(err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

// note keeps why the StatefulSet cannot be followed, and logs a new reason.
func (r *Replicas) note(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil && (r.err == nil || reasonOf(r.err) != reasonOf(err)) {
		r.log.Warn("Shards stay as they are: their StatefulSet cannot be followed", "err", err)
	}
	r.err = err
}

// maxNewcomers is how long it is waited for new replicas before they are left to
// serve their share, ready or not.
const maxNewcomers = time.Minute

// follow reads the StatefulSet and watches it, until the watch ends.
func (r *Replicas) follow(ctx context.Context, changed func()) error {
	asked, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	set, err := r.get(asked)
	if err != nil {
		return err
	}
	w, err := r.sets.Watch(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, r.name).String(), ResourceVersion: set.ResourceVersion,
	})
	if err != nil {
		return fmt.Errorf("watching the StatefulSet %s/%s: %w", r.namespace, r.name, err)
	}
	defer w.Stop()
	r.note(nil)
	var patience <-chan time.Time
	for {
		switch waits := r.take(set, false, changed); {
		case !waits:
			patience = nil
		case patience == nil:
			patience = time.After(maxNewcomers)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-patience:
			r.take(set, true, changed)
		case event, ok := <-w.ResultChan():
			if !ok {
				return nil
			}
			if event.Type == watch.Error {
				return apierrors.FromObject(event.Object)
			}
			next, is := event.Object.(*appsv1.StatefulSet)
			if !is || event.Type == watch.Deleted {
				return errors.New("the StatefulSet is gone")
			}
			set = next
		}
	}
}

// take makes the replicas of a StatefulSet the shards. When there are more than
// before it waits for them to be ready, unless it must not, and returns true: until
// then they would leave a gap.
func (r *Replicas) take(set *appsv1.StatefulSet, atOnce bool, changed func()) (waits bool) {
	next, err := r.shardOf(set)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err != nil, next == r.shard:
		// A pod that is none of the replicas is about to be deleted.
		return false
	case next.Count > r.shard.Count && int(set.Status.ReadyReplicas) < next.Count && !atOnce:
		return true
	}
	r.log.Info("Shards have changed", "index", next.Index, "of", next.Count, "before", r.shard.Count)
	r.shard = next
	changed()
	return false
}
