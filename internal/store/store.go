package store

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// Store holds the rendered samples of all kinds of objects. Create it with
// [New]. It is safe for concurrent use.
type Store struct {
	log *slog.Logger

	mu       sync.Mutex // guards all below, and the fields of kinds and families
	families []family
	kinds    []*Kind
	render   renderer
	problems map[problemKey]uint64
	logged   map[loggedKey]struct{}
}

type problemKey struct {
	family int
	reason string
}

type loggedKey struct {
	family int
	gvk    rule.GVK
}

// New returns an empty store for families that are sorted by name.
func New(families []metric.Desc, log *slog.Logger) *Store {
	s := &Store{
		log:      log,
		families: make([]family, len(families)),
		problems: make(map[problemKey]uint64),
		logged:   make(map[loggedKey]struct{}),
	}
	for i := range families {
		s.families[i].desc = families[i]
	}
	s.render.init(s)
	return s
}

// Families returns the names of all families that the store can give.
func (s *Store) Families() []string {
	names := make([]string, len(s.families))
	for i := range s.families {
		names[i] = s.families[i].desc.Name
	}
	return names
}

// Gather returns a consistent and immutable view of all families that have
// samples.
func (s *Store) Gather(context.Context, exposition.Format) ([]exposition.Rendered, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]exposition.Rendered, 0, len(s.families))
	for i := range s.families {
		chunks, err := s.families[i].snapshot()
		if err != nil {
			return nil, err
		}
		if len(chunks) > 0 {
			out = append(out, exposition.Rendered{Desc: s.families[i].desc, Chunks: chunks})
		}
	}
	return out, nil
}

// Kind holds the objects of one kind. A program says what is rendered of them;
// it changes with the version that is listed.
type Kind struct {
	store    *Store
	program  *rule.Program
	families []int
	objects  map[objectKey]*object
	status   KindStatus
}

// Kind returns a new kind without objects. It counts as not answered until its
// first Replace or Fail.
func (s *Store) Kind(p *rule.Program) *Kind {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := &Kind{store: s, program: p, families: p.Families(), objects: make(map[objectKey]*object)}
	k.status.GVK, k.status.Documents = p.GVK(), p.Documents()
	s.kinds = append(s.kinds, k)
	slices.SortFunc(s.kinds, func(a, b *Kind) int { return a.compare(b) })
	return k
}

func (k *Kind) compare(other *Kind) int {
	return cmp.Or(
		cmp.Compare(k.program.Order(), other.program.Order()),
		cmp.Compare(k.program.GVK().Kind, other.program.GVK().Kind),
		cmp.Compare(k.program.GVK().Version, other.program.GVK().Version),
	)
}

// Replace makes the kind hold exactly these objects, rendered by a program that
// may be another than before. Scrapes see all of it or nothing. took is how
// long it took to get the objects.
func (k *Kind) Replace(p *rule.Program, objects []map[string]any, took time.Duration) {
	s := k.store
	s.mu.Lock()
	defer s.mu.Unlock()
	before := k.families
	k.program, k.families = p, union(before, p.Families())
	k.status.GVK, k.status.Documents = p.GVK(), p.Documents()

	slices.SortStableFunc(objects, func(a, b map[string]any) int { return keyOf(a).compare(keyOf(b)) })
	present := make(map[objectKey]struct{}, len(objects))
	for _, o := range objects {
		present[keyOf(o)] = struct{}{}
		k.set(o)
	}
	for key, o := range k.objects {
		if _, ok := present[key]; !ok {
			k.remove(o)
		}
	}
	k.families = p.Families()
	k.status.ListDuration = took
	k.contact()
}

// Set adds or changes one object.
func (k *Kind) Set(object map[string]any) {
	k.store.mu.Lock()
	defer k.store.mu.Unlock()
	if _, known := k.objects[keyOf(object)]; known {
		k.status.Modified++
	} else {
		k.status.Added++
	}
	k.set(object)
	k.contact()
}

// Delete removes one object, if it is there.
func (k *Kind) Delete(namespace, name string) {
	k.store.mu.Lock()
	defer k.store.mu.Unlock()
	k.status.Deleted++
	if o := k.objects[objectKey{namespace, name}]; o != nil {
		k.remove(o)
	}
	k.contact()
}

// Remove takes the kind and its objects out of the store.
func (k *Kind) Remove() {
	k.store.mu.Lock()
	defer k.store.mu.Unlock()
	for _, o := range k.objects {
		k.remove(o)
	}
	k.store.kinds = slices.DeleteFunc(k.store.kinds, func(other *Kind) bool { return other == k })
}

// set renders an object. The caller holds the mutex.
func (k *Kind) set(o map[string]any) {
	key := keyOf(o)
	obj := k.objects[key]
	if obj == nil {
		obj = &object{objectKey: key, kind: k}
		k.objects[key] = obj
	}
	k.store.render.object(k.program, o)
	for _, f := range k.families {
		lines, samples := k.store.render.lines(f)
		k.status.Series += k.store.families[f].set(obj, lines, samples)
	}
}

// remove takes an object out. The caller holds the mutex.
func (k *Kind) remove(o *object) {
	for _, f := range k.families {
		k.status.Series += k.store.families[f].set(o, nil, 0)
	}
	delete(k.objects, o.objectKey)
}

func union(a, b []int) []int {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// object is an object that the store knows.
type object struct {
	objectKey
	kind *Kind
}

func (o *object) compare(other *object) int {
	if c := o.objectKey.compare(other.objectKey); c != 0 || o.kind == other.kind {
		return c
	}
	return o.kind.compare(other.kind)
}

type objectKey struct {
	namespace, name string
}

func (k objectKey) compare(other objectKey) int {
	if c := cmp.Compare(k.namespace, other.namespace); c != 0 {
		return c
	}
	return cmp.Compare(k.name, other.name)
}

// keyOf reads namespace and name; an object without them has empty ones.
func keyOf(o map[string]any) objectKey {
	metadata, _ := o["metadata"].(map[string]any)
	namespace, _ := metadata["namespace"].(string)
	name, _ := metadata["name"].(string)
	return objectKey{namespace, name}
}
