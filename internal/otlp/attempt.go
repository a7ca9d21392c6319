package otlp

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/kubevitals/kubevitals/internal/otlp/client"
	"github.com/kubevitals/kubevitals/internal/otlp/points"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

// attempt is one push.
type attempt struct {
	pusher *Pusher
	ctx    context.Context // of the term
	began  time.Time
	format exposition.Format
	result result

	acknowledged bool // at least one chunk was
	ending       bool // tombstones are on their way
	builder      *points.Builder
	unacked      bool // a chunk was not, since the last look
	taken        int  // points that the receiver took
	refusal      error
}

// run sends a snapshot and, if all of it was sent, ends the series that it does
// not have.
func (x *attempt) run() error {
	p := x.pusher
	snapshot, err := p.opts.Source(x.ctx, x.format)
	if err != nil {
		return err
	}
	defer snapshot.Release()
	for _, err := range snapshot.Errs {
		p.log.Debug("A collector is missing in the snapshot", "err", err)
	}
	p.series.begin()
	opts := p.points()
	x.builder = points.NewBuilder(opts, x.began, x.emit)
	for _, r := range snapshot.Families {
		if err := x.builder.Append(x.format, r); err != nil {
			return err
		}
	}
	if err := x.builder.Flush(); err != nil {
		return err
	}
	if n, err := x.builder.Invalid(); n > 0 {
		x.count(droppedPoints, n)
		p.warn("Lines cannot be pushed", "lines", n, "err", err)
	}
	snapshot.Release() // what follows needs it no more
	return x.end()
}

// points returns how to build now.
func (p *Pusher) points() points.Options {
	opts := p.opts.Points
	opts.Limit = p.limit
	if p.opts.Names != nil {
		opts.Names = p.opts.Names()
	}
	if p.opts.Instance != nil && opts.Resource.Get("service.instance.id") == "" {
		opts.Resource = opts.Resource.With("service.instance.id", p.opts.Instance())
	}
	return opts
}

// end ends the series that the snapshot, all of which was sent, does not have.
func (x *attempt) end() error {
	p := x.pusher
	pending := p.series.pending()
	p.stats.update(func(s *numbers) { s.pending = pending })
	if pending == 0 {
		return nil
	}
	x.ending, x.unacked = true, false
	opts := p.points()
	opts.Watch = nil
	emitted := false
	x.builder = points.NewBuilder(opts, x.began, func(c points.Chunk) error {
		emitted = true
		return x.emit(c)
	})
	var sent, ended, kept []gone
	settle := func() {
		if !emitted {
			return
		}
		if x.unacked {
			kept = append(kept, sent...)
		} else {
			ended = append(ended, sent...)
		}
		sent, emitted, x.unacked = sent[:0], false, false
	}
	err := p.series.absent(func(g gone, m *points.Metric, labels, bounds string) error {
		sent = append(sent, g)
		err := x.builder.End(m, labels, bounds)
		if err == nil {
			settle()
		}
		return err
	})
	if err == nil {
		if err = x.builder.Flush(); err == nil {
			settle()
		}
	}
	p.series.forget(ended)
	given := p.series.refused(kept)
	x.count(droppedPoints, given)
	p.stats.update(func(s *numbers) { s.pending = max(0, pending-len(ended)-given) })
	return err
}

// emit sends a chunk. An error ends the push.
func (x *attempt) emit(c points.Chunk) error {
	for {
		err := x.send(c)
		if err == nil {
			return nil
		}
		if x.ctx.Err() != nil || errors.Is(err, errDemoted) {
			return errDemoted
		}
		kind := client.KindOf(err)
		x.pusher.stats.update(func(s *numbers) { s.requests[kind]++ })
		switch kind {
		case client.Retry:
			if err := x.pause(err); err != nil {
				x.count(droppedPoints, c.Points)
				return err
			}
			continue
		case client.TooLarge:
			return x.halve(c, err)
		case client.RefusedAll:
			x.count(droppedPoints, c.Points)
			x.pusher.rest()
			return fmt.Errorf("nothing more is tried of this snapshot: %w", err)
		default:
			x.result, x.unacked, x.refusal = partial, true, err
			x.count(droppedPoints, c.Points)
			x.pusher.warn("The receiver refuses metrics", "points", c.Points, "err", err)
			return nil
		}
	}
}

