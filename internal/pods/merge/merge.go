package merge

import (
	"bytes"
	"slices"
	"strings"
	"unsafe"

	"github.com/kubevitals/kubevitals/internal/pods/scan"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// Source is what one target has given to a scrape.
type Source struct {
	// Body is the exposition of the target, scanned with the names of Labels as
	// [scan.Options.Reserved]. It must stay as it is as long as the merged
	// families are used.
	Body *scan.Exposition
	// Labels are added to every sample, in this order. Their names are legal,
	// distinct, and no "le" or "quantile".
	Labels []metric.Label
	// Labelled says that the samples have the labels already.
	Labelled bool
}

// Options say how sources are merged.
type Options struct {
	// Format is that of the lines: text, OpenMetrics or protobuf.
	Format exposition.Format
	// Collision is what becomes of labels that collide with target labels.
	Collision Collision
	// Reserved reports whether pods may not have a family of this name. Theirs
	// is called "exported_" and the name, and so are those that have been called
	// so already. Nil reserves nothing.
	Reserved func(name string) bool
	// Keep reports whether a family is exposed; nil keeps all.
	Keep func(name string) bool
	// StripTimestamps leaves timestamps out.
	StripTimestamps bool
	// Panicked is told of a panic while samples were written; nil is told
	// nothing. It is called concurrently.
	Panicked func(value any)
}

// Stats says what was not as it should be.
type Stats struct {
	// TypeConflicts is how many families have a type that a source contradicts.
	TypeConflicts int
	// HelpConflicts is how many families have a help text that a source
	// contradicts.
	HelpConflicts int
	// Untyped are families that lost their type, as the samples of one source
	// do not fit into that of another: histograms and summaries whose name, or
	// one that they make of it, another source has for something else.
	Untyped []string
}

// Merger merges expositions. What it remembers of one call makes the next one
// cheaper. It is not safe for concurrent use, but what it returns is. The zero
// value is ready.
type Merger struct {
	names   map[string]string             // strings that do not keep bodies alive
	helps   [numFormats]map[string]string // texts without their escapes, by those with
	kept    int                           // bytes of names and helps
	full    bool                          // there were more
	places  map[string]place              // of families, by their names in bodies; empty between calls
	renamed map[string]int32              // the ids of families that are exposed under another name, by that
	counts  []int32
}

// numFormats is how many formats bodies can have.
const numFormats = int(exposition.Protobuf) + 1

// place is where a family of a body goes: in the table, with "exported_" so many
// times before its name.
type place struct {
	id, exported int32
}

// ref is an extent of a source.
type ref struct {
	source, extent, exported int32
}

// family is one family of the merged exposition.
type family struct {
	metric.Desc
	refs     []ref
	typed    bool     // a source has said the type
	mixed    bool     // sources do not agree on the type
	complex  bool     // a source has histograms or summaries in it
	help     []byte   // as the first source has it
	disputed bool     // not all have the same help
	taken    []sample // for each of refs, which of its samples are of the family; nil for all
}

// merged is one merged exposition. It is immutable once it is made.
type merged struct {
	opts    Options
	sources []source
	table   []family
	stats   Stats
	escape  func(string) string // of names of labels; nil leaves them as they are
}

// source is a Source with what its labels are in a line or a record.
type source struct {
	*scan.Exposition
	labels   []metric.Label
	labelled bool
	text     []byte // a="b",c="d"
	records  []byte // fields "label" of a metric
}

// Families merges sources, whose order is that of the samples. Families are sorted
// by name, and no two of them have a series name in common.
func (m *Merger) Families(sources []Source, opts Options) ([]exposition.Rendered, Stats) {
	x := &merged{opts: opts, sources: make([]source, len(sources))}
	for i, s := range sources {
		x.sources[i] = source{Exposition: s.Body, labels: s.Labels, labelled: s.Labelled}
		switch {
		case s.Labelled:
		case opts.Format == exposition.Protobuf:
			x.sources[i].records = appendRecords(nil, s.Labels)
			fallthrough // histograms in text become lines first
		default:
			x.sources[i].text = textOf(s.Labels)
		}
	}
	m.join(x)
	out := make([]exposition.Rendered, 0, len(x.table))
	for i := range x.table {
		if r, ok := x.render(&x.table[i]); ok {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b exposition.Rendered) int { return strings.Compare(a.Name, b.Name) })
	return out, x.stats
}

// join finds the families of all sources, and the extents of each.
func (m *Merger) join(x *merged) {
	m.prepare()
	defer m.forget()
	families, extents := 0, 0
	for i := range x.sources {
		families, extents = families+len(x.sources[i].Families), extents+len(x.sources[i].Extents)
	}
	places := make([]place, 0, families) // of the families of all sources
	for i := range x.sources {
		s := &x.sources[i]
		for j := range s.Families {
			places = append(places, m.family(x, &s.Families[j], s.Format))
		}
	}
	m.distribute(x, places, make([]ref, extents))
	x.settle(func(name string) (*family, bool) {
		p, ok := m.places[name]
		if id, renamed := m.renamed[name]; renamed {
			p, ok = place{id: id}, true
		}
		if !ok || p.id == dropped {
			return nil, false
		}
		return &x.table[p.id], x.table[p.id].Name == name
	})
}

// maxNames and maxKept bound the names and help texts that are remembered: how
// many there are of each kind, and of how many bytes. Pods can send others each
// time.
const (
	maxNames = 1 << 16
	maxKept  = 4 << 20
)

// prepare begins a call. If the last one had more names than are remembered, those
// of this one are new.
func (m *Merger) prepare() {
	if m.names == nil || m.full {
		m.names, m.kept, m.full = make(map[string]string), 0, false
		for f := range m.helps {
			m.helps[f] = make(map[string]string)
		}
	}
	if m.places == nil {
		m.places, m.renamed = make(map[string]place), make(map[string]int32)
	}
}

// keep remembers a string, if there is room.
func (m *Merger) keep(in map[string]string, key, s string) {
	if n := len(key) + len(s); len(in) < maxNames && m.kept+n <= maxKept {
		in[key] = s
		m.kept += n
		return
	}
	m.full = true
}

// forget ends a call: what is only for one has parts of bodies as its keys. A map
// stays as large as it once was, so one that was too large is not used again.
func (m *Merger) forget() {
	if len(m.places)+len(m.renamed) > maxNames {
		m.places, m.renamed = nil, nil
	}
	clear(m.places)
	clear(m.renamed)
}

// dropped is the place of samples that are left out.
const dropped = -1

// family returns the place of what a source says of a family.
func (m *Merger) family(x *merged, f *scan.Family, from exposition.Format) place {
	p, known := m.places[unsafe.String(unsafe.SliceData(f.Name), len(f.Name))]
	if !known {
		p = m.add(x, m.string(f.Name))
	}
	if p.id == dropped {
		return p
	}
	g := &x.table[p.id]
	switch {
	case f.Type == metric.Unknown:
	case !g.typed:
		g.Type, g.typed = f.Type, true
	case g.Type != f.Type && !g.mixed:
		g.mixed = true
		x.stats.TypeConflicts++
	}
	g.complex = g.complex || distribution(f.Type)
	if len(f.Help) > 0 {
		m.describe(x, g, f, from)
	}
	if len(f.Unit) > 0 && g.Unit == "" {
		g.Unit = m.string(f.Unit)
	}
	return p
}

// describe takes the first help text. Later ones that differ are a conflict.
func (m *Merger) describe(x *merged, g *family, f *scan.Family, from exposition.Format) {
	switch {
	case g.help == nil:
		g.help = f.Help
		g.Help = m.help(f.Help, from)
	case !g.disputed && !bytes.Equal(g.help, f.Help):
		g.disputed = true
		x.stats.HelpConflicts++
	}
}

// add adds a family that no source before had.
func (m *Merger) add(x *merged, name string) place {
	exposed, p := name, place{id: dropped}
	if x.reserved(name) {
		exposed, p.exported = exportedPrefix+name, 1
	}
	if x.opts.Keep == nil || x.opts.Keep(exposed) {
		p.id = int32(len(x.table))
		x.table = append(x.table, family{Desc: metric.Desc{Name: exposed}})
		if p.exported > 0 {
			m.renamed[exposed] = p.id
		}
	}
	m.places[name] = p
	return p
}

const exportedPrefix = "exported_"

// reserved reports whether a family of a pod gets another name. One whose name
// was given by this rule gets a further "exported_", so that what is another
// family at the pod stays another one.
func (x *merged) reserved(name string) bool {
	for rest, found := name, x.opts.Reserved != nil; found; rest, found = strings.CutPrefix(rest, exportedPrefix) {
		if x.opts.Reserved(rest) {
			return true
		}
	}
	return false
}

// distribute gives each family its extents, in the order of the sources.
func (m *Merger) distribute(x *merged, places []place, refs []ref) {
	m.counts = slices.Grow(m.counts[:0], len(x.table)+1)[:len(x.table)+1]
	clear(m.counts)
	each := func(fn func(id int32, r ref)) {
		first := 0
		for i := range x.sources {
			s := &x.sources[i]
			for j := range s.Extents {
				if p := places[first+int(s.Extents[j].Family)]; p.id != dropped {
					fn(p.id, ref{int32(i), int32(j), p.exported})
				}
			}
			first += len(s.Families)
		}
	}
	each(func(id int32, _ ref) { m.counts[id+1]++ })
	for i := 1; i < len(m.counts); i++ {
		m.counts[i] += m.counts[i-1]
	}
	for i := range x.table {
		x.table[i].refs = refs[m.counts[i]:m.counts[i]:m.counts[i+1]]
	}
	each(func(id int32, r ref) { x.table[id].refs = append(x.table[id].refs, r) })
}

// string returns a string that does not keep a body alive.
func (m *Merger) string(b []byte) string {
	s, ok := m.names[string(b)]
	if !ok {
		s = string(b)
		m.keep(m.names, s, s)
	}
	return s
}

// Help returns the text of a HELP line of a body of a format.
func Help(escaped []byte, f exposition.Format) string {
	switch {
	case bytes.IndexByte(escaped, '\\') < 0, f == exposition.Protobuf:
		return string(escaped)
	case f == exposition.OpenMetrics:
		return quotedHelp.Replace(string(escaped))
	default:
		return plainHelp.Replace(string(escaped))
	}
}

var (
	plainHelp  = strings.NewReplacer(`\\`, `\`, `\n`, "\n")
	quotedHelp = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\"`, `"`)
)

// help is Help without a copy if that has been made before.
func (m *Merger) help(escaped []byte, f exposition.Format) string {
	if bytes.IndexByte(escaped, '\\') < 0 {
		return m.string(escaped)
	}
	s, ok := m.helps[f][string(escaped)]
	if !ok {
		s = Help(escaped, f)
		m.keep(m.helps[f], string(escaped), s)
	}
	return s
}

// distribution reports whether samples of a type are more than one series.
func distribution(t metric.Type) bool {
	return t == metric.Histogram || t == metric.GaugeHistogram || t == metric.Summary
}
