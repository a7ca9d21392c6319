package source

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/store"
)

// scrapedKind is a kind that Scrape keeps from one scrape to the next.
type scrapedKind struct {
	target
	kind    *store.Kind
	missing time.Time // in discovery, since then
}

// Scrape brings the store up to date with the cluster: one conditional
// discovery request and one list of each kind, all namespaces, at the server's
// newest state. Nothing is asked between calls.
//
// A kind that cannot be listed loses its objects and is marked as not up; the
// others are not touched by it. When the cluster does not answer at all, the
// store is empty afterwards.
func (c *Cluster) Scrape(ctx context.Context) {
	if deadline, ok := ctx.Deadline(); ok {
		// What was answered in time must still be rendered.
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-time.Until(deadline)/5))
		defer cancel()
	}
	arrived := time.Now()
	if !c.lock(ctx) {
		return
	}
	defer c.unlock()
	if c.finished.After(arrived) {
		return // it was under way already: both get its answer
	}
	defer func() { c.finished = time.Now() }()
	if c.Cache > 0 && !c.last.IsZero() && time.Since(c.last) < c.Cache {
		return
	}
	began := time.Now()
	s, _, err := c.discover(ctx)
	if err != nil {
		for _, k := range c.scraped {
			k.kind.Lost(reasonOf(err), err)
		}
		return
	}
	well := true
	listed := make(map[slot]*rule.Program)
	for range maxRounds {
		c.follow(ctx, s)
		well = c.listAll(ctx, listed) && well
		if !c.needs.Lookups || !c.wantsMore() {
			break
		}
		if c.wantsCore() && !c.needs.Core {
			if s, _, err = c.discover(ctx); err != nil {
				well = false
				break
			}
		}
	}
	if well {
		c.last = began
	}
}

// maxRounds bounds how often a scrape lists kinds that only the objects of the
// round before have named.
const maxRounds = 4

// wantsMore reports whether objects have looked up kinds for the first time.
func (c *Cluster) wantsMore() bool {
	c.Store.Settle() // objects may look up more once they have found the first
	select {
	case <-c.Store.WantedChanged():
		return true
	default:
		return false
	}
}

// listAll lists the kinds that are not listed by their programs yet, all at once, and returns
// whether that went well.
func (c *Cluster) listAll(ctx context.Context, listed map[slot]*rule.Program) bool {
	var failed atomic.Bool
	var wg sync.WaitGroup
	for slot, k := range c.scraped {
		if before := listed[slot]; before != nil && before.Same(k.program) {
			continue
		}
		listed[slot] = k.program
		wg.Go(func() {
			if !c.list(ctx, k) {
				failed.Store(true)
			}
		})
	}
	wg.Wait()
	return !failed.Load()
}

// lock waits for its turn, or for the end of ctx.
func (c *Cluster) lock(ctx context.Context) bool {
	select {
	case c.scraping <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *Cluster) unlock() { <-c.scraping }

// Discover asks what the cluster serves until it answers, so that readiness
// does not wait for the first scrape. It is the only request outside of one.
func (c *Cluster) Discover(ctx context.Context) error {
	for c.lock(ctx) {
		_, _, err := c.discover(ctx)
		c.unlock()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	return nil
}

// follow makes the kept kinds those of the targets, and those that are missing
// but not known to be gone: they are listed once more, and say what is wrong.
func (c *Cluster) follow(ctx context.Context, s served) {
	targets := c.targets(s)
	for slot, k := range c.scraped {
		if _, ok := targets[slot]; ok {
			continue
		}
		if to, ok := moved(k.target, targets); ok && c.scraped[to].kind == nil {
			c.scraped[to] = k // it goes on there
			delete(c.scraped, slot)
			continue
		}
		if k.missing.IsZero() {
			k.missing = time.Now()
			c.scraped[slot] = k
		}
		if s.has(k.gvk) || superseded(k.target, targets) || c.gone(ctx, k.target, k.missing) {
			k.kind.Remove()
			delete(c.scraped, slot)
		}
	}
	for slot, t := range targets {
		k, known := c.scraped[slot]
		if !known {
			k.kind = c.Store.Kind(t.program)
		}
		k.target, k.missing = t, time.Time{}
		c.scraped[slot] = k
	}
}

// list lists a kind, and returns whether that went well.
func (c *Cluster) list(ctx context.Context, k scrapedKind) bool {
	start := time.Now()
	var opts metav1.ListOptions
	k.selectors(&opts)
	if c.APIServerCache {
		opts.ResourceVersion = "0"
	}
	list, err := k.client(c.objects).List(ctx, opts)
	if err != nil {
		k.kind.Lost(reasonOf(err), err)
		return false
	}
	objects := make([]map[string]any, len(list.Items))
	for i := range list.Items {
		objects[i] = list.Items[i].Object
	}
	k.kind.Replace(k.program, objects, time.Since(start))
	return true
}
