package operator

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Timer registers a function that is called again and again: first when Run has
// begun to listen, and then each time that the interval has passed since it
// returned. Calls never overlap. After an error or a panic it is called again
// after the pause that [Restart] says, instead of the interval, until it
// succeeds; [ErrStop] ends it for good. Only failures are logged.
//
// Timer panics if the interval is not positive.
func (o *Operator) Timer(name string, interval time.Duration, fn TaskFunc, opts ...TaskOption) {
	if interval <= 0 {
		panic(fmt.Sprintf("operator: timer %q has the interval %s, which is not positive", name, interval))
	}
	o.addTask(&task{name: name, fn: fn, interval: interval}, opts)
}

// Sharp makes a timer's interval count from the beginning of a call instead of
// its end. Beginnings that pass while a call still runs are left out. Daemons
// have no interval and ignore it.
func Sharp() TaskOption {
	return func(t *task) { t.sharp = true }
}

// Jitter makes each interval of a timer longer or shorter by a random part of
// itself, up to the given one, such as 0.1, so that many processes do not do
// the same at the same time. It is 0 to 1; a value outside is taken for the
// nearer of the two.
func Jitter(part float64) TaskOption {
	return func(t *task) { t.jitter = min(max(part, 0), 1) }
}

// untilNext returns how long to wait after a call that began at start.
func (t *task) untilNext(start time.Time) time.Duration {
	wait := t.interval
	if elapsed := time.Since(start); t.sharp && elapsed > 0 {
		wait = (t.interval - elapsed%t.interval) % t.interval
	}
	if t.jitter > 0 {
		wait += time.Duration((2*rand.Float64() - 1) * t.jitter * float64(t.interval))
	}
	return max(wait, 0)
}
