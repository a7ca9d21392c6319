package scan

import (
	"bytes"
	"hash/maphash"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// families finds families by their names.
type families struct {
	names index
	// keys finds families by their names in OpenMetrics' metadata, which leave
	// suffixes out. It indexes aliases.
	keys    index
	aliases []alias
	info    []familyInfo
	// recent is the family, or alias, that was found last, or made.
	recent, recentAlias int32
	// made is memory for names that are nowhere in the body.
	made []byte
}

type alias struct {
	key    []byte
	family int32
}

// familyInfo is what is kept of a family besides what is for others to see.
type familyInfo struct{ typed, sampled bool }

// index is a hash table of numbers, with open addressing. Each slot has the
// number plus one.
type index struct {
	slots []int32
	used  int
}

const minSlots = 64

func (t *families) reset() {
	t.names.reset()
	t.keys.reset()
	t.recent, t.recentAlias = -1, -1
	t.aliases, t.info, t.made = t.aliases[:0], t.info[:0], t.made[:0]
}

func (ix *index) reset() {
	if ix.slots == nil {
		ix.slots = make([]int32, minSlots)
	}
	if ix.used > 0 {
		clear(ix.slots)
		ix.used = 0
	}
}

// find returns the number of a name, or -1.
func (ix *index) find(name []byte, nameOf func(int32) []byte) int32 {
	mask := uint64(len(ix.slots) - 1)
	for i := maphash.Bytes(seed, name) & mask; ; i = (i + 1) & mask {
		n := ix.slots[i] - 1
		if n < 0 || string(nameOf(n)) == string(name) {
			return n
		}
	}
}

// insert adds a number. What has been renamed since stays where it was: it is
// not found there, because its name is another.
func (ix *index) insert(n int32, nameOf func(int32) []byte) {
	if 2*(ix.used+1) > len(ix.slots) {
		old := ix.slots
		ix.slots, ix.used = make([]int32, 2*len(old)), 0
		for _, n := range old {
			if n > 0 {
				ix.put(n, nameOf(n-1))
			}
		}
	}
	ix.put(n+1, nameOf(n))
}

func (ix *index) put(n int32, name []byte) {
	mask := uint64(len(ix.slots) - 1)
	i := maphash.Bytes(seed, name) & mask
	for ix.slots[i] != 0 {
		i = (i + 1) & mask
	}
	ix.slots[i] = n
	ix.used++
}

func (x *Exposition) nameOf(n int32) []byte { return x.Families[n].Name }
func (x *Exposition) keyOf(n int32) []byte  { return x.table.aliases[n].key }

// byName returns the family of a name, or -1.
func (x *Exposition) byName(name []byte) int32 {
	t := &x.table
	if t.recent < 0 || string(x.Families[t.recent].Name) != string(name) {
		n := t.names.find(name, x.nameOf)
		if n < 0 {
			return n
		}
		t.recent = n
	}
	return t.recent
}

// byKey returns the family that has a name in metadata, or -1.
func (x *Exposition) byKey(key []byte) int32 {
	if x.Format != exposition.OpenMetrics {
		return x.byName(key)
	}
	t := &x.table
	if t.recentAlias < 0 || string(t.aliases[t.recentAlias].key) != string(key) {
		n := t.keys.find(key, x.keyOf)
		if n < 0 {
			return n
		}
		t.recentAlias = n
	}
	return t.aliases[t.recentAlias].family
}

func (x *Exposition) newFamily(name []byte) int32 {
	n := int32(len(x.Families))
	x.Families = append(x.Families, Family{Name: name})
	x.table.info = append(x.table.info, familyInfo{})
	x.table.names.insert(n, x.nameOf)
	x.table.recent = n
	return n
}

// described returns the family that has a name in metadata, a new one if there
// is none.
func (x *Exposition) described(key []byte) int32 {
	n := x.byKey(key)
	if n >= 0 {
		return n
	}
	if n = x.byName(key); n < 0 {
		n = x.newFamily(key)
	}
	if x.Format == exposition.OpenMetrics {
		x.table.aliases = append(x.table.aliases, alias{key, n})
		x.table.keys.insert(int32(len(x.table.aliases)-1), x.keyOf)
	}
	return n
}

// setType is what a TYPE line does. The last one counts, but a family that has
// samples does not become or cease to be one of several lines per series.
func (x *Exposition) setType(key []byte, t metric.Type) {
	x.shapes.forget()
	n := x.described(key)
	if x.Format == exposition.OpenMetrics {
		if t == metric.GaugeHistogram {
			t = metric.Unknown // each of its names is a family of its own
		}
		n = x.rename(key, n, t)
	}
	f, info := &x.Families[n], &x.table.info[n]
	if info.sampled && info.typed && f.Type != t && (f.Type >= metric.Histogram || t >= metric.Histogram) {
		return
	}
	f.Type, info.typed = t, true
}

// rename gives the family with a name in OpenMetrics' metadata the name that its
// type asks for, and returns the family that has it.
func (x *Exposition) rename(key []byte, n int32, t metric.Type) int32 {
	name := key
	if suffix := suffixOf(t); suffix != "" && !bytes.HasSuffix(key, []byte(suffix)) {
		start := len(x.table.made)
		x.table.made = append(append(x.table.made, key...), suffix...)
		name = x.table.made[start:len(x.table.made):len(x.table.made)]
	}
	if string(name) == string(x.Families[n].Name) {
		return n
	}
	other := x.byName(name)
	switch {
	case other < 0 && !x.table.info[n].sampled:
		x.Families[n].Name = name
		x.table.names.insert(n, x.nameOf)
		return n
	case other < 0:
		other = x.newFamily(name)
	}
	if f := &x.Families[other]; f.Help == nil {
		f.Help = x.Families[n].Help
	}
	x.table.aliases[x.table.keys.find(key, x.keyOf)].family = other
	return other
}

// suffixOf is what OpenMetrics' metadata leave out of a name.
func suffixOf(t metric.Type) string {
	switch t {
	case metric.Counter:
		return "_total"
	case metric.Info:
		return "_info"
	default:
		return ""
	}
}

// familyOf returns the family of a sample, and Created if it only says since
// when something is counted. What a TYPE line names is before what is made of
// its name by a suffix, and that before a family without a TYPE line.
func (x *Exposition) familyOf(name []byte) (int32, Flags) {
	n := x.byName(name)
	if n >= 0 && x.table.info[n].typed {
		return x.sampled(n, name), 0
	}
	if cut := bytes.LastIndexByte(name, '_'); cut > 0 {
		suffix := string(name[cut:])
		if base := x.byKey(name[:cut]); base >= 0 && x.table.info[base].typed && x.accepts(base, name[:cut], suffix) {
			var flags Flags
			if suffix == "_created" {
				flags = Created
			}
			return x.sampled(base, nil), flags
		}
	}
	if n < 0 {
		n = x.newFamily(name)
	}
	return x.sampled(n, name), 0
}

// sampled notes that a family has a sample.
func (x *Exposition) sampled(n int32, name []byte) int32 {
	if info := &x.table.info[n]; !info.sampled {
		info.sampled = true
	}
	if name != nil {
		x.Families[n].Name = name // now it is a part of the body
	}
	return n
}

// accepts says whether a family with a name in metadata has samples of that name
// with a suffix.
func (x *Exposition) accepts(n int32, key []byte, suffix string) bool {
	created := suffix == "_created" && x.Format == exposition.OpenMetrics
	switch f := &x.Families[n]; f.Type {
	case metric.Histogram:
		return suffix == "_bucket" || suffix == "_sum" || suffix == "_count" || created
	case metric.Summary:
		return suffix == "_sum" || suffix == "_count" || created
	case metric.Counter:
		return created && len(f.Name) == len(key)+len("_total")
	default:
		return false
	}
}
