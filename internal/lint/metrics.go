package lint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// checkMetrics reports what works, but will not serve its users well.
func (l *linter) checkMetrics(readings []rule.Reading) {
	for i := range readings {
		r := &readings[i]
		l.checkName(r)
		l.checkCardinality(r)
		l.checkTwice(r, readings[:i])
	}
}

// checkName reports what Prometheus and OpenMetrics ask of names and help.
func (l *linter) checkName(r *rule.Reading) {
	name := r.Desc.Name
	total := strings.HasSuffix(name, "_total")
	if r.Desc.Help == "" {
		l.warn(r.At, r.Name, "the metric has no help: say in a sentence what it means")
	}
	switch {
	case r.Desc.Type == metric.Counter && !total:
		l.warn(r.At, r.Name, "the name of a counter ends in _total: without it, OpenMetrics declares the family unknown")
	case r.Desc.Type != metric.Counter && total:
		l.warn(r.At, r.Name, "the metric is a %s, but its name ends in _total as those of counters do", r.Desc.Type)
	case r.Desc.Type == metric.Info && !strings.HasSuffix(name, "_info"):
		l.note(r.At, r.Name, "the name of an info metric ends in _info: without it, OpenMetrics declares the family a gauge")
	}
	problems, err := promlint.New(strings.NewReader(exampleOf(r))).Lint()
	if err != nil {
		return // the name has been checked
	}
	for _, p := range problems {
		if !strings.Contains(p.Text, "_total") {
			l.warn(r.At, r.Name, "%s", p.Text)
		}
	}
	if labels := slices.DeleteFunc(slices.Clone(r.Labels), func(label string) bool { return !camelCase.MatchString(label) }); len(labels) > 0 {
		l.note(r.At, r.Name, "Prometheus has label names in snake_case: %s", strings.Join(labels, ", "))
	}
}

var camelCase = regexp.MustCompile(`[a-z][A-Z]`)

// exampleOf returns an exposition of a family with one sample.
func exampleOf(r *rule.Reading) string {
	switch r.Desc.Type {
	case metric.Histogram, metric.GaugeHistogram:
		return fmt.Sprintf("# HELP %[1]s x\n# TYPE %[1]s histogram\n%[1]s_bucket{le=\"+Inf\"} 1\n%[1]s_sum 1\n%[1]s_count 1\n", r.Desc.Name)
	case metric.Counter:
		return fmt.Sprintf("# HELP %[1]s x\n# TYPE %[1]s counter\n%[1]s 1\n", r.Desc.Name)
	default:
		return fmt.Sprintf("# HELP %[1]s x\n# TYPE %[1]s gauge\n%[1]s 1\n", r.Desc.Name)
	}
}

// unbounded are fields whose values never end: a label of one makes a new series
// with each change.
var unbounded = []string{
	"message", "resourceVersion", "lastTransitionTime", "lastUpdateTime", "lastProbeTime", "lastHeartbeatTime",
	"generation", "observedGeneration", "managedFields",
}

// checkCardinality reports labels that have many values, and no limit.
func (l *linter) checkCardinality(r *rule.Reading) {
	for _, read := range r.Reads {
		if read.Label == "" || read.Computed || len(read.Path) == 0 || limited(r, read.Label) || r.Transition != nil && !slices.Contains(r.Transition.By, read.Label) {
			continue
		}
		last := read.Path[len(read.Path)-1]
		switch {
		case slices.Contains(unbounded, last), slices.Contains(read.Path, "managedFields"):
			l.warn(read.At, r.Name, "label %q is the %s: each change of it is a new series; leave it out, or set limits", read.Label, last)
		case last == "reason":
			l.note(read.At, r.Name, "label %q is a reason, which controllers choose freely: limits.labelValues bounds it", read.Label)
		case slices.Equal(read.Path, []string{"metadata", "uid"}) && r.Desc.Type != metric.Info:
			l.note(read.At, r.Name, "label %q is the object's UID: series end when an object is made anew; it belongs on an info metric", read.Label)
		}
	}
}

// limited reports whether a limit bounds what a label does to a metric.
func limited(r *rule.Reading, label string) bool {
	return slices.ContainsFunc(r.Limits, func(limit *rule.Limit) bool { return limit.Series > 0 || limit.Labels[label] > 0 })
}

// checkTwice reports a metric that an earlier one gives for the same objects.
func (l *linter) checkTwice(r *rule.Reading, earlier []rule.Reading) {
	for i := range earlier {
		e := &earlier[i]
		sameVersion := e.GVK.Version == r.GVK.Version || e.GVK.Version == "" || r.GVK.Version == ""
		sameKind := e.GVK.Group == r.GVK.Group && e.GVK.Kind == r.GVK.Kind && sameVersion && !e.Discovered && !r.Discovered
		if e.Desc.Name != r.Desc.Name || !sameKind || !sameLabels(e, r) || toldApart(e.Fixed, r.Fixed) {
			continue
		}
		if e.Selection == r.Selection {
			l.warn(r.At, r.Name, "the family %s of %s is made at %s, too: of series with equal labels only the first is served",
				r.Desc.Name, r.GVK.Kind, e.At)
		} else {
			l.warn(r.At, r.Name, "the family %s of %s is made at %s, too, with another selector: an object that both choose gives its series twice, so choose apart or add a label",
				r.Desc.Name, r.GVK.Kind, e.At)
		}
		return
	}
}

// sameLabels reports whether two metrics have the same labels, as far as that is
// known.
func sameLabels(a, b *rule.Reading) bool {
	return a.Legacy || b.Legacy || slices.Equal(a.Labels, b.Labels)
}

// toldApart reports whether a label has one value in the series of one metric and
// another in those of the other.
func toldApart(a, b map[string]string) bool {
	for name, value := range a {
		if other, ok := b[name]; ok && other != value {
			return true
		}
	}
	return false
}
