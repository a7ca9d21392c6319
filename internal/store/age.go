package store

import (
	"bytes"
	"context"
	"math"
	"slices"
	"time"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// ages is a family whose values are the time since something: its lines are
// made for each scrape.
type ages struct {
	desc    metric.Desc
	objects map[*object][]byte
	frozen  *ageView
}

type ageView struct {
	desc    metric.Desc
	records []record
}

func newAges(desc metric.Desc) *ages {
	return &ages{desc: desc, objects: make(map[*object][]byte)}
}

func (a *ages) set(o *object, records []byte, samples uint32) (delta int, changed bool) {
	old, known := a.objects[o]
	if bytes.Equal(old, records) {
		return 0, false
	}
	a.frozen = nil
	delta = int(samples)
	if known {
		delta -= countRecords(old)
	}
	if len(records) == 0 {
		delete(a.objects, o)
	} else {
		a.objects[o] = bytes.Clone(records)
	}
	return delta, true
}

func countRecords(src []byte) int { return len(records(src)) }

func (a *ages) freeze() view {
	if a.frozen == nil {
		a.frozen = &ageView{desc: a.desc}
		for _, o := range sortedObjects(a.objects) {
			a.frozen.records = append(a.frozen.records, records(a.objects[o])...)
		}
	}
	return a.frozen
}

// sortedObjects returns the keys of a map in the order of the exposition.
func sortedObjects[V any](m map[*object]V) []*object {
	out := make([]*object, 0, len(m))
	for o := range m {
		out = append(out, o)
	}
	slices.SortFunc(out, (*object).compare)
	return out
}

func (v *ageView) render(_ context.Context, _ exposition.Format, now time.Time) (exposition.Rendered, error) {
	out := exposition.Rendered{Desc: v.desc}
	var lines []byte
	for i := range v.records {
		lines = exposition.AppendSample(lines, v.desc.Name, v.records[i].labels, since(now, v.records[i].value))
		if len(lines) >= chunkSize {
			out.Chunks = append(out.Chunks, exposition.Chunk{Raw: lines})
			lines = nil
		}
	}
	if len(lines) > 0 {
		out.Chunks = append(out.Chunks, exposition.Chunk{Raw: lines})
	}
	return out, nil
}

// since returns the seconds since a time in Unix seconds, to the millisecond.
func since(now time.Time, at float64) float64 {
	return math.Round(float64(now.UnixMilli())-at*1000) / 1000
}
