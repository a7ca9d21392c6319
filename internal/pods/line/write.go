package line

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// Append appends the line in its canonical form, with a newline:
//
//	name{label="value"} value timestamp # exemplar
//
// Blanks are single, labels without a value are left out, names that are not
// legacy names are in quotes. Values, timestamps and exemplars stay as they were
// written.
func (l *Line) Append(dst []byte) []byte {
	sep := byte('{')
	if metric.IsName(l.Name) {
		dst = append(dst, l.Name...)
	} else {
		dst = appendQuoted(append(dst, '{'), l.Name)
		sep = ','
	}
	for _, x := range l.Labels {
		if x.Value == "" {
			continue
		}
		dst = append(dst, sep)
		if isLegacy(x.Name) {
			dst = append(dst, x.Name...)
		} else {
			dst = appendQuoted(dst, x.Name)
		}
		dst = appendQuoted(append(dst, '='), x.Value)
		sep = ','
	}
	if sep == ',' {
		dst = append(dst, '}')
	}
	dst = append(append(dst, ' '), l.Value...)
	if l.Timestamp != "" {
		dst = append(append(dst, ' '), l.Timestamp...)
	}
	if l.Exemplar != "" {
		dst = append(append(dst, " # "...), l.Exemplar...)
	}
	return append(dst, '\n')
}

// appendQuoted appends s in double quotes, with the escapes of label values.
func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	if !strings.ContainsAny(s, "\\\"\n") {
		return append(append(dst, s...), '"')
	}
	for i := range len(s) {
		switch c := s[i]; c {
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\\', '"':
			dst = append(dst, '\\', c)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// exported is what Prometheus puts before the name of a label that a target has
// itself.
const exported = "exported_"

// Join gives the line the labels of its target, which come first. A label of the
// line that has one of their names becomes "exported_" and that name, with the
// prefix as often as it takes until no other label is called so; of several the
// shorter names come first. This is what Prometheus does with honor_labels off.
// Labels without a value are none, neither in the line nor in the target.
func (l *Line) Join(target []metric.Label) {
	own := slices.DeleteFunc(l.Labels, func(x metric.Label) bool { return x.Value == "" })
	l.Labels = slices.Insert(own, 0, target...)
	joined := slices.DeleteFunc(l.Labels[:len(target)], func(x metric.Label) bool { return x.Value == "" })
	l.Labels = slices.Delete(l.Labels, len(joined), len(target))
	l.renamed = l.renamed[:0]
	for i, x := range l.Labels[len(joined):] {
		if hasName(l.Labels[:len(joined)], x.Name) {
			l.renamed = append(l.renamed, len(joined)+i)
		}
	}
	slices.SortStableFunc(l.renamed, func(a, b int) int {
		a1, b1 := l.Labels[a].Name, l.Labels[b].Name
		return cmp.Or(len(a1)-len(b1), strings.Compare(a1, b1))
	})
	for _, i := range l.renamed {
		name := exported + l.Labels[i].Name
		for hasName(l.Labels, name) {
			name = exported + name
		}
		l.Labels[i].Name = name
	}
}

func hasName(labels []metric.Label, name string) bool {
	return slices.ContainsFunc(labels, func(x metric.Label) bool { return x.Name == name })
}
