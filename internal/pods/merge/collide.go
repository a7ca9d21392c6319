package merge

import (
	"bytes"
	"slices"

	"github.com/kubevitals/kubevitals/internal/pods/line"
	"github.com/kubevitals/kubevitals/internal/pods/scan"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// Collision is what becomes of a label of a pod that has the name of a target
// label.
type Collision uint8

// What becomes of a label of a pod. The zero value is as Prometheus does without
// honor_labels.
const (
	// Rename puts "exported_" before its name, as often as it takes.
	Rename Collision = iota
	// Honor keeps it instead of the target label.
	Honor
	// Drop leaves it out.
	Drop
)

// label gives a line the labels of its target.
func (c Collision) label(l *line.Line, target []metric.Label) {
	taken := func(own metric.Label) bool {
		return slices.ContainsFunc(target, func(t metric.Label) bool { return t.Name == own.Name })
	}
	switch c {
	case Drop:
		l.Labels = slices.DeleteFunc(l.Labels, taken)
	case Honor:
		target = slices.DeleteFunc(slices.Clone(target), func(t metric.Label) bool {
			return slices.ContainsFunc(l.Labels, func(own metric.Label) bool { return own.Name == t.Name && own.Value != "" })
		})
	}
	l.Join(target)
}

// Distinct takes samples out of a body that has been scanned, which with the labels
// of the target have the labels of one before, though they had others: two that
// differed in what is dropped, for example. They count as duplicates of the body.
func (c Collision) Distinct(x *scan.Exposition, target []metric.Label) {
	concerned, some := c.concerned(x)
	if !some {
		return
	}
	var l line.Line
	x.Distinct(concerned, func(dst []byte, e scan.Extent, sample []byte) []byte {
		if !parse(&l, x, e, sample) {
			return append(dst, sample...)
		}
		c.label(&l, target)
		metric.SortLabels(l.Labels)
		return l.Append(dst)
	})
}

// concerned returns the families that have labels of the target's names. Renaming
// makes labels the same only if one is called so already.
func (c Collision) concerned(x *scan.Exposition) (families []bool, some bool) {
	for _, e := range x.Extents {
		if e.Flags&scan.Reserved != 0 {
			if families == nil {
				families = make([]bool, len(x.Families))
			}
			families[e.Family] = true
		}
	}
	if families == nil || c != Rename {
		return families, families != nil
	}
	renamed := make([]bool, len(families))
	for _, e := range x.Extents {
		if families[e.Family] && bytes.Contains(x.Body[e.Start:e.End], []byte(exportedPrefix)) {
			renamed[e.Family], some = true, true
		}
	}
	return renamed, some
}

// parse reads the name and the labels of a sample.
func parse(l *line.Line, x *scan.Exposition, e scan.Extent, sample []byte) bool {
	if x.Format != exposition.Protobuf {
		err := l.Parse(sample, x.Format)
		l.Value, l.Timestamp, l.Exemplar = "", "", ""
		return err == nil
	}
	f := &x.Families[e.Family]
	samples, err := exposition.ParseRecords(metric.Desc{Name: string(f.Name), Type: f.Type}, sample)
	if err != nil || len(samples) != 1 {
		return false
	}
	*l = line.Line{Name: string(f.Name), Labels: samples[0].Labels}
	return true
}
