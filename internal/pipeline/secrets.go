package pipeline

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

var secretResource = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}

// NewSecrets returns a function that asks a cluster for Secrets, one request for
// each call. It is for [Parse], and may be called at the same time.
func NewSecrets(config *rest.Config) (SecretFunc, error) {
	client, err := newClient(config)
	if err != nil {
		return nil, err
	}
	return func(namespace, name, key string) ([]byte, error) {
		data, err := fetch(context.Background(), client, secretRef{namespace, name})
		if err != nil {
			return nil, err
		}
		return pick(data, key)
	}, nil
}

// secretRef names a Secret.
type secretRef struct{ namespace, name string }

// fetch returns the data of a Secret.
func fetch(ctx context.Context, client dynamic.Interface, ref secretRef) (map[string][]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, maxRequest)
	defer cancel()
	u, err := client.Resource(secretResource).Namespace(ref.namespace).Get(ctx, ref.name, metav1.GetOptions{})
	switch {
	case apierrors.IsForbidden(err):
		return nil, fmt.Errorf("%w: a Role in namespace %q must allow get of it", err, ref.namespace)
	case err != nil:
		return nil, err
	}
	texts, _, _ := unstructured.NestedStringMap(u.Object, "data")
	out := make(map[string][]byte, len(texts))
	for key, text := range texts {
		if out[key], err = base64.StdEncoding.DecodeString(text); err != nil {
			return nil, errors.New("its data are not base64")
		}
	}
	return out, nil
}

func pick(data map[string][]byte, key string) ([]byte, error) {
	value, ok := data[key]
	if !ok {
		return nil, errors.New("there is no such key")
	}
	return value, nil
}

// secrets keeps the Secrets that are in use, and follows them where that is
// allowed.
type secrets struct {
	client dynamic.Interface
	log    *slog.Logger
	wake   func() // when one has changed
	pause  time.Duration

	followers sync.WaitGroup
	mu        sync.Mutex
	known     map[secretRef]*secret
}

// secret is what is known of a Secret. Its fields are guarded by the mutex of
// secrets.
type secret struct {
	data     map[string][]byte
	err      error
	changes  int // how often it has expired
	read     int // what that was when it was read, or -1
	unfollow context.CancelFunc
}

func newSecrets(client dynamic.Interface, log *slog.Logger, wake func()) *secrets {
	return &secrets{client: client, log: log, wake: wake, pause: time.Second, known: make(map[secretRef]*secret)}
}

// expireAll has all Secrets read again.
func (s *secrets) expireAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.known {
		x.changes++
	}
}

func (s *secrets) expire(ref secretRef) {
	s.mu.Lock()
	if x := s.known[ref]; x != nil {
		x.changes++
	}
	s.mu.Unlock()
	s.wake()
}

// stop ends all that runs; the context of the sessions has ended.
func (s *secrets) stop() { s.followers.Wait() }

// session is one reading of all pipelines.
type session struct {
	ctx    context.Context
	s      *secrets
	used   map[secretRef]bool
	failed bool // for a reason that may be over soon
}

func (s *secrets) begin(ctx context.Context) *session {
	return &session{ctx: ctx, s: s, used: make(map[secretRef]bool)}
}

// end forgets Secrets that were not asked for.
func (x *session) end() (failed bool) {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	for ref, known := range x.s.known {
		if !x.used[ref] {
			known.unfollow()
			delete(x.s.known, ref)
		}
	}
	return x.failed
}

// get is a [SecretFunc].
func (x *session) get(namespace, name, key string) ([]byte, error) {
	ref := secretRef{namespace, name}
	x.used[ref] = true
	known := x.s.enter(x.ctx, ref)
	if err := x.s.refresh(x.ctx, ref, known); err != nil {
		x.failed = true
	}
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	if known.err != nil {
		return nil, known.err
	}
	return pick(known.data, key)
}

// enter returns what is known of a Secret, which is followed from now on.
func (s *secrets) enter(ctx context.Context, ref secretRef) *secret {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.known[ref]
	if known == nil {
		known = &secret{read: -1}
		ctx, known.unfollow = context.WithCancel(ctx)
		s.known[ref] = known
		s.followers.Go(func() { s.follow(ctx, ref) })
	}
	return known
}

// refresh reads a Secret if that may make a difference. While the API server gives
// no answer, what it said before stays; that is the error.
func (s *secrets) refresh(ctx context.Context, ref secretRef, known *secret) error {
	s.mu.Lock()
	changes := known.changes
	fresh := known.read == changes
	s.mu.Unlock()
	if fresh {
		return nil
	}
	data, err := fetch(ctx, s.client, ref)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		known.data, known.err = data, nil
	case apierrors.IsNotFound(err):
		known.data, known.err, err = nil, errors.New("there is no such Secret"), nil
	case apierrors.IsForbidden(err):
		known.data, known.err, err = nil, err, nil
	case known.read < 0 || known.err != nil:
		known.err = err
	}
	if err == nil {
		known.read = changes
	}
	return err
}

// follow watches one Secret, as far as that is allowed, until ctx ends. What the
// permission to get one by its name allows to read, that to watch one allows to
// follow.
func (s *secrets) follow(ctx context.Context, ref secretRef) {
	const maxPause = time.Minute
	pause := s.pause
	for ctx.Err() == nil {
		events, err := s.client.Resource(secretResource).Namespace(ref.namespace).Watch(ctx, metav1.ListOptions{
			FieldSelector: fields.OneTermEqualSelector("metadata.name", ref.name).String(),
		})
		if err == nil {
			began := time.Now()
			s.take(ctx, ref, events)
			if time.Since(began) > maxPause {
				pause = s.pause
			}
		}
		if apierrors.IsForbidden(err) {
			s.log.Debug("A Secret of a MetricPipeline may not be watched, it is read every minute", "secret", ref.namespace+"/"+ref.name)
			pause = 10 * maxPause
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, max(pause, maxPause))
	}
}

// take takes the events of one watch.
func (s *secrets) take(ctx context.Context, ref secretRef, events watch.Interface) {
	defer events.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-events.ResultChan():
			if !ok || e.Type == watch.Error {
				return
			}
			s.expire(ref)
		}
	}
}
