package fetch

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func newClaim(m *memory) *Claim { return (&Client{memory: m}).Claim(nil) }

func TestClaim(t *testing.T) {
	m := newMemory(100 << 10)
	m.put(must(t, m, 60<<10)) // idle
	c := newClaim(m)
	if err := c.Grow(70 << 10); err != nil {
		t.Fatal(err)
	}
	if got, want := usage(m), [2]int64{70 << 10, 0}; got != want {
		t.Errorf("usage %v, want %v: what is idle makes room", got, want)
	}
	if err := c.Grow(31 << 10); !errors.Is(err, ErrBudget) {
		t.Errorf("beyond the budget: %v", err)
	}
	c.Keep(80 << 10)
	c.Keep(10 << 10)
	if got, want := usage(m), [2]int64{10 << 10, 0}; got != want {
		t.Errorf("usage %v, want %v", got, want)
	}
	c.Release()
	c.Release()
	(*Claim)(nil).Release()
	if got := usage(m); got != [2]int64{} {
		t.Errorf("usage %v", got)
	}
}

func TestClaimWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(120 << 10)
		other, c := must(t, m, 100<<10), newClaim(m)
		grown := make(chan error)
		go func() { grown <- c.Wait(t.Context(), 30<<10) }()
		synctest.Wait()
		select {
		case err := <-grown:
			t.Fatalf("it does not wait: %v", err)
		default:
		}
		m.put(other)
		if err := <-grown; err != nil {
			t.Error(err)
		}
		if held, _ := m.usage(); held != 30<<10 {
			t.Errorf("%d bytes are held", held)
		}
	})
}

// TestClaimWaitsForNothing: it is an error at once, or when the time is over, if it
// could keep others waiting for ever.
func TestClaimWaitsForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(120 << 10)
		body := &Body{buffer: must(t, m, 40<<10), memory: m}
		other := must(t, m, 60<<10)
		began := time.Now()
		if err := newClaim(m).Wait(t.Context(), 41<<10); !errors.Is(err, ErrBudget) {
			t.Errorf("more than a third of the budget: %v", err)
		}
		if err := (&Client{memory: m}).Claim(body).Wait(t.Context(), 30<<10); !errors.Is(err, ErrBudget) {
			t.Errorf("with more than a quarter of the budget in its hands: %v", err)
		}
		if !time.Now().Equal(began) {
			t.Error("it has waited")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := newClaim(m).Wait(ctx, 30<<10); !errors.Is(err, ErrBudget) || !time.Now().Equal(began.Add(time.Second)) {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		m.put(other)
		body.Release()
		if got := usage(m); got[0] != 0 {
			t.Errorf("usage %v", got)
		}
	})
}
