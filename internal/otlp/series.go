package otlp

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strings"

	"github.com/klauspost/compress/s2"

	"github.com/kubevitals/kubevitals/internal/otlp/points"
)

// tracker remembers the series that a receiver may have, to end those that are
// gone. Of each series it keeps a hash of its labels, with 16 bytes in a map, and
// the labels themselves in compressed blocks: about 60 bytes together. What is
// needed to end a series is only looked up when it is gone.
//
// It belongs to one goroutine.
type tracker struct {
	seed    maphash.Seed
	most    int // series
	metrics map[metricKey]*tracked
	last    *tracked // the one that was looked up last
	lastKey metricKey

	generation uint32 // of the snapshot under way
	count      int
	overflow   bool // there were more series than most
	fresh      []fresh
	refusals   map[gone]int
}

// metricKey says which points are of one series if their labels are equal. A
// gauge that becomes a sum has the same series as before.
type metricKey struct {
	name  string
	shape points.Shape // Gauge for all numbers
}

// tracked is a metric with its series.
type tracked struct {
	metric points.Metric // as it was last
	series map[uint64]mark
	blocks []block
	open   []byte // the lines of the last block, which is not compressed yet
	seen   int    // series that the snapshot under way has
}

// mark is a series.
type mark struct {
	generation uint32 // of the last snapshot that had it
	block      uint32
}

// block is a number of series, each two lines: labels, and bounds.
type block struct {
	packed      []byte
	total, live int
}

// fresh is a series that is not tracked yet.
type fresh struct {
	of             *tracked
	hash           uint64
	labels, bounds string
}

// gone is a series that has to be ended.
type gone struct {
	of   *tracked
	hash uint64
}

// blockSize is how long the lines of a block become.
const blockSize = 16 << 10

func newTracker(most int) *tracker {
	return &tracker{seed: maphash.MakeSeed(), most: most, metrics: make(map[metricKey]*tracked), refusals: make(map[gone]int)}
}

// begin starts a snapshot.
func (t *tracker) begin() {
	t.generation++
	t.fresh, t.last = nil, nil
	for key, m := range t.metrics {
		if m.seen = 0; len(m.series) == 0 { // nothing of it was ever sent
			delete(t.metrics, key)
		}
	}
}

// watch is the Watch of [points.Options].
func (t *tracker) watch(m *points.Metric, labels, bounds string) {
	of := t.metric(m)
	hash := maphash.String(t.seed, labels)
	if x, ok := of.series[hash]; !ok {
		t.fresh = append(t.fresh, fresh{of, hash, labels, bounds})
	} else if x.generation != t.generation {
		x.generation = t.generation
		of.series[hash] = x
		of.seen++
	}
}

func (t *tracker) metric(m *points.Metric) *tracked {
	key := metricKey{m.Name, m.Shape}
	if m.Shape.IsNumber() {
		key.shape = points.Gauge
	}
	if t.last != nil && t.lastKey == key {
		return t.last
	}
	of := t.metrics[key]
	if of == nil {
		key.name = strings.Clone(key.name)
		of = &tracked{series: make(map[uint64]mark)}
		t.metrics[key] = of
	}
	of.metric = *m
	t.last, t.lastKey = of, key
	return of
}

// sent tracks what watch was told of since the last call: it may have arrived.
func (t *tracker) sent() {
	for _, f := range t.fresh {
		if _, twice := f.of.series[f.hash]; twice {
			continue
		}
		if t.count >= t.most {
			t.overflow = true
			break
		}
		t.count++
		f.of.seen++
		f.of.series[f.hash] = mark{t.generation, f.of.append(f.labels, f.bounds)}
	}
	t.fresh = t.fresh[:0]
}

// append adds the lines of a series to the last block and returns its index.
func (m *tracked) append(labels, bounds string) uint32 {
	if len(m.blocks) == 0 || len(m.open) >= blockSize {
		if n := len(m.blocks); n > 0 {
			m.blocks[n-1].packed = s2.EncodeBetter(nil, m.open)
			m.blocks[n-1].packed = slices.Clip(bytes.Clone(m.blocks[n-1].packed))
		}
		m.open = m.open[:0]
		m.blocks = append(m.blocks, block{})
	}
	m.open = append(append(append(append(m.open, labels...), '\n'), bounds...), '\n')
	b := &m.blocks[len(m.blocks)-1]
	b.total++
	b.live++
	return uint32(len(m.blocks) - 1)
}