// send sends a chunk once.
func (x *attempt) send(c points.Chunk) error {
	p := x.pusher
	if p.opts.Leader != nil {
		if _, leads := p.opts.Leader(); !leads {
			return errDemoted
		}
	}
	r, err := p.opts.Client.Export(x.ctx, c.Metrics)
	if !unsent(err) && !x.ending {
		p.series.sent() // it may have arrived, even if nobody says so
	}
	if err != nil {
		return err
	}
	x.acknowledged = true
	p.backoff, p.notBefore = p.shortest, time.Time{}
	rejected := int(min(r.Rejected, int64(c.Points)))
	taken := sentPoints
	if x.ending {
		taken = tombstones
	}
	p.stats.update(func(s *numbers) { s.accepted++ })
	x.count(taken, c.Points-rejected)
	x.count(rejectedPoints, rejected)
	x.taken += c.Points - rejected
	if rejected > 0 {
		x.result, x.unacked, x.refusal = partial, true, fmt.Errorf("the receiver has rejected %d points", rejected)
	}
	if r.Message != "" {
		p.warn("The receiver says of metrics that it took", "rejected", rejected, "message", r.Message)
	}
	return nil
}

// unsent reports whether a receiver cannot have recorded anything.
func unsent(err error) bool {
	switch e, ok := err.(*client.Error); { //nolint:errorlint // Export returns nothing else
	case err == nil:
		return false
	case !ok:
		return true
	default:
		return e.Unsent || e.Kind == client.RefusedAll || e.Kind == client.TooLarge
	}
}

// smallest is a size of requests that every receiver takes.
const smallest = 16 << 10

// halve sends the halves of a chunk that is too large, and remembers.
func (x *attempt) halve(c points.Chunk, cause error) error {
	p := x.pusher
	p.limit = max(smallest, min(p.limit, c.Size/2))
	x.builder.SetLimit(p.limit)
	halves := c.Split()
	if halves == nil {
		x.result, x.unacked = partial, true
		x.count(droppedPoints, c.Points)
		p.warn("One point alone is too large for the receiver", "bytes", c.Size, "err", cause)
		return nil
	}
	p.warn("The receiver takes less at once; it gets smaller requests", "bytes", p.limit, "err", cause)
	for _, half := range halves {
		if err := x.emit(half); err != nil {
			return err
		}
	}
	return nil
}

// pause waits after a failure. It returns an error if there will be, or is by
// then, a newer snapshot: the next heartbeat's, or one with changes if nothing of
// this one was acknowledged. What is half sent is finished, lest a receiver with
// a limit on requests never gets the end.
func (x *attempt) pause(cause error) error {
	p := x.pusher
	wait := p.rest()
	if e, ok := cause.(*client.Error); ok && e.After > 0 { //nolint:errorlint // Export returns nothing else
		wait = e.After
		p.notBefore = time.Now().Add(wait)
	}
	p.warn("The receiver cannot be reached, or is busy", "pause", wait, "err", cause)
	p.opts.Told(cause)
	if p.notBefore.After(x.began.Add(p.opts.Interval)) {
		return errSuperseded
	}
	if !sleep(x.ctx, wait) {
		return errDemoted
	}
	if !x.acknowledged && len(p.changed) > 0 && time.Since(x.began) >= p.opts.MinInterval {
		return errSuperseded
	}
	return nil
}

// rest leaves the receiver alone for a while, which it returns.
func (p *Pusher) rest() time.Duration {
	wait := p.backoff + rand.N(p.backoff/4)
	p.backoff = min(2*p.backoff, maxBackoff)
	p.notBefore = time.Now().Add(wait)
	return wait
}

func (x *attempt) count(kind pointResult, n int) {
	if n > 0 {
		x.pusher.stats.update(func(s *numbers) { s.points[kind] += uint64(n) })
	}
}
