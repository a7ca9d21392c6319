package relabel

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/kubevitals/kubevitals/internal/pods/line"
	"github.com/kubevitals/kubevitals/internal/pods/scan"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// families are what a body is put together of.
type families struct {
	format exposition.Format
	byName map[string]*family
	names  map[string]string // of samples, so that each is kept once
	size   int               // bytes of all lines
	room   func(bytes int) error
	owed   int // bytes in use that room has not been asked for
}

// What there is asked for at once, and what a family and a line need besides their
// text.
const (
	portion    = 256 << 10
	familySize = 512
	endSize    = 24
)

// settleUp asks for the memory that is in use by now, when it is worth it or all of
// it is to be asked for.
func (fs *families) settleUp(all bool) error {
	if fs.room == nil || fs.owed <= 0 || fs.owed < portion && !all {
		return nil
	}
	n := fs.owed
	fs.owed = 0
	return fs.room(n)
}

// family is a family that grows.
type family struct {
	metric.Desc
	lines   []byte
	ends    []lineEnd
	samples []string // the names of its samples, of which there are few
	split   bool     // its samples need families of their own
}

// lineEnd says where in the lines of a family a line ends, and what its name is.
type lineEnd struct {
	end  int
	name string
}

var (
	unescapeHelp       = strings.NewReplacer(`\\`, `\`, `\n`, "\n")
	unescapeHelpQuotes = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\"`, `"`)
)

// describe returns what a body says of a family.
func describe(f *scan.Family, format exposition.Format) metric.Desc {
	unescape := unescapeHelp
	if format == exposition.OpenMetrics {
		unescape = unescapeHelpQuotes
	}
	return metric.Desc{Name: string(f.Name), Help: unescape.Replace(string(f.Help)), Unit: string(f.Unit), Type: f.Type}
}

// members are the suffixes of the samples that belong to a family of a type; ""
// is the sample that is called like the family.
var members = map[metric.Type][]string{
	metric.Counter:        {"", "_created"},
	metric.Histogram:      {"_bucket", "_sum", "_count", "_created"},
	metric.GaugeHistogram: {"_bucket", "_gsum", "_gcount", "_sum", "_count", "_created"},
	metric.Summary:        {"", "_sum", "_count", "_created"},
}

// memberOf returns the suffix that a sample has in its family.
func memberOf(d metric.Desc, sample string) string {
	for _, suffix := range members[d.Type] {
		if memberName(d, suffix) == sample {
			return suffix
		}
	}
	return ""
}

// memberName returns the name of the samples of a family that have a suffix.
// "a_created" is of the counter "a_total".
func memberName(d metric.Desc, suffix string) string {
	if d.Type == metric.Counter && suffix != "" {
		return strings.TrimSuffix(d.Name, "_total") + suffix
	}
	return d.Name + suffix
}

// add adds a line that was a member of a family before it was relabelled.
func (fs *families) add(source metric.Desc, member string, l *line.Line) {
	d := source
	if d.Name = familyName(source, member, l.Name); d.Name == "" {
		d = metric.Desc{Name: l.Name, Help: source.Help}
	}
	f := fs.family(d)
	f.split = f.split || !fits(d.Type, member, l.Labels)
	length, size := len(f.lines), f.memory()
	f.lines = l.Append(f.lines)
	fs.size += len(f.lines) - length
	f.end(fs.name(l.Name))
	fs.owed += f.memory() - size
}

// memory is how many bytes the lines need.
func (f *family) memory() int { return cap(f.lines) + endSize*cap(f.ends) }

// end notes that a line of that name ends where the lines end now.
func (f *family) end(name string) {
	f.ends = append(f.ends, lineEnd{len(f.lines), name})
	if !slices.Contains(f.samples, name) {
		f.samples = append(f.samples, name)
	}
}

// familyName returns the name of the family that a sample is of by its new name,
// when it stays the same member; "" if it cannot.
func familyName(source metric.Desc, member, sample string) string {
	base, ok := strings.CutSuffix(sample, member)
	switch {
	case !ok:
		return ""
	case source.Type == metric.Counter && member != "" && base != "" && strings.HasSuffix(source.Name, "_total"):
		return base + "_total"
	}
	return base
}