// lines calls fn with what a block has of series that are tracked in it.
func (t *tracker) lines(m *tracked, index uint32, fn func(hash uint64, labels, bounds string) error) error {
	text := m.open
	if int(index) < len(m.blocks)-1 {
		var err error
		if text, err = s2.Decode(nil, m.blocks[index].packed); err != nil {
			return fmt.Errorf("series of %s: %w", m.metric.Name, err)
		}
	}
	type record struct {
		hash           uint64
		labels, bounds string
	}
	var records []record
	at := make(map[uint64]int) // in records: what has ended may be there once more
	rest := string(text)
	for rest != "" {
		var r record
		r.labels, rest, _ = strings.Cut(rest, "\n")
		r.bounds, rest, _ = strings.Cut(rest, "\n")
		r.hash = maphash.String(t.seed, r.labels)
		if x, ok := m.series[r.hash]; !ok || x.block != index {
			continue
		}
		if i, twice := at[r.hash]; twice {
			records[i] = r
			continue
		}
		at[r.hash] = len(records)
		records = append(records, r)
	}
	for _, r := range records {
		if err := fn(r.hash, r.labels, r.bounds); err != nil {
			return err
		}
	}
	return nil
}

// pending returns how many series the last whole snapshot did not have.
func (t *tracker) pending() (n int) {
	for _, m := range t.metrics {
		n += len(m.series) - m.seen
	}
	return n
}

// absent calls fn with the series that the snapshot, which was whole, does not
// have, in a fixed order.
func (t *tracker) absent(fn func(g gone, m *points.Metric, labels, bounds string) error) error {
	for _, key := range slices.SortedFunc(maps.Keys(t.metrics), compareKeys) {
		m := t.metrics[key]
		if m.seen == len(m.series) {
			continue
		}
		for _, index := range m.absentBlocks(t.generation) {
			err := t.lines(m, index, func(hash uint64, labels, bounds string) error {
				if m.series[hash].generation == t.generation {
					return nil
				}
				return fn(gone{m, hash}, &m.metric, labels, bounds)
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func compareKeys(a, b metricKey) int {
	if c := strings.Compare(a.name, b.name); c != 0 {
		return c
	}
	return int(a.shape) - int(b.shape)
}

// absentBlocks returns the blocks that have series of older snapshots.
func (m *tracked) absentBlocks(generation uint32) []uint32 {
	blocks := make(map[uint32]bool)
	for _, x := range m.series {
		if x.generation != generation {
			blocks[x.block] = true
		}
	}
	return slices.Sorted(maps.Keys(blocks))
}

// maxRefusals is how often a receiver may refuse to end a series.
const maxRefusals = 5

// refused notes that a receiver would not end series, and forgets those that it
// never will. It returns how many that are.
func (t *tracker) refused(all []gone) int {
	var never []gone
	for _, g := range all {
		if t.refusals[g]++; t.refusals[g] >= maxRefusals {
			never = append(never, g)
		}
	}
	t.forget(never)
	return len(never)
}

// forget removes series that have ended, and what is left of blocks that have
// mostly ended. It must not be called by what absent calls.
func (t *tracker) forget(all []gone) {
	touched := make(map[*tracked]bool)
	for _, g := range all {
		delete(t.refusals, g)
		x, ok := g.of.series[g.hash]
		if !ok {
			continue
		}
		delete(g.of.series, g.hash)
		t.count--
		g.of.blocks[x.block].live--
		touched[g.of] = true
	}
	for m := range touched {
		t.compact(m)
	}
}

// compact writes the blocks of a metric anew when less than half of what they
// have is alive.
func (t *tracker) compact(m *tracked) {
	total := 0
	for _, b := range m.blocks {
		total += b.total
	}
	if 2*len(m.series) >= total {
		return
	}
	if len(m.series) == 0 {
		for key, x := range t.metrics {
			if x == m {
				delete(t.metrics, key)
			}
		}
		t.last = nil
		return
	}
	anew := &tracked{series: make(map[uint64]mark, len(m.series))}
	for index := range m.blocks {
		err := t.lines(m, uint32(index), func(hash uint64, labels, bounds string) error {
			anew.series[hash] = mark{m.series[hash].generation, anew.append(labels, bounds)}
			return nil
		})
		if err != nil { // those are not ended
			continue
		}
	}
	t.count += len(anew.series) - len(m.series)
	m.series, m.blocks, m.open = anew.series, anew.blocks, anew.open
}
