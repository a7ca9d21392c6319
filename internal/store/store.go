package store

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/shard"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

// Store holds the rendered samples of all kinds of objects. Create it with
// [New]. It is safe for concurrent use.
type Store struct {
	log     *slog.Logger
	now     func() time.Time
	report  func(Problem)
	changed func()
	shard   shard.Shard

	mu       sync.Mutex // guards all below, and the fields of kinds and families
	families []family
	joins    joins
	limits   limits
	kinds    []*Kind
	render   renderer
	problems map[problemKey]uint64
	logged   map[loggedKey]struct{}

	resting   map[*object]struct{}       // objects that were evaluated while a metric rested
	kept      map[*object]map[string]any // objects that may have to be rendered again
	published published                  // what scrapes see while a list is taken in
	replacing int                        // lists being taken in
	sequence  int                        // kinds so far
}

type problemKey struct {
	family int
	reason string
}

type loggedKey struct {
	problemKey
	gvk rule.GVK
}

// published is a consistent and immutable view of all families.
type published struct {
	lines   []exposition.Rendered
	derived []view
}

// Options say how a store works. The zero value is good.
type Options struct {
	// Log is told of what does not fit, once each. It may be nil.
	Log *slog.Logger
	// Report is told of each family, reason and kind once why a sample is
	// missing. Without it Log is.
	Report func(Problem)
	// Now is the clock by which ages are told; nil is the system's.
	Now func() time.Time
	// Budget is that of [rule.Context].
	Budget time.Duration
	// Tracer is that of [rule.Context].
	Tracer rule.Tracer
	// Changed is told when the next view may differ from the last one because an
	// object, or what is known of a kind, has changed. It must neither wait nor
	// use the store. It may be nil.
	Changed func()
	// Shard is the part of the objects that is given. What is about many objects
	// is given by the first shard, and is about all of them. Objects of other
	// shards can be looked up.
	Shard shard.Shard
}

// New returns an empty store for the families of a set of rules.
func New(set *rule.Set, opts Options) *Store {
	families := set.Families()
	s := &Store{
		log: opts.Log, now: opts.Now, shard: opts.Shard,
		families: make([]family, len(families)),
		problems: make(map[problemKey]uint64),
		logged:   make(map[loggedKey]struct{}),
		kept:     make(map[*object]map[string]any),
		resting:  make(map[*object]struct{}),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.changed = opts.Changed; s.changed == nil {
		s.changed = func() {}
	}
	if s.report = opts.Report; s.report == nil {
		s.report = s.logProblem
	}
	for i := range families {
		s.families[i].desc = families[i]
		s.families[i].derived = newDerived(families[i], set.Shape(i), s.now, &s.limits, func() {
			s.render.Problem(rule.Problem{Family: i, Reason: rule.ReasonLimit, Err: errNoRoom})
		})
	}
	s.joins.init()
	s.limits.init()
	s.render.init(s, opts.Budget)
	s.render.context.Tracer = opts.Tracer
	return s
}

var errNoRoom = errors.New("the family has as many series as its limits allow")

// Families returns the names of all families that the store can give.
func (s *Store) Families() []string {
	names := make([]string, len(s.families))
	for i := range s.families {
		names[i] = s.families[i].desc.Name
	}
	return names
}

// Gather returns a consistent and immutable view of all families that have
// samples. While a list is being taken in, that is the view from before.
func (s *Store) Gather(ctx context.Context, f exposition.Format) ([]exposition.Rendered, error) {
	s.mu.Lock()
	var err error
	if s.replacing == 0 {
		err = s.publish()
	}
	p := s.published
	s.mu.Unlock()
	out := slices.Clone(p.lines)
	now := s.now()
	for _, v := range p.derived {
		r, renderErr := v.render(ctx, f, now)
		err = errors.Join(err, renderErr)
		if len(r.Chunks) > 0 {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b exposition.Rendered) int { return cmp.Compare(a.Name, b.Name) })
	return out, err
}

// publish makes the view that scrapes see. The caller holds the mutex.
func (s *Store) publish() error {
	s.settle()
	var p published
	for i := range s.families {
		f := &s.families[i]
		if f.derived != nil {
			p.derived = append(p.derived, f.derived.freeze())
			continue
		}
		chunks, err := f.snapshot()
		if err != nil {
			return err
		}
		if len(chunks) > 0 {
			p.lines = append(p.lines, exposition.Rendered{Desc: f.desc, Chunks: chunks})
		}
	}
	s.published = p
	return nil
}