// fits reports whether a line with these labels can be the member of a family.
func fits(t metric.Type, member string, labels []metric.Label) bool {
	var name string
	var has bool
	switch t {
	case metric.Histogram, metric.GaugeHistogram:
		name, has = "le", member == "_bucket"
	case metric.Summary:
		name, has = "quantile", member == ""
	default:
		return true
	}
	i := slices.IndexFunc(labels, func(l metric.Label) bool { return l.Name == name })
	if i < 0 {
		return !has
	}
	v, err := strconv.ParseFloat(labels[i].Value, 64)
	return has && err == nil && !math.IsNaN(v)
}

// family returns the family of a name, which is made if there is none. The first
// help and the first unit stay.
func (fs *families) family(d metric.Desc) *family {
	f, ok := fs.byName[d.Name]
	switch {
	case !ok:
		if d.Validate() != nil { // the name does not end in the unit any more
			d.Unit = ""
		}
		f = &family{Desc: d}
		fs.byName[d.Name] = f
		fs.owed += familySize + len(d.Name) + len(d.Help)
	case f.Type == d.Type:
	case members[f.Type] == nil && members[d.Type] == nil:
		f.Type = metric.Unknown
	default:
		f.split = true
	}
	if f.Help == "" {
		f.Help = d.Help
	}
	return f
}

func (fs *families) name(s string) string {
	kept, ok := fs.names[s]
	if !ok {
		kept = strings.Clone(s)
		fs.names[kept] = kept
		fs.owed += 2 * len(kept)
	}
	return kept
}

// finish returns the body, which may have so many bytes.
func (fs *families) finish(most int) ([]byte, error) {
	for again := true; again; {
		var err error
		if again, err = fs.settle(); err != nil {
			return nil, err
		}
	}
	names := slices.Sorted(maps.Keys(fs.byName))
	var header []byte
	size := len(endMark)
	for _, name := range names {
		f := fs.byName[name]
		header = exposition.AppendHeader(header[:0], fs.format, f.Desc)
		size += len(header) + len(f.lines)
	}
	if size-len(endMark) > most {
		return nil, ErrTooLarge
	}
	fs.owed += size
	if err := fs.settleUp(true); err != nil {
		return nil, err
	}
	body := make([]byte, 0, size)
	for _, name := range names {
		f := fs.byName[name]
		body = exposition.AppendHeader(body, fs.format, f.Desc)
		body = append(body, f.lines...)
		f.lines, f.ends = nil, nil
	}
	if fs.format == exposition.OpenMetrics {
		body = append(body, endMark...)
	}
	return body, nil
}

const endMark = "# EOF\n"

// settle splits the families whose samples cannot be together, or which have
// samples that are called like another family, and reports whether there were
// any: what comes of them may not go with others. It comes to an end as families
// of the type unknown are not split.
func (fs *families) settle() (again bool, err error) {
	var descs []*metric.Desc
	var before []metric.Type
	names := slices.Sorted(maps.Keys(fs.byName))
	for _, name := range names {
		f := fs.byName[name]
		descs, before = append(descs, &f.Desc), append(before, f.Type)
	}
	exposition.Disambiguate(fs.format, descs)
	var apart []*family
	for i, name := range names {
		f := fs.byName[name]
		if f.split || members[before[i]] != nil && (f.Type != before[i] || fs.clashes(f)) {
			apart = append(apart, f)
		}
	}
	for _, f := range apart {
		delete(fs.byName, f.Name)
	}
	for _, f := range apart {
		if err := fs.takeApart(f); err != nil {
			return false, err
		}
	}
	return len(apart) > 0, nil
}

// clashes reports whether there are samples of a family that are called like
// another family, or for which the format has no type.
func (fs *families) clashes(f *family) bool {
	if f.Type == metric.Counter && fs.format == exposition.OpenMetrics && !strings.HasSuffix(f.Name, "_total") {
		return true
	}
	return slices.ContainsFunc(f.samples, func(name string) bool { return name != f.Name && fs.byName[name] != nil })
}

// takeApart gives each line of a family to the family of its name, of the type
// unknown.
func (fs *families) takeApart(f *family) error {
	start := 0
	for _, e := range f.ends {
		other := fs.family(metric.Desc{Name: e.name, Help: f.Help})
		size := other.memory()
		other.lines = append(other.lines, f.lines[start:e.end]...)
		other.end(e.name)
		start = e.end
		fs.owed += other.memory() - size
		if err := fs.settleUp(false); err != nil {
			return err
		}
	}
	fs.owed -= f.memory()
	return nil
}
