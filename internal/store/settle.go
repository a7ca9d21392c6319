package store

import "slices"

// maxRetries bounds how many objects are tried again for one scrape.
const maxRetries = 1000

// Settle renders objects again for which something else has changed, as Gather
// does before it takes its view.
func (s *Store) Settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.replacing == 0 {
		s.settle()
	}
}

// settle renders objects again for which something else has changed: an object
// that they look up, the room that limits leave, a metric that does not rest any
// more. The caller holds the mutex.
func (s *Store) settle() {
	for len(s.joins.dirty) > 0 {
		dirty := sortedObjects(s.joins.dirty)
		clear(s.joins.dirty)
		for _, o := range dirty {
			s.again(o)
		}
	}
	if len(s.resting) > 0 {
		s.retry(sortedObjects(s.resting), func(o *object) bool {
			_, rests := s.resting[o]
			return rests // then all do
		})
	}
	s.retryWaiting()
}

// retryWaiting tries objects that were refused something when something has been
// given back: all of them once, beginning after the one that was tried last, as
// any may need what there is room for.
func (s *Store) retryWaiting() {
	if s.limits.freed {
		s.limits.untried = len(s.limits.waiting)
	}
	if s.limits.freed = false; s.limits.untried == 0 {
		return
	}
	waiting := sortedObjects(s.limits.waiting)
	from, _ := slices.BinarySearchFunc(waiting, s.limits.tried, func(o *object, last *object) int {
		if last == nil || o.compare(last) > 0 {
			return 1
		}
		return -1
	})
	s.retry(slices.Concat(waiting[from:], waiting[:from]), func(o *object) bool {
		s.limits.tried = o
		s.limits.untried--
		return s.limits.untried == 0
	})
	s.limits.untried = min(s.limits.untried, len(s.limits.waiting))
	s.limits.freed = len(s.limits.waiting) < len(waiting) // there may be more room
}

// retry renders some objects again, until enough says so.
func (s *Store) retry(objects []*object, enough func(o *object) bool) {
	for _, o := range objects[:min(len(objects), maxRetries)] {
		s.again(o)
		if enough(o) {
			return
		}
	}
}

// again renders an object that is kept.
func (s *Store) again(o *object) {
	if kept := s.kept[o]; kept != nil {
		o.kind.renderObject(o, kept)
	}
}
