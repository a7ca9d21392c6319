package kopf

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// builder puts families together of samples that come in any order, and takes
// only what is valid.
type builder struct {
	most     int // samples
	samples  int
	over     int // samples that were one too many
	families map[string]*building
	problems []error
	more     int // problems that are not kept
}

// building is a family that grows, and the label sets in it.
type building struct {
	metric.Family
	seen map[string]bool
}

// The bounds of the error that one answer gives.
const (
	maxProblems    = 20
	maxProblemSize = 500
)

// maxLabel is how many bytes the value of a label may have, and the keys of a
// path together: a small body must not become a large answer because one long
// string is repeated with each sample.
const maxLabel = 4096

var errLongPath = fmt.Errorf("the keys that lead there have more than %d bytes", maxLabel)

// problem notes that something of the answer was left out, and why.
func (b *builder) problem(format string, args ...any) {
	if len(b.problems) == maxProblems {
		b.more++
		return
	}
	text := fmt.Sprintf(format, args...)
	if len(text) > maxProblemSize {
		end := maxProblemSize
		for !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end] + "..."
	}
	b.problems = append(b.problems, errors.New(text))
}

// add adds a sample, which it takes over and whose labels are sorted. Of a
// family, the first help and unit stay.
func (b *builder) add(d metric.Desc, s metric.Sample) error {
	if err := d.Validate(); err != nil {
		return err
	}
	s.Labels = slices.DeleteFunc(s.Labels, func(l metric.Label) bool { return l.Value == "" })
	if err := s.Validate(d.Type); err != nil {
		return err
	}
	for _, l := range s.Labels {
		if len(l.Value) > maxLabel {
			return fmt.Errorf("label %q has %d bytes, more than %d", l.Name, len(l.Value), maxLabel)
		}
	}
	f := b.families[d.Name]
	key := seriesKey(s.Labels)
	switch {
	case f != nil && f.Type != d.Type:
		return fmt.Errorf("its type is %s, but that of %s is %s already", d.Type, d.Name, f.Type)
	case f != nil && f.seen[key]:
		return fmt.Errorf("%s has a sample with the labels %v already", d.Name, s.Labels)
	case b.samples == b.most:
		b.over++
		return nil
	case f == nil:
		f = &building{Family: metric.Family{Desc: d}, seen: make(map[string]bool)}
		b.families[d.Name] = f
	}
	f.seen[key] = true
	f.Samples = append(f.Samples, s)
	b.samples++
	return nil
}

// seriesKey returns a text that no other set of labels has: the byte between
// its parts is in no valid UTF-8.
func seriesKey(labels []metric.Label) string {
	var b strings.Builder
	for _, l := range labels {
		b.WriteString(l.Name + "\xff" + l.Value + "\xff")
	}
	return b.String()
}

// finish returns the families by name, their samples by labels, and all problems
// as one error.
func (b *builder) finish() ([]metric.Family, error) {
	var families []metric.Family
	for _, name := range slices.Sorted(maps.Keys(b.families)) {
		f := b.families[name].Family
		slices.SortFunc(f.Samples, func(x, y metric.Sample) int { return metric.CompareLabels(x.Labels, y.Labels) })
		families = append(families, f)
	}
	if b.over > 0 {
		b.problems = append(b.problems, fmt.Errorf("%d samples beyond the first %d are left out", b.over, b.most))
	}
	if b.more > 0 {
		b.problems = append(b.problems, fmt.Errorf("%d more problems", b.more))
	}
	return families, errors.Join(b.problems...)
}
