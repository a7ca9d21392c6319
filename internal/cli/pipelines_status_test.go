package cli

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/internal/pipeline"
)

// apiServer notes the conditions that are written, and can hang or fail.
type apiServer struct {
	hang, fail, leads atomic.Bool
	written           []string // by the one goroutine that writes
}

func (s *apiServer) write(ctx context.Context, name string, c pipeline.Condition) error {
	if s.hang.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	if s.fail.Load() {
		return errors.New("not now")
	}
	s.written = append(s.written, name+" "+c.Reason)
	return nil
}

func (s *apiServer) statuses(t *testing.T) *pipelineStatuses {
	t.Helper()
	out := newPipelineStatuses(s.write, s.leads.Load, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); out.run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return out
}

func reason(s string) pipeline.Condition { return pipeline.Condition{Status: "True", Reason: s} }

// TestPipelineStatuses: who says something never waits, the newest is written, by
// the one who leads, and what could not be written is written later.
func TestPipelineStatuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var server apiServer
		s := server.statuses(t)
		expect := func(want ...string) {
			t.Helper()
			synctest.Wait()
			if diff := cmp.Diff(want, server.written); diff != "" {
				t.Errorf("written (-want +got):\n%s", diff)
			}
		}
		s.say("a", reason("Early"))
		time.Sleep(time.Minute)
		expect()
		server.leads.Store(true)
		time.Sleep(lookForTerm)
		expect("a Early")

		server.hang.Store(true)
		began := time.Now()
		s.say("a", reason("Old"))
		s.say("b", reason("Other"))
		synctest.Wait() // "Old" hangs
		s.say("a", reason("New"))
		if took := time.Since(began); took != 0 {
			t.Errorf("to say something took %s", took)
		}
		time.Sleep(2 * writeLimit)
		server.hang.Store(false)
		server.fail.Store(true)
		time.Sleep(2 * writeAgain)
		expect("a Early")
		server.fail.Store(false)
		time.Sleep(2 * writeAgain)
		expect("a Early", "a New", "b Other")
	})
}

// TestPipelineStatusesNil: pipelines of a file have no status.
func TestPipelineStatusesNil(*testing.T) { (*pipelineStatuses)(nil).say("a", reason("X")) }
