package store

import (
	"cmp"
	"slices"
	"time"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// Kind holds the objects of one kind. A program says what is rendered of them;
// it changes with the version that is listed.
type Kind struct {
	store    *Store
	key      kindKey // never changes: chunks are sorted by it
	program  *rule.Program
	parts    parts // of the program
	families []int
	objects  map[objectKey]*object
	others   int  // of the objects, those that belong to other shards
	first    bool // the first list is being taken in
	status   KindStatus
}

// kindKey orders the kinds of one family's objects with equal names: as in the
// rules, as far as can be.
type kindKey struct {
	order    int
	gvk      rule.GVK
	sequence int // no two are equal
}

func (k kindKey) compare(other kindKey) int {
	return cmp.Or(cmp.Compare(k.order, other.order), k.gvk.Compare(other.gvk), cmp.Compare(k.sequence, other.sequence))
}

// Kind returns a new kind without objects. It counts as not answered until its
// first Replace or Fail. Its place among kinds is that of the program's first
// rule.
func (s *Store) Kind(p *rule.Program) *Kind {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sequence++
	k := &Kind{
		store: s, key: kindKey{p.Order(), p.GVK(), s.sequence},
		program: p, parts: s.partsOf(p), families: p.Families(), objects: make(map[objectKey]*object),
	}
	k.status.GVK, k.status.Documents = p.GVK(), p.Documents()
	s.kinds = append(s.kinds, k)
	slices.SortFunc(s.kinds, func(a, b *Kind) int { return a.key.compare(b.key) })
	return k
}

// A list is taken in in batches, and others may use the store between two: after
// batch objects, or when they have taken batchTime.
const (
	batch     = 256
	batchTime = 10 * time.Millisecond
)

// Replace makes the kind hold exactly these objects, rendered by a program that
// may be another than before. Scrapes see all of it or nothing. took is how
// long it took to get the objects. Calls for one kind must not overlap.
func (k *Kind) Replace(p *rule.Program, objects []map[string]any, took time.Duration) {
	k.begin(p)
	slices.SortStableFunc(objects, func(a, b map[string]any) int { return keyOf(a).compare(keyOf(b)) })
	present := make(map[objectKey]struct{}, len(objects))
	differs := k.Target()
	for len(objects) > 0 {
		began, n := time.Now(), 0
		k.store.mu.Lock()
		for _, o := range objects[:min(batch, len(objects))] {
			if n > 0 && time.Since(began) > batchTime {
				break
			}
			n++
			present[keyOf(o)] = struct{}{}
			known, changed := k.set(o)
			switch {
			case k.store.other(o):
			case !known:
				k.status.Added++
			case changed:
				k.status.Modified++
			}
			differs = differs || changed
		}
		k.store.mu.Unlock()
		objects = objects[n:]
	}
	k.store.mu.Lock()
	defer k.store.mu.Unlock()
	if k.removeExcept(present) || differs {
		defer k.store.changed()
	}
	k.families = p.Families()
	k.status.ListDuration = took
	k.first = false
	k.contact()
	k.store.replacing--
}

// begin changes the program, and keeps the view of before for scrapes.
func (k *Kind) begin(p *rule.Program) {
	s := k.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.replacing == 0 {
		// Inflating what the store has made itself does not fail; if it does,
		// the next Gather says so.
		_ = s.publish()
	}
	s.replacing++
	k.first = !k.status.Answered
	k.program, k.parts, k.families = p, s.partsOf(p), union(k.families, p.Families())
	k.status.GVK, k.status.Documents = p.GVK(), p.Documents()
}

// removeExcept takes all other objects out, and reports whether there was any.
// The caller holds the mutex.
func (k *Kind) removeExcept(present map[objectKey]struct{}) (removed bool) {
	for key, o := range k.objects {
		if _, ok := present[key]; !ok {
			k.remove(o)
			removed = true
		}
	}
	return removed
}

// Set adds or changes one object.
func (k *Kind) Set(object map[string]any) {
	k.store.mu.Lock()
	defer k.store.mu.Unlock()
	known, changed := k.set(object)
	switch {
	case k.store.other(object):
	case known:
		k.status.Modified++
	default:
		k.status.Added++
	}
	if changed || k.program.Target() {
		k.store.changed()
	}
	k.contact()
}

// Delete removes one object, if it is there.
func (k *Kind) Delete(namespace, name string) {
	k.store.mu.Lock()
	defer k.store.mu.Unlock()
	if o := k.objects[objectKey{namespace, name}]; o != nil {
		k.remove(o)
		k.store.changed()
	}
	k.contact()
}

// Target reports whether other objects look up those of the kind.
func (k *Kind) Target() bool {
	k.store.mu.Lock()
	defer k.store.mu.Unlock()
	return k.program.Target()
}

// Remove takes the kind and its objects out of the store.
func (k *Kind) Remove() {
	k.store.mu.Lock()
	defer k.store.mu.Unlock()
	for _, o := range k.objects {
		k.remove(o)
	}
	k.store.changed()
	k.store.kinds = slices.DeleteFunc(k.store.kinds, func(other *Kind) bool { return other == k })
}

// set renders an object, and reports whether it was there, and whether it is new
// or its lines have changed. The caller holds the mutex.
func (k *Kind) set(o map[string]any) (known, changed bool) {
	key, other := keyOf(o), k.store.other(o)
	obj := k.objects[key]
	known = obj != nil
	if other && k.parts.idle() {
		if known { // another one of the same name was this shard's
			k.remove(obj)
		}
		return known, known
	}
	if uid := k.uidOf(o); obj == nil || obj.uid != uid {
		if obj != nil {
			k.forgetStates(obj) // it is another object of the same name
		}
		obj = cmp.Or(obj, &object{place: place{key, k}})
		obj.uid, obj.listed = uid, k.first
		k.objects[key] = obj
	}
	if obj.other != other {
		if obj.other = other; other {
			k.others++
		} else {
			k.others--
		}
	}
	if k.program.Target() {
		k.store.joins.set(k.ref(key), o)
	}
	changed = k.renderObject(obj, o)
	return known, changed || !known
}

// uidOf returns an object's UID where it matters: only what compares versions of
// an object must know that it is the same.
func (k *Kind) uidOf(o map[string]any) string {
	if !k.program.Transitions() {
		return ""
	}
	metadata, _ := o["metadata"].(map[string]any)
	uid, _ := metadata["uid"].(string)
	return uid
}

// forgetStates makes what compares versions of an object begin anew.
func (k *Kind) forgetStates(o *object) {
	for _, f := range k.families {
		if t, ok := k.store.families[f].derived.(*transitions); ok {
			t.set(o, nil, 0)
		}
	}
}

// renderObject renders an object, and keeps it itself if it has to be rendered
// again later.
func (k *Kind) renderObject(obj *object, o map[string]any) (changed bool) {
	s := k.store
	p := k.parts.of(obj)
	s.render.object(p, obj, o)
	for _, f := range k.families {
		lines, samples := s.render.lines(f)
		delta, differs := s.families[f].set(obj, lines, samples)
		k.status.Series += delta
		changed = changed || differs
	}
	_, waiting := s.limits.waiting[obj]
	_, resting := s.resting[obj]
	if p.Joins() || p.Target() || waiting || resting {
		s.kept[obj] = o
	} else {
		delete(s.kept, obj)
	}
	return changed
}

// remove takes an object out. The caller holds the mutex.
func (k *Kind) remove(o *object) {
	if o.other {
		k.others--
	} else {
		k.status.Deleted++
	}
	s := k.store
	for _, f := range k.families {
		delta, _ := s.families[f].set(o, nil, 0)
		k.status.Series += delta
	}
	if k.program.Target() {
		s.joins.set(k.ref(o.objectKey), nil)
	}
	s.joins.forget(o)
	s.limits.forget(o)
	delete(s.resting, o)
	delete(s.kept, o)
	delete(k.objects, o.objectKey)
}

// ref is how others look up an object of the kind.
func (k *Kind) ref(key objectKey) rule.Ref {
	gvk := k.program.GVK()
	return rule.Ref{Group: gvk.Group, Kind: gvk.Kind, Namespace: key.namespace, Name: key.name}
}

func union(a, b []int) []int {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
