package rule

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrBudget says that an expression has cost more than it may.
var ErrBudget = errors.New("the expression costs more than it may")

const (
	// defaultBudget is how long the expressions of one metric may take for one
	// object.
	defaultBudget = 250 * time.Millisecond
	// maxSteps bounds how many elements one metric visits in one object, to
	// the next clockSteps.
	maxSteps = 100_000
	// clockSteps is how many elements are visited between two looks at their
	// number and the clock.
	clockSteps = 256
	// pauseFactor is how much longer than it ran a metric rests that ran out of
	// its budget: it can use a tenth of the time at most.
	pauseFactor = 10
)

// budget is the time one metric may take for one object, as the context of its
// expressions. The clock is started by whoever first asks for Done, which is
// only an expression with a loop in it.
type budget struct {
	limit   time.Duration
	timer   *time.Timer
	done    chan struct{}
	running bool
	steps   int
	begun   time.Time // about, when there are many steps
	over    bool      // nothing more of this metric and object
}

// reset makes the whole budget available again.
func (b *budget) reset() {
	b.steps, b.over = 0, false
	if b.running && !b.timer.Stop() {
		b.timer, b.done = nil, nil // it fired, or is about to
	}
	b.running = false
}

// look decides, when some more elements have been visited, whether there were too
// many or they have taken too long.
func (b *budget) look() error {
	switch {
	case b.steps > maxSteps:
		return errSteps
	case b.steps == clockSteps:
		b.begun = time.Now()
	case time.Since(b.begun) > b.limit:
		return ErrBudget
	}
	return nil
}

var errSteps = fmt.Errorf("more than %d elements in one object", maxSteps)

// Deadline is not known before Done is asked for.
func (b *budget) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done starts the clock, if it does not run yet.
func (b *budget) Done() <-chan struct{} {
	switch {
	case b.running:
	case b.timer != nil:
		b.timer.Reset(b.limit)
	default:
		done := make(chan struct{})
		b.done = done
		b.timer = time.AfterFunc(b.limit, func() { close(done) })
	}
	b.running = true
	return b.done
}

// Err reports whether the time is up.
func (b *budget) Err() error {
	if b.running {
		select {
		case <-b.done:
			return context.DeadlineExceeded
		default:
		}
	}
	return nil
}

// Value knows nothing.
func (b *budget) Value(any) any { return nil }
