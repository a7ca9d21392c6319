package aggregate_test

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/internal/pods/aggregate"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// pod is what a target answers in a scrape.
type pod struct {
	id    string
	lines string // "" if it does not answer
}

// world has an aggregator of one family.
type world struct {
	*aggregate.Aggregator
	t    *testing.T
	desc metric.Desc
}

func newWorld(t *testing.T, d metric.Desc, o aggregate.Options, rules ...string) *world {
	t.Helper()
	var err error
	if o.Rules, err = aggregate.ParseRules(rules); err != nil {
		t.Fatal(err)
	}
	return &world{aggregate.New(o), t, d}
}

func target(id string) aggregate.Target {
	return aggregate.Target{ID: id, Labels: metric.Labels("pod", id, "ns", "n-"+id[:1])}
}

// scrape returns the samples, without metadata, and the reasons of what was
// refused.
func (w *world) scrape(pods ...pod) (text string, refused []aggregate.Reason) {
	w.t.Helper()
	ids := make([]string, 0, len(pods))
	for _, p := range pods {
		ids = append(ids, p.id)
	}
	w.Begin(ids)
	for _, p := range pods {
		if p.lines == "" {
			continue
		}
		if r := w.add(p, w.desc); r != "" {
			refused = append(refused, r)
		}
	}
	return w.text(), refused
}

func (w *world) add(p pod, d metric.Desc) aggregate.Reason {
	w.t.Helper()
	err := w.Add(target(p.id), d, exposition.Text, []byte(p.lines))
	var refused *aggregate.RefusedError
	switch {
	case err == nil:
		return ""
	case !errors.As(err, &refused):
		w.t.Errorf("the error is of another type: %v", err)
	case len(err.Error()) > 1000:
		w.t.Errorf("the error is long: %v", err)
	}
	return refused.Reason
}

// text returns the families as lines, and checks what must hold always.
func (w *world) text() string {
	w.t.Helper()
	var out []byte
	families := w.Families()
	if !slices.IsSortedFunc(families, func(a, b metric.Family) int { return cmp.Compare(a.Name, b.Name) }) {
		w.t.Error("families are not sorted")
	}
	for _, f := range families {
		if err := f.Validate(); err != nil {
			w.t.Error(err)
		}
		for i, s := range f.Samples {
			if err := s.Validate(f.Type); err != nil {
				w.t.Errorf("%s: %v", f.Name, err)
			}
			if i > 0 && metric.CompareLabels(f.Samples[i-1].Labels, s.Labels) >= 0 {
				w.t.Errorf("%s: samples are not sorted", f.Name)
			}
			out = exposition.AppendLines(out, exposition.Text, f.Desc, &s)
		}
	}
	return strings.TrimSuffix(string(out), "\n")
}

// want compares the samples that a scrape gives, when nothing is refused.
func (w *world) want(want string, pods ...pod) {
	w.t.Helper()
	got, refused := w.scrape(pods...)
	if diff := gocmp.Diff(strings.TrimSpace(want), got); diff != "" || len(refused) > 0 {
		w.t.Errorf("refused: %v (-want +got):\n%s", refused, diff)
	}
}
