package fetch

import (
	"context"
	"fmt"
)

// Claim is memory for what is made of a body. It counts as if bodies held it, so
// that all together stay within the budget. It is not safe for concurrent use;
// make it with [Client.Claim]. Nil is one of nothing.
type Claim struct {
	memory *memory
	beside int64 // what the body holds
	size   int64
}

// Claim returns a claim that is still empty. It is for something that is made while
// the body, which may be nil, is not released.
func (c *Client) Claim(beside *Body) *Claim {
	claim := &Claim{memory: c.memory}
	if beside != nil {
		claim.beside = int64(cap(beside.buffer))
	}
	return claim
}

// Grow adds so many bytes if there are as many.
func (c *Claim) Grow(n int64) error {
	return c.grow(context.Background(), n, false)
}

// Wait adds so many bytes when there are as many. It fails at once if it could wait
// for ever, as those have to finish first who wait themselves.
func (c *Claim) Wait(ctx context.Context, n int64) error {
	if n > c.memory.budget/3 {
		return fmt.Errorf("%w: %d bytes are needed of %d", ErrBudget, n, c.memory.budget)
	}
	return c.grow(ctx, n, true)
}

func (c *Claim) grow(ctx context.Context, n int64, wait bool) error {
	if err := c.memory.take(ctx, n, c.beside+c.size, wait); err != nil {
		return err
	}
	defer c.memory.mu.Unlock()
	c.memory.shrink()
	c.size += n
	return nil
}

// Keep gives back all but so many bytes.
func (c *Claim) Keep(n int64) {
	if c == nil || c.size <= n {
		return
	}
	c.memory.mu.Lock()
	defer c.memory.mu.Unlock()
	c.memory.held -= c.size - n
	c.size = n
	c.memory.serve()
	c.memory.shrink()
}

// Release gives everything back. It can be called again.
func (c *Claim) Release() { c.Keep(0) }
