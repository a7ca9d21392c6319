package otelreceiver

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
	"go.uber.org/zap/exp/zapslog"
)

// stateReceiver is a receiver. Between Start and Shutdown it has a session; it can
// be started again.
type stateReceiver struct {
	config   *Config
	settings receiver.Settings
	next     consumer.Metrics
	log      *slog.Logger

	mu   sync.Mutex
	stop context.CancelFunc // nil before the first session, as done
	done chan struct{}      // closed when the session has ended
}

func newReceiver(c *Config, settings receiver.Settings, next consumer.Metrics) (*stateReceiver, error) {
	if next == nil {
		return nil, errors.New("the receiver has no consumer")
	}
	log := slog.New(zapslog.NewHandler(settings.Logger.Core()))
	return &stateReceiver{config: c, settings: settings, next: next, log: log}, nil
}

// Start compiles the rules and begins to read objects. It waits for nothing: a
// cluster that does not answer is tried again.
func (r *stateReceiver) Start(_ context.Context, host component.Host) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done != nil {
		select {
		case <-r.done: // it was shut down, or has ended on its own
		default:
			return errors.New("the receiver has been started already, and has not ended yet")
		}
	}
	s, err := r.open(host)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background()) // that of Start is for starting only
	done := make(chan struct{})
	r.stop, r.done = cancel, done
	go func() {
		defer close(done)
		if err := s.run(ctx); err != nil {
			r.log.Error("The receiver has not ended as it should", "err", err)
			componentstatus.ReportStatus(host, componentstatus.NewPermanentErrorEvent(err))
		}
	}()
	return nil
}

// Shutdown ends what Start began, and waits for it as long as ctx allows.
func (r *stateReceiver) Shutdown(ctx context.Context) error {
	r.mu.Lock()
	stop, done := r.stop, r.done
	r.mu.Unlock()
	if done == nil {
		return nil
	}
	stop()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the receiver has not ended yet: %w", ctx.Err())
	}
}

// warnings logs what was written to it, line by line.
func (r *stateReceiver) warnings(text *bytes.Buffer) {
	for lines := bufio.NewScanner(text); lines.Scan(); {
		r.log.Warn("Rules", "warning", lines.Text())
	}
}

// sorted returns a sorted copy.
func sorted(names []string) []string { return slices.Sorted(slices.Values(names)) }

// scrapeTimeout returns how long one collection may take.
func (c *Config) scrapeTimeout() time.Duration {
	return min(max(c.CollectionInterval, 10*time.Second), 2*time.Minute)
}
