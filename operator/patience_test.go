package operator_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevitals/kubevitals/operator"
)

// Scrapes that share a call may have different deadlines.

// A scrape that has joined a call calls again only if it has more time than the
// one that began it.
func TestJoinedScrapesCallASlowCollectorAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		var calls atomic.Int32
		o.Collect("slow", func(ctx context.Context, _ func(operator.Metric)) error {
			calls.Add(1)
			<-ctx.Done()
			return ctx.Err()
		})
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { scrape(t, o) })
		}
		wg.Wait()
		if n := calls.Load(); n != 1 {
			t.Errorf("%d calls of ten scrapes at once, want 1", n)
		}
	})
}

// A call is waited for as long as the most patient scrape does, also when a
// Timeout is set that is longer still.
func TestShortDeadlineEndsTheWaitOfOthersWithTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		o.Collect("c", func(_ context.Context, emit func(operator.Metric)) error {
			time.Sleep(3 * time.Second)
			emit(gauge("a", 1))
			return nil
		}, operator.Timeout(5*time.Second))
		var wg sync.WaitGroup
		wg.Go(func() { wantSeries(t, scrape(t, o, timeoutHeader, "1")) })
		synctest.Wait()
		wg.Go(func() { wantSeries(t, scrape(t, o, timeoutHeader, "10"), "a 1") })
		wg.Wait()
		time.Sleep(time.Minute)
	})
}

// The scrape that gives up on a call before others do lacks the collector's
// samples, but says that it is up.
func TestImpatientScrapeSaysUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		o.Collect("c", func(_ context.Context, emit func(operator.Metric)) error {
			time.Sleep(5 * time.Second)
			emit(gauge("a", 1))
			return nil
		})
		var wg sync.WaitGroup
		wg.Go(func() { scrape(t, o, timeoutHeader, "10") })
		synctest.Wait()
		wantLines(t, scrape(t, o, timeoutHeader, "1"), up("c", 0))
		wg.Wait()
	})
}
