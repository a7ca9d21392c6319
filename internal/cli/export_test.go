package cli

import (
	"context"
	"log/slog"

	"github.com/kubevitals/kubevitals/internal/pods/fetch"
	"github.com/kubevitals/kubevitals/internal/pods/target"
	"github.com/kubevitals/kubevitals/operator"
)

// KSMFlag is a row of the table of kube-state-metrics' flags, for tests.
type KSMFlag struct {
	Name, Option, Here, Warning string
}

// KSMFlags returns the table.
func KSMFlags() (out []KSMFlag) {
	for _, f := range ksmTable(new(ksmFlags)) {
		out = append(out, KSMFlag{f.name, f.option, f.here, f.warning})
	}
	return out
}

// PodAuth is how pods are told who asks, for tests.
type PodAuth struct{ *podAuth }

// NewPodAuth reads the files.
func NewPodAuth(file string, log *slog.Logger) (PodAuth, error) {
	a, err := newPodAuth(file, log)
	return PodAuth{a}, err
}

// Find returns what is used for a target.
func (a PodAuth) Find(t *target.Target) *fetch.Auth { return a.find(t) }

// Refresh reads the files again.
func (a PodAuth) Refresh(ctx context.Context) error { return a.refresh(ctx) }

// Collect says whether the files are in use.
func (a PodAuth) Collect(ctx context.Context, emit func(operator.Metric)) error {
	return a.collect(ctx, emit)
}

// Check warns of files that cannot be used.
func (a PodAuth) Check(ctx context.Context) error { return a.check(ctx) }

// WarnOfMemory says in the log that a budget is too large for the container.
func WarnOfMemory(root string, budget int64, log *slog.Logger) {
	f := askFlags{budget: quantity(budget)}
	f.warn(root, log)
}

// What tests call directly.
var (
	Keep        = keep
	CgroupLimit = cgroupLimit

	OwnNamespace = ownNamespace
)
