package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
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

// prepare returns what the flags ask for. With others that push, the flags of
// pushing make sense without an endpoint.
func (f *pushFlags) prepare(cluster func() (*rest.Config, error), log *slog.Logger, others bool) (p pushes, err error) {
	if p.leader, err = f.leader.prepare(cluster, log); err != nil {
		return p, err
	}
	p.otlp, err = f.otlp.prepare(os.Getenv, log, others)
	if err == nil && p.leader != nil && p.otlp == nil && !others {
		err = errors.New("--leader-elect goes with --otlp-endpoint: nothing is pushed that one of several replicas could do alone")
	}
	return p, err
}

// changing is what knows that there is something to push.
type changing interface {
	// onChange has a function called when something has changed, which must not
	// wait, until stop is called.
	onChange(fn func()) (stop func())
	// await waits until everything is known for the first time. It returns false if
	// the context ends before.
	await(ctx context.Context) bool
	// failure is why what is known may have gone only because nobody answers.
	failure() error
	// otlpNames are the names of families in OTLP, by their own.
	otlpNames() map[string]string
}

// listeners are told of changes. The zero value is ready.
type listeners struct {
	mu   sync.Mutex
	last int
	fns  map[int]func()
}

func (l *listeners) onChange(fn func()) (stop func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fns == nil {
		l.fns = make(map[int]func())
	}
	l.last++
	id := l.last
	l.fns[id] = fn
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.fns, id)
	}
}

// tell tells all of them.
func (l *listeners) tell() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, fn := range l.fns {
		fn()
	}
}

// register hangs them on the servers, whose collectors are pushed but for some. c
// may be nil.
func (p pushes) register(to *servers, log *slog.Logger, c changing, except ...string) error {
	if p.leader != nil {
		p.leader.register(to)
	}
	if p.otlp == nil {
		return nil
	}
	if c != nil {
		p.otlp.options.Names = c.otlpNames
	}
	pusher, err := p.otlp.pusher(to.op, p.leader, c, except...)
	if err != nil {
		return err
	}
	p.otlp.register(to.op, pusher, c, log)
	if c != nil {
		c.onChange(pusher.Notify)
	}
	return nil
}
