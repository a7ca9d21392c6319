package watch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubevitals/kubevitals/internal/pods/target"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// Ready returns nil once everything has been listed, and as long as the API server
// has been heard of since [Options.StaleAfter]. The error says what it answered and
// which permission is missing.
func (w *Watcher) Ready(context.Context) error {
	var errs []error
	feeds := w.feeds()
	for _, f := range feeds {
		if err := f.ready(); err != nil {
			errs = append(errs, err)
		}
	}
	const most = 3
	if n := len(errs); n > most {
		errs = append(errs[:most], fmt.Errorf("and %d more", n-most))
	}
	if len(errs) == 0 && !w.snapshot.Load().complete {
		return errors.New("pods have been listed; their targets are being made")
	}
	return errors.Join(errs...)
}

// ready says why a feed is not, or nil.
func (f *feed) ready() error {
	s := f.state()
	what := f.resource
	if f.namespace != "" {
		what += fmt.Sprintf(" in namespace %q", f.namespace)
	}
	age := time.Since(s.contact)
	switch {
	case !s.synced && s.err == nil:
		return fmt.Errorf("%s have not been listed yet", what)
	case !s.synced:
		return fmt.Errorf("%s have not been listed: %w", what, f.explain(s.err))
	case age <= f.watcher.stale:
		return nil
	case s.err == nil:
		return fmt.Errorf("%s: the API server has not been heard of for %s", what, age.Round(time.Second))
	default:
		return fmt.Errorf("%s: the API server has not been heard of for %s: %w", what, age.Round(time.Second), f.explain(s.err))
	}
}

// explain says what to do about an answer.
func (f *feed) explain(err error) error {
	switch {
	case apierrors.IsForbidden(err):
		role := "ClusterRole"
		if f.namespace != "" {
			role = "Role"
		}
		return fmt.Errorf("the API server answers 403: %w; a %s must allow list and watch of %s", err, role, f.resource)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("the API server answers 401: %w; it does not accept the token or certificate", err)
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Code != 0 {
		return fmt.Errorf("the API server answers %d: %w", status.Status().Code, err)
	}
	return fmt.Errorf("the API server cannot be reached: %w", err)
}

// stateActive is the state of a target without problem.
const stateActive = "active"

// Collect gives the metrics of the watcher; it is a collector of the operator SDK.
func (w *Watcher) Collect(_ context.Context, emit func(operator.Metric)) error {
	counts := make(map[string]int)
	for _, t := range w.Targets() {
		if t.Problem == "" {
			counts[stateActive]++
		} else {
			counts[t.Problem]++
		}
	}
	for _, state := range append([]string{stateActive}, target.Problems...) {
		emit(operator.Metric{
			Name: "kubevitals_pods_targets", Help: "Targets by whether they are scraped, or why not.", Type: metric.Gauge,
			Labels: metric.Labels("state", state), Value: float64(counts[state]),
		})
	}
	for _, f := range w.feeds() {
		f.collect(emit)
	}
	return nil
}

func (f *feed) collect(emit func(operator.Metric)) {
	s := f.state()
	gauge := func(name, help string, t metric.Type, value float64) {
		emit(operator.Metric{
			Name: "kubevitals_pods_watch_" + name, Help: help, Type: t,
			Labels: metric.Labels("namespace", f.namespace, "resource", f.resource), Value: value,
		})
	}
	up := 0.0
	if s.synced && s.err == nil {
		up = 1
	}
	gauge("up", "Whether the API server's last answer was good, and everything has been listed.", metric.Gauge, up)
	gauge("objects", "Objects that are known.", metric.Gauge, float64(len(f.ListKeys())))
	gauge("errors_total", "Requests to the API server that have failed.", metric.Counter, float64(s.errors))
	if !s.contact.IsZero() {
		gauge("last_contact_timestamp_seconds", "When the API server was last heard of.", metric.Gauge, float64(s.contact.UnixMilli())/1000)
	}
}

// Rule is a permission that a watcher needs.
type Rule struct {
	// APIGroups, Resources and Verbs are as in a Role.
	APIGroups, Resources, Verbs []string
	// Namespace is where; empty for the whole cluster, which needs a ClusterRole.
	Namespace string
}

// Permissions returns the least that a watcher with the options needs: to list and
// watch pods in each namespace or the cluster, and namespaces if they are selected
// by labels. Options that New refuses need nothing.
func Permissions(o Options) []Rule {
	queries, err := o.queries()
	if err != nil {
		return nil
	}
	out := make([]Rule, 0, len(queries))
	for _, q := range queries {
		out = append(out, Rule{
			APIGroups: []string{""}, Resources: strings.Fields(q.resource), Verbs: []string{"list", "watch"}, Namespace: q.namespace,
		})
	}
	return out
}
