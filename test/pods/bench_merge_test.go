package pods_test

import (
	"errors"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"github.com/kubevitals/kubevitals/internal/pods/merge"
	"github.com/kubevitals/kubevitals/internal/pods/scan"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
	"github.com/kubevitals/kubevitals/test/podtest"
)

// merging is what a scrape does with bodies once they are there.
type merging struct {
	bodies   [][]byte
	scanned  []scan.Exposition
	memories []scan.Memory
	labels   [][]metric.Label
	merger   merge.Merger
	samples  int
}

func newMerging() *merging {
	m := &merging{
		bodies: make([][]byte, benchPods), scanned: make([]scan.Exposition, benchPods),
		memories: make([]scan.Memory, benchPods), labels: make([][]metric.Label, benchPods),
	}
	for i := range m.bodies {
		m.bodies[i] = append([]byte(nil), podtest.Standard(podtest.Text)...) // memory of its own, as in life
		m.labels[i] = metric.Labels(podLabel, podName(i), namespaceLabel, namespace)
	}
	return m
}

// run reads all bodies and writes the exposition to nowhere.
func (m *merging) run(b *testing.B) {
	b.Helper()
	sources := make([]merge.Source, len(m.bodies))
	m.samples = 0
	for i := range m.bodies {
		x := &m.scanned[i]
		x.Format = exposition.Text
		if err := x.Scan(m.bodies[i], scan.Options{Reserved: []string{podLabel, namespaceLabel}, Memory: &m.memories[i]}); err != nil {
			b.Fatal(err)
		}
		sources[i] = merge.Source{Body: x, Labels: m.labels[i]}
		m.samples += x.Samples
	}
	families, _ := m.merger.Families(sources, merge.Options{Format: exposition.Text})
	w := exposition.NewWriter(io.Discard, exposition.Text, false)
	for _, f := range families {
		w.WriteRendered(f)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
}

// benchMerge compares scan and merge with the parser of Prometheus, which only
// looks for the beginnings and ends of series here.
func benchMerge(b *testing.B) {
	m := newMerging()
	m.run(b) // as in life, the second scrape has the memory of the first
	const rounds = 5
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := ownCPU(b)
	for range rounds {
		m.run(b)
	}
	ours := (ownCPU(b) - began) / rounds
	runtime.ReadMemStats(&after)
	theirs := nextAll(b, m.bodies, rounds)
	size := float64(benchPods * len(m.bodies[0]))
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(ours.Nanoseconds())/size, "ns/byte")
	b.ReportMetric(float64(theirs.Nanoseconds())/size, "textparse-ns/byte")
	b.ReportMetric(float64(ours)/float64(theirs), "of-textparse")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/rounds/float64(m.samples)*1e6, "allocs/Msample")
}

// nextAll has Prometheus' parser go through the bodies.
func nextAll(b *testing.B, bodies [][]byte, rounds int) time.Duration {
	b.Helper()
	began := ownCPU(b)
	for range rounds {
		for _, text := range bodies {
			p := textparse.NewPromParser(text, labels.NewSymbolTable(), false)
			for {
				_, err := p.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	return (ownCPU(b) - began) / time.Duration(rounds)
}
