package store

// maxRetries bounds how many objects are tried again for one scrape after
// limits had refused them something.
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
// that they look up, or the room that limits leave. The caller holds the mutex.
func (s *Store) settle() {
	for len(s.joins.dirty) > 0 {
		dirty := sortedObjects(s.joins.dirty)
		clear(s.joins.dirty)
		for _, o := range dirty {
			s.again(o)
		}
	}
	if !s.limits.freed || len(s.limits.waiting) == 0 {
		s.limits.freed = false
		return
	}
	s.limits.freed = false
	for i, o := range sortedObjects(s.limits.waiting) {
		if i == maxRetries {
			s.limits.freed = true // go on with the next scrape
			return
		}
		s.again(o)
	}
	s.limits.freed = false // by what was tried again
}

// again renders an object that is kept.
func (s *Store) again(o *object) {
	if kept := s.kept[o]; kept != nil {
		o.kind.renderObject(o, kept)
	}
}
