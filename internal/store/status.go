package store

import (
	"context"
	"slices"
	"time"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// KindStatus is what is known about a kind.
type KindStatus struct {
	// GVK is the kind and the version that is listed.
	GVK rule.GVK
	// Documents are the names of the rule documents that ask for the kind.
	Documents []string
	// Objects and Series count what the store holds of its shard.
	Objects, Series int
	// Answered is set once the kind has been listed or refused.
	Answered bool
	// Reason is why the last contact failed, or empty.
	Reason string
	// Err is the failure itself, or empty.
	Err string
	// LastContact is when the source last answered well. It is zero if never.
	LastContact time.Time
	// ListDuration is how long the last list took.
	ListDuration time.Duration
	// Added, Modified and Deleted count changes that were seen of its objects.
	Added, Modified, Deleted uint64
}

// Up reports whether the last contact was good.
func (k KindStatus) Up() bool { return k.Answered && k.Reason == "" }

// The reasons why a kind is not up.
const (
	ReasonForbidden    = "forbidden"
	ReasonUnauthorized = "unauthorized"
	ReasonUnreachable  = "unreachable"
	ReasonTimeout      = "timeout"
	ReasonNotFound     = "not_found"
	ReasonRejected     = "rejected" // the request, such as a selector that the kind does not have
	ReasonError        = "error"
)

// contact notes an answer. The caller holds the mutex.
func (k *Kind) contact() {
	if k.status.Reason != "" {
		k.store.log.Info("Kind can be read again", "kind", k.status.GVK.String())
	}
	if k.status.Reason != "" || !k.status.Answered {
		k.store.changed()
	}
	k.status.LastContact = time.Now()
	k.status.Answered = true
	k.status.Reason, k.status.Err = "", ""
}

// Contact notes that the source still answers although nothing has changed.
func (k *Kind) Contact() {
	k.store.mu.Lock()
	defer k.store.mu.Unlock()
	if k.status.Answered {
		k.contact()
	}
}

// Fail notes that the source did not answer, or refused to. What the kind holds
// stays. A refusal is an answer as far as readiness goes.
func (k *Kind) Fail(reason string, err error) {
	k.store.mu.Lock()
	defer k.store.mu.Unlock()
	k.fail(reason, err)
}

// Lost is Fail for a source that is asked for each scrape: the kind holds
// nothing afterwards.
func (k *Kind) Lost(reason string, err error) {
	k.store.mu.Lock()
	defer k.store.mu.Unlock()
	if k.removeExcept(nil) {
		k.store.changed()
	}
	k.fail(reason, err)
}

// fail notes a failure and logs a new one. The caller holds the mutex.
func (k *Kind) fail(reason string, err error) {
	if reason != k.status.Reason {
		k.store.log.Warn("Kind cannot be read", "kind", k.status.GVK.String(), "reason", reason, "err", err)
		k.store.changed()
	}
	k.status.Reason, k.status.Err = reason, err.Error()
	k.status.Answered = k.status.Answered || reason == ReasonForbidden || reason == ReasonRejected
}

// Status returns the state of all kinds, in rule order. What is read of one kind
// in several ways, such as namespace by namespace, is put together.
func (s *Store) Status() []KindStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []KindStatus
	places := make(map[rule.GVK]int, len(s.kinds))
	for _, k := range s.kinds {
		status := k.status
		status.Objects = len(k.objects) - k.others
		i, known := places[status.GVK]
		if !known {
			places[status.GVK] = len(out)
			out = append(out, status)
			continue
		}
		out[i].join(status)
	}
	return out
}

// join adds the state of another part of the same kind.
func (k *KindStatus) join(other KindStatus) {
	k.Documents = slices.Compact(slices.Sorted(slices.Values(slices.Concat(k.Documents, other.Documents))))
	k.Objects += other.Objects
	k.Series += other.Series
	k.Answered = k.Answered && other.Answered
	if k.Reason == "" {
		k.Reason, k.Err = other.Reason, other.Err
	}
	if other.LastContact.Before(k.LastContact) {
		k.LastContact = other.LastContact
	}
	k.ListDuration = max(k.ListDuration, other.ListDuration)
	k.Added += other.Added
	k.Modified += other.Modified
	k.Deleted += other.Deleted
}

// Collect is an [operator.CollectorFunc] that gives the store's own metrics.
func (s *Store) Collect(_ context.Context, emit func(operator.Metric)) error {
	for _, k := range s.Status() {
		k.collect(emit)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	dropped := make(map[string]uint64)
	for key, n := range s.problems {
		dropped[key.reason] += n
		emit(operator.Metric{
			Name: "kubevitals_state_rule_errors_total", Help: "What rules asked for and objects could not give, by family and reason.",
			Type: metric.Counter, Labels: metric.Labels("rule", s.families[key.family].desc.Name, "reason", key.reason), Value: float64(n),
		})
	}
	for _, reason := range slices.DeleteFunc(slices.Clone(rule.Reasons), func(r string) bool { return r == rule.ReasonUnlisted }) {
		emit(operator.Metric{
			Name: "kubevitals_state_samples_dropped_total", Help: "Samples that were not made, by reason.",
			Type: metric.Counter, Labels: metric.Labels("reason", reason), Value: float64(dropped[reason]),
		})
	}
	return nil
}

// collect gives the metrics of one kind.
func (k KindStatus) collect(emit func(operator.Metric)) {
	gvk := []string{"group", k.GVK.Group, "version", k.GVK.Version, "kind", k.GVK.Kind}
	give := func(name, help, unit string, t metric.Type, value float64, labels ...string) {
		emit(operator.Metric{
			Name: "kubevitals_state_kind_" + name, Help: help, Unit: unit, Type: t, Value: value,
			Labels: metric.Labels(slices.Concat(gvk, labels)...),
		})
	}
	up := 0.0
	if k.Up() {
		up = 1
	}
	give("up", "Whether the last list or watch of the kind was answered.", "", metric.Gauge, up)
	if k.Reason != "" {
		give("error_info", "Why the kind is not up.", "", metric.Info, 1, "reason", k.Reason)
	}
	give("objects", "Objects of the kind.", "", metric.Gauge, float64(k.Objects))
	give("series", "Series that the objects of the kind give.", "", metric.Gauge, float64(k.Series))
	if !k.LastContact.IsZero() {
		give("last_contact_age_seconds", "Time since the source last answered for the kind.", "seconds", metric.Gauge,
			time.Since(k.LastContact).Seconds())
		give("list_duration_seconds", "How long the last list of the kind took.", "seconds", metric.Gauge, k.ListDuration.Seconds())
	}
	for event, n := range map[string]uint64{"added": k.Added, "modified": k.Modified, "deleted": k.Deleted} {
		give("events_total", "Changes of objects of the kind that were seen, by a watch or between two lists.", "", metric.Counter, float64(n), "event", event)
	}
}
