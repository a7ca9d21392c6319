package scan

import (
	"bytes"
	"hash/maphash"
	"slices"
	"sort"
)

// seriesHash is of the family and the labels in x.series.
func (x *Exposition) seriesHash(family int32) uint64 {
	h := mix(sumKey, uint64(family))
	for _, l := range x.series.labels {
		h = mix(mix(h, maphash.Bytes(seed, l.name)), maphash.Bytes(seed, x.Body[l.value:l.end]))
	}
	return h
}

// metricAgain reads a metric of an extent.
func (x *Exposition) metricAgain(at int, family int32) (m aMetric, next int) {
	f := fields{b: x.Body, i: at, end: len(x.Body)}
	f.next()
	for _, t := range protobufTypes {
		if t.typ == x.Families[family].Type {
			m, _ = x.metric(f.inside(), family, t.field)
			break
		}
	}
	return m, f.i
}

// labelsAgain reads the labels of a metric of an extent into x.series.
func (x *Exposition) labelsAgain(at int) (next int) {
	x.series.reset()
	f := fields{b: x.Body, i: at, end: len(x.Body)}
	f.next()
	for m := f.inside(); m.next(); {
		if m.number == metricLabel {
			l, ok := usualLabel(m.b, m.start, m.stop)
			if !ok {
				l = labelIn(m.inside())
			}
			x.series.labels = append(x.series.labels, l)
		}
	}
	return f.i
}

func (x *Exposition) identifyMetric(at int, family int32) identity {
	next := x.labelsAgain(at)
	return identity{hash: x.seriesHash(family), next: next}
}

// sameMetric says whether two metrics are of one series.
func (x *Exposition) sameMetric(i, j int) bool {
	x.labelsAgain(i)
	labels := slices.Clone(x.series.labels)
	x.labelsAgain(j)
	return x.familyAt(i) == x.familyAt(j) && slices.EqualFunc(labels, x.series.labels, func(a, b label) bool {
		return bytes.Equal(a.name, b.name) && bytes.Equal(x.Body[a.value:a.end], x.Body[b.value:b.end])
	})
}

// familyAt returns of which family a metric is.
func (x *Exposition) familyAt(at int) int32 {
	i := sort.Search(len(x.Extents), func(i int) bool { return int(x.Extents[i].End) > at })
	return x.Extents[i].Family
}
