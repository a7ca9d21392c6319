package cli

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"

	"github.com/kubevitals/kubevitals/internal/otlp"
	"github.com/kubevitals/kubevitals/operator"
)

// pushFlags are the flags of all that a command does besides being asked.
type pushFlags struct {
	otlp   otlpFlags
	leader leaderFlags
}

// add adds the flags. The lease is the name of the Lease of replicas.
func (f *pushFlags) add(cmd *cobra.Command, lease string) {
	f.otlp.add(cmd)
	f.leader.add(cmd, lease)
}

// pushes are a push and an election, each of which may be nil.
type pushes struct {
	otlp   *pushing
	leader *leading
}

// prepare returns what the flags ask for.
func (f *pushFlags) prepare(cluster func() (*rest.Config, error), log *slog.Logger) (p pushes, err error) {
	if p.leader, err = f.leader.prepare(cluster, log); err != nil {
		return p, err
	}
	p.otlp, err = f.otlp.prepare(os.Getenv, log)
	return p, err
}

// changing is what knows that there is something to push.
type changing interface {
	// revision is another value when something has changed.
	revision() any
	// otlpNames are the names of families in OTLP, by their own.
	otlpNames() map[string]string
}

// register hangs them on an Operator, whose collectors are pushed but for some. c
// may be nil.
func (p pushes) register(op *operator.Operator, log *slog.Logger, c changing, except ...string) error {
	if p.leader != nil {
		p.leader.register(op)
	}
	if p.otlp == nil {
		return nil
	}
	if c != nil {
		p.otlp.options.Names = c.otlpNames
	}
	pusher, err := p.otlp.pusher(op, p.leader, except...)
	if err != nil {
		return err
	}
	p.otlp.register(op, pusher, log)
	if c != nil {
		op.Daemon("otlp_changes", func(ctx context.Context) error { return notify(ctx, c, pusher) })
	}
	return nil
}

// notify tells a pusher of changes.
func notify(ctx context.Context, c changing, pusher *otlp.Pusher) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for last := c.revision(); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if now := c.revision(); now != last {
			last = now
			pusher.Notify()
		}
	}
}
