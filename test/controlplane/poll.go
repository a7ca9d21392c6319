package controlplane

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// pollInterval is the time between two looks at a state that is waited for.
const pollInterval = 50 * time.Millisecond

// finalError is an error after which waiting on is of no use.
type finalError struct{ error }

// Unwrap returns the error itself.
func (e finalError) Unwrap() error { return e.error }

// waitFor calls try until it returns nil. It gives up when try returns a
// finalError, when limit has passed or when ctx ends; the error then tells what
// try said last.
func waitFor(ctx context.Context, limit time.Duration, what string, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()

	began := time.Now()
	var last error
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		if final, ok := errors.AsType[finalError](err); ok {
			return fmt.Errorf("waiting for %s: %w", what, final.error)
		}
		// A look cut short by the deadline says less than the one before.
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w after %s: %w",
				what, ctx.Err(), time.Since(began).Round(time.Millisecond), last)
		case <-ticker.C:
		}
	}
}
