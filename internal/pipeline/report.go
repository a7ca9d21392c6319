package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

// ConditionType is the type of the condition that is reported. Its domain keeps it
// apart from those of Kyma's telemetry module: ConfigurationGenerated,
// GatewayHealthy, AgentHealthy and TelemetryFlowHealthy.
const ConditionType = "kubevitals.io/Pushing"

// Condition is what is reported in the status of a MetricPipeline, under
// [ConditionType].
type Condition struct {
	// Status is True, False or Unknown.
	Status string
	// Reason is one word, and Message a text for people.
	Reason, Message string
}

const (
	maxMessage = 1024             // how long a message may be
	forbidden  = 10 * time.Minute // how long a refusal keeps from trying again
	maxTries   = 5                // to be the one who changes a status
)

// statuses is what has been reported.
type statuses struct {
	mu      sync.Mutex // held while one is written
	written map[string]Condition
	refused map[string]time.Time // when, by pipeline
	warned  bool
}

func newStatuses() statuses {
	return statuses{written: make(map[string]Condition), refused: make(map[string]time.Time)}
}

// Report writes a condition to the status of a MetricPipeline, unless it is there
// already; other conditions stay as they are. That this is not allowed is no error:
// it is logged once, and tried again after ten minutes. Nor is it an error if there
// is no such pipeline any more.
func (w *Watcher) Report(ctx context.Context, name string, c Condition) error {
	if !slices.Contains([]string{"True", "False", "Unknown"}, c.Status) || c.Reason == "" {
		return fmt.Errorf("status of metricpipeline %s: condition %+v needs a reason, and a status that is True, False or Unknown", name, c)
	}
	if r := []rune(c.Message); len(r) > maxMessage {
		c.Message = string(r[:maxMessage-1]) + "…"
	}
	s := &w.status
	s.mu.Lock()
	defer s.mu.Unlock()
	client, known := w.served()
	if !known {
		return nil
	}
	w.mu.Lock()
	object := w.objects[name]
	there := object != nil && holds(object, c)
	w.mu.Unlock()
	if object == nil {
		delete(s.written, name)
		return nil
	}
	if there && s.written[name] == c || time.Since(s.refused[name]) < forbidden {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, maxRequest)
	defer cancel()
	err := write(ctx, client, name, c)
	switch {
	case err == nil:
		s.written[name] = c
		delete(s.refused, name)
	case apierrors.IsNotFound(err):
		delete(s.written, name)
	case apierrors.IsForbidden(err), errors.Is(err, errNoStatus):
		s.refused[name] = time.Now()
		if !s.warned {
			w.log.Warn("The status of MetricPipelines cannot be written; nothing else depends on it", "metricpipeline", name, "err", err)
		}
		s.warned = true
	default:
		return fmt.Errorf("writing the status of metricpipeline %s: %w", name, err)
	}
	return nil
}

// errNoStatus is that there is no place for a condition.
var errNoStatus = errors.New("the CustomResourceDefinition has no status subresource with conditions")

// write brings a condition into the status of an object as it is now.
func write(ctx context.Context, client dynamic.ResourceInterface, name string, c Condition) error {
	var err error
	for range maxTries {
		var u *unstructured.Unstructured
		if u, err = client.Get(ctx, name, metav1.GetOptions{}); err != nil {
			return err
		}
		if holds(u, c) {
			return nil
		}
		if err = put(u, c, time.Now()); err != nil {
			return err
		}
		after, updateErr := client.UpdateStatus(ctx, u, metav1.UpdateOptions{})
		switch err = updateErr; {
		case err == nil && !holds(after, c), apierrors.IsNotFound(err):
			return errNoStatus
		case !apierrors.IsConflict(err):
			return err
		}
	}
	return err
}

// conditionsOf returns the conditions of an object, and which of them is ours.
func conditionsOf(u *unstructured.Unstructured) (all []any, own int) {
	status, _ := u.Object["status"].(map[string]any)
	all, _ = status["conditions"].([]any)
	return all, slices.IndexFunc(all, func(x any) bool {
		m, _ := x.(map[string]any)
		return m["type"] == ConditionType
	})
}

// holds reports whether an object has the condition, for what it is now.
func holds(u *unstructured.Unstructured, c Condition) bool {
	all, i := conditionsOf(u)
	if i < 0 {
		return false
	}
	m, _ := all[i].(map[string]any)
	generation, _, _ := unstructured.NestedInt64(m, "observedGeneration")
	return m["status"] == c.Status && m["reason"] == c.Reason && m["message"] == c.Message && generation == u.GetGeneration()
}

// Reported reports whether the status of a MetricPipeline has the condition.
func (w *Watcher) Reported(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	object := w.objects[name]
	if object == nil {
		return false
	}
	_, i := conditionsOf(object)
	return i >= 0
}

// put sets the condition. The time of its transition is that of its status.
func put(u *unstructured.Unstructured, c Condition, now time.Time) error {
	all, i := conditionsOf(u)
	all = slices.Clone(all)
	since := now.UTC().Format(time.RFC3339)
	if i >= 0 {
		old, _ := all[i].(map[string]any)
		if at, ok := old["lastTransitionTime"].(string); ok && old["status"] == c.Status {
			since = at
		}
	} else {
		i = len(all)
		all = append(all, nil)
	}
	all[i] = map[string]any{
		"type": ConditionType, "status": c.Status, "reason": c.Reason, "message": c.Message,
		"observedGeneration": u.GetGeneration(), "lastTransitionTime": since,
	}
	return unstructured.SetNestedSlice(u.Object, all, "status", "conditions")
}
