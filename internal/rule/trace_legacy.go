package rule

import (
	"slices"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// legacyTrace is what an [Evaluator] of another package has said about the
// sample to come.
type legacyTrace struct {
	labels []metric.Label
	from   []string
	source func(name string) string
	known  []metric.Label
}

// Known says which labels all samples have.
func (t *Trace) Known(labels []metric.Label) { t.legacy.known = slices.Clone(labels) }

// At says where in the object an evaluator is.
func (t *Trace) At(steps ...Detail) {
	t.flush()
	t.scopes = [][]Detail{steps}
}

// Stop says why there is no sample, and more about it.
func (t *Trace) Stop(why string, more ...string) { t.stop(why, more) }

// Emitting says where the sample comes from that is about to be made: its value,
// and each label by its name. A label without a source is one of
// [Context.Base].
func (t *Trace) Emitting(labels []metric.Label, from []string, source func(name string) string) {
	t.flush()
	t.legacy.labels, t.legacy.from, t.legacy.source = slices.Clone(labels), from, source
}

// sources say where the labels of a sample come from.
func (l *legacyTrace) sources(t *Trace, labels []metric.Label) []LabelSource {
	out := make([]LabelSource, len(labels))
	for i := range labels {
		out[i] = LabelSource{Name: labels[i].Name, Value: labels[i].Value, From: t.baseFrom(labels[i].Name)}
		if l.source != nil {
			if from := l.source(labels[i].Name); from != "" {
				out[i].From = from
			}
		}
	}
	return out
}

// baseFrom says where a label comes from that the document or the resource
// gives.
func (t *Trace) baseFrom(name string) string {
	for _, l := range t.c.resource.base {
		if l.name == name {
			return t.labelFrom(l.value)
		}
	}
	return ""
}
