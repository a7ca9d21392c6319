package kubeauth

import (
	"container/list"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// maxReviews is how many reviews of a cache run at once, so that many
	// different tokens do not flood the API server. As many more are for keys
	// that were good before, so that bad tokens do not keep those out.
	maxReviews = 16
	// pause is how long after a failed review the same is not asked again.
	pause = 2 * time.Second
	// patience is how long a request waits for a review whose last try failed.
	// The review itself goes on.
	patience = time.Second
)

// errBusy says that maxReviews are under way.
var errBusy = errors.New("too many reviews at once")

type key [sha256.Size]byte

// verdict is what a review says: whether the token is accepted, and whose it
// is; or whether the access is allowed. Its user is shared and must not be
// changed.
type verdict struct {
	good bool
	user User
}

// cache keeps verdicts and lets requests that need the same one share a review.
// Good and bad verdicts are kept apart, so that a flood of bad tokens drives
// out nothing but other bad tokens.
type cache struct {
	goodTTL, badTTL, stale, timeout time.Duration

	slots, reserved chan struct{}
	onError         func(error) // gets the failure of each review

	mu      sync.Mutex
	good    lru // verdicts stay after their time, to be used while stale
	bad     lru
	failed  lru // reviews whose last try failed
	flights map[key]*flight
}

// flight is a review under way. Its results are set before done closes.
type flight struct {
	done    chan struct{}
	verdict verdict
	err     error
}

func newCache(cfg Config, goodTTL, badTTL time.Duration, onError func(error)) *cache {
	return &cache{
		goodTTL:  goodTTL,
		badTTL:   badTTL,
		stale:    cfg.StaleWhileUnavailable,
		timeout:  cfg.Timeout,
		slots:    make(chan struct{}, maxReviews),
		reserved: make(chan struct{}, maxReviews),
		onError:  onError,
		good:     newLRU(cfg.CacheSize),
		bad:      newLRU(cfg.CacheSize),
		failed:   newLRU(cfg.CacheSize),
		flights:  make(map[key]*flight),
	}
}

// get returns the verdict for k, for which it may call ask, in a goroutine and
// with a context that ends after the timeout of a review and not with ctx. It
// waits no longer than ctx. An error is no verdict, and is not kept as one.
func (c *cache) get(ctx context.Context, k key, ask func(context.Context) (verdict, error)) (verdict, error) {
	c.mu.Lock()
	now := time.Now()
	for _, kept := range []*lru{&c.good, &c.bad} {
		if e := kept.get(k); e != nil && now.Before(e.until) {
			c.mu.Unlock()
			return e.verdict, nil
		}
	}
	wait := c.timeout
	if e := c.failed.get(k); e != nil {
		if now.Before(e.until) {
			defer c.mu.Unlock()
			return c.fallbackLocked(k, e.err)
		}
		wait = min(wait, patience)
	}
	f, err := c.joinLocked(k, ask)
	c.mu.Unlock()
	if err != nil {
		return verdict{}, err
	}

	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-f.done:
		if f.err == nil {
			return f.verdict, nil
		}
		err = f.err
	case <-timer.C:
		err = unavailableError{fmt.Errorf("no answer within %s", wait)}
	case <-ctx.Done():
		return verdict{}, ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fallbackLocked(k, err)
}

// fallbackLocked returns an outdated good verdict, if err lets it be used, and
// err otherwise. A review that says bad has removed it.
func (c *cache) fallbackLocked(k key, err error) (verdict, error) {
	e := c.good.get(k)
	var down unavailableError
	if e == nil || !errors.As(err, &down) || !time.Now().Before(e.until.Add(c.stale)) {
		return verdict{}, err
	}
	return e.verdict, nil
}

// joinLocked returns the review under way for k, or starts one.
func (c *cache) joinLocked(k key, ask func(context.Context) (verdict, error)) (*flight, error) {
	if f := c.flights[k]; f != nil {
		return f, nil
	}
	slots := c.slots
	if c.good.get(k) != nil {
		slots = c.reserved
	}
	select {
	case slots <- struct{}{}:
	default:
		return nil, errBusy
	}
	f := &flight{done: make(chan struct{})}
	c.flights[k] = f
	go func() {
		// Not the request's context: others may have joined.
		ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
		defer cancel()
		defer func() {
			if p := recover(); p != nil { // the client is not ours
				f.err = fmt.Errorf("panic: %v", p)
			}
			if f.err != nil {
				c.onError(f.err)
			}
			<-slots
			c.settle(k, f)
		}()
		f.verdict, f.err = ask(ctx)
	}()
	return f, nil
}

// settle keeps the result of a review and wakes those who wait for it.
func (c *cache) settle(k key, f *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	delete(c.flights, k)
	switch {
	case f.err != nil:
		c.failed.put(entry{key: k, err: f.err, until: now.Add(pause)})
	case f.verdict.good:
		c.good.put(entry{key: k, verdict: f.verdict, until: now.Add(c.goodTTL)})
		c.failed.remove(k)
	default:
		c.bad.put(entry{key: k, until: now.Add(c.badTTL)})
		c.good.remove(k)
		c.failed.remove(k)
	}
	close(f.done)
}

type entry struct {
	key     key
	verdict verdict
	err     error
	until   time.Time
}

// lru holds a bounded number of entries. One more drives out the one that was
// not used for the longest time. It is not safe for concurrent use.
type lru struct {
	limit int
	items map[key]*list.Element
	order *list.List // of *entry, last used first
}

func newLRU(limit int) lru {
	return lru{limit: limit, items: make(map[key]*list.Element), order: list.New()}
}

// get returns nil if there is no entry. An entry is never changed.
func (l *lru) get(k key) *entry {
	item := l.items[k]
	if item == nil {
		return nil
	}
	l.order.MoveToFront(item)
	return item.Value.(*entry)
}

func (l *lru) put(e entry) {
	l.remove(e.key)
	l.items[e.key] = l.order.PushFront(&e)
	if l.order.Len() > l.limit {
		l.remove(l.order.Back().Value.(*entry).key)
	}
}

func (l *lru) remove(k key) {
	if item := l.items[k]; item != nil {
		delete(l.items, k)
		l.order.Remove(item)
	}
}
