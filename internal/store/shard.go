package store

import (
	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/shard"
)

// parts are what a shard makes of a program.
type parts struct {
	own    *rule.Program // for its objects
	others *rule.Program // for those of other shards; nil without any
}

// partsOf returns what the store evaluates of a program.
func (s *Store) partsOf(p *rule.Program) parts {
	switch {
	case !s.shard.Divided():
		return parts{own: p}
	case s.shard.Index == 0:
		return parts{own: p, others: p.Part((*rule.Metric).Overall)}
	}
	own := p.Part(func(m *rule.Metric) bool { return !m.Overall() })
	return parts{own: own, others: p.Part(func(*rule.Metric) bool { return false })}
}

// of returns the program for an object.
func (p *parts) of(o *object) *rule.Program {
	if o.other {
		return p.others
	}
	return p.own
}

// idle reports whether nothing at all is done with objects of other shards.
func (p *parts) idle() bool { return len(p.others.Families()) == 0 && !p.others.Target() }

// other reports whether an object belongs to another shard.
func (s *Store) other(o map[string]any) bool {
	return s.shard.Divided() && !s.shard.Has(identityOf(o))
}

// Shard returns the part of the objects that the store gives.
func (s *Store) Shard() shard.Shard { return s.shard }

// Uses returns what tells which objects a program does something with. Of the rest
// it is enough to know their identity.
func (s *Store) Uses(p *rule.Program) func(o map[string]any) bool {
	parts := s.partsOf(p)
	return func(o map[string]any) bool { return !s.other(o) || !parts.idle() }
}
