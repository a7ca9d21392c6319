package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"

	"github.com/kubevitals/kubevitals/internal/election"
	"github.com/kubevitals/kubevitals/internal/rbac"
	"github.com/kubevitals/kubevitals/operator"
)

// leaderFlags are the flags of leader election.
type leaderFlags struct {
	set *pflag.FlagSet

	elect                  bool
	namespace, name        string
	lease, deadline, retry time.Duration
}

// add adds the flags. The name is that of the Lease, if no other is given.
func (f *leaderFlags) add(cmd *cobra.Command, name string) {
	flags := cmd.Flags()
	f.set = flags
	flags.BoolVar(&f.elect, "leader-elect", false, "of several replicas only one pushes and writes into the cluster, while all serve; it takes a Lease")
	flags.StringVar(&f.namespace, "leader-elect-namespace", "", "namespace of the Lease (default the one this runs in)")
	flags.StringVar(&f.name, "leader-elect-name", name, "name of the Lease")
	flags.DurationVar(&f.lease, "leader-elect-lease-duration", 15*time.Second, "how long nobody leads at most when the leader has gone without a word")
	flags.DurationVar(&f.deadline, "leader-elect-renew-deadline", 8*time.Second, "how long the leader tries to stay one before it gives up")
	flags.DurationVar(&f.retry, "leader-elect-retry-period", time.Second, "how far apart tries are")
}

// place returns the namespace of the Lease.
func (f *leaderFlags) place() (string, error) {
	if f.namespace != "" {
		return f.namespace, nil
	}
	namespace, err := ownNamespace(podNamespaceFile)
	if err != nil {
		return "", fmt.Errorf("--leader-elect: %w (name the namespace of the Lease with --leader-elect-namespace)", err)
	}
	return namespace, nil
}

// allow adds what the election takes, in the namespace of the Lease or of the
// account. Shards have a Lease each, and it is not known how many they will be.
func (f *leaderFlags) allow(to *rbac.Permissions, namespace string, shards bool) {
	if !f.elect {
		return
	}
	name := f.name
	if shards {
		name = ""
	}
	lease := rbac.Permission{Group: "coordination.k8s.io", Resource: "leases", Why: "--leader-elect"}
	for _, p := range []struct {
		name  string
		verbs []string
	}{{"", []string{"create"}}, {name, []string{"get", "update"}}} { // a name says nothing of what does not exist yet
		lease.Name, lease.Verbs = p.name, p.verbs
		to.Allow(lease, cmp.Or(f.namespace, namespace))
	}
}

// check reports flags that have no effect.
func (f *leaderFlags) check() (err error) {
	f.set.Visit(func(flag *pflag.Flag) {
		if len(flag.Name) > len("leader-elect-") && flag.Name[:len("leader-elect-")] == "leader-elect-" && !f.elect && err == nil {
			err = fmt.Errorf("--%s goes with --leader-elect", flag.Name)
		}
	})
	if f.elect && (f.retry <= 0 || f.deadline <= f.retry || f.lease <= f.deadline) {
		err = errors.New("--leader-elect-*: expected a lease duration that is longer than the renew deadline, which is longer than the retry period")
	}
	return err
}

// leading is the part that this process takes in an election.
type leading struct {
	elector *election.Elector
	name    string
}

// prepare returns an elector, nil if the flags want none.
func (f *leaderFlags) prepare(cluster func() (*rest.Config, error), log *slog.Logger) (*leading, error) {
	if err := f.check(); err != nil || !f.elect {
		return nil, err
	}
	namespace, err := f.place()
	if err != nil {
		return nil, err
	}
	config, err := cluster()
	if err != nil {
		return nil, fmt.Errorf("--leader-elect: %w", err)
	}
	e, err := election.New(config, election.Options{
		Namespace: namespace, Name: f.name, LeaseDuration: f.lease, RenewDeadline: f.deadline, RetryPeriod: f.retry, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	return &leading{e, namespace + "/" + f.name}, nil
}

// instance is the same for all replicas, and for those that come after them.
func (l *leading) instance() string { return cmp.Or(l.elector.UID(), l.name) }

// register hangs the election on the servers.
func (l *leading) register(to *servers) {
	to.op.Daemon("leader", l.elector.Run)
	to.op.Collect("leader", l.elector.Collect)
	to.each(func(op *operator.Operator) {
		op.Check(operator.Ready, "leader", func(context.Context) error { return operator.Warning(l.elector.Err()) })
	})
}
