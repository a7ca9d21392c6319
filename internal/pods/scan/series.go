package scan

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

// label says where a label stands in the body.
type label struct {
	name []byte // without quotes and escapes
	// value and end delimit the value, which is between quotes.
	value, end int
}

// series reads the name and the labels of a line in full.
type series struct {
	// strict allows no blanks, as OpenMetrics.
	strict bool
	// exemplar says that these are the labels of an exemplar.
	exemplar bool

	// raw says that values have no escapes, as in protobuf.
	raw bool
	// extra says that there is a label besides labels: the bound of a bucket, or
	// a quantile.
	extra bool

	name   []byte // without quotes and escapes
	labels []label
	flags  Flags
	byName []int32
}

func (s *series) reset() {
	s.name, s.labels, s.flags = nil, s.labels[:0], 0
	s.exemplar, s.raw, s.extra = false, false, false
}

// read reads the series that starts at i, and returns where it ends.
func (s *series) read(b []byte, i, end int) (int, error) {
	s.reset()
	at := i
	if at < end && class[b[at]]&nameStart != 0 {
		at = run(b[:end], at+1, nameByte)
		s.name = b[i:at:at]
		brace := s.blanks(b, at, end)
		if brace == end || b[brace] != '{' {
			s.flags = 0
			return at, nil
		}
		at = brace
	}
	if at == end || b[at] != '{' {
		return 0, syntax("a line starts with neither a name nor a comment")
	}
	at, err := s.readLabels(b, at+1, end)
	if err != nil {
		return 0, err
	}
	if s.name == nil {
		return 0, syntax("no metric name")
	}
	return at, s.checkUnique()
}

// blanks skips blanks where they are allowed but not usual.
func (s *series) blanks(b []byte, i, end int) int {
	if s.strict || i == end || b[i] != ' ' && b[i] != '\t' {
		return i
	}
	s.flags |= Odd
	return blanks(b, i, end)
}

// readLabels reads on behind the brace, and returns where it is behind the
// closing one.
func (s *series) readLabels(b []byte, i, end int) (int, error) {
	at := s.blanks(b, i, end)
	if at < end && b[at] == '}' {
		s.flags |= Odd
		return at + 1, nil
	}
	for {
		next, err := s.readLabel(b, at, end)
		if err != nil {
			return 0, err
		}
		at = s.blanks(b, next, end)
		if at < end && b[at] == '}' {
			return at + 1, nil
		}
		if at == end || b[at] != ',' {
			return 0, syntax("neither a comma nor a brace behind a label")
		}
		at = s.blanks(b, at+1, end)
		if at < end && b[at] == '}' {
			s.flags |= Odd
			return at + 1, nil
		}
	}
}

// readLabel reads a label, or a metric name in quotes.
func (s *series) readLabel(b []byte, i, end int) (int, error) {
	name, at, err := s.readName(b, i, end)
	if err != nil {
		return 0, err
	}
	inQuotes := b[i] == '"'
	at = s.blanks(b, at, end)
	if inQuotes && !s.exemplar && at < end && (b[at] == ',' || b[at] == '}') {
		if s.name != nil {
			return 0, syntax("a second metric name")
		}
		if len(s.labels) > 0 {
			s.flags |= Odd
		}
		s.name = name
		return at, nil
	}
	if at == end || b[at] != '=' {
		return 0, syntax("no equals sign behind a label name")
	}
	at = s.blanks(b, at+1, end)
	if at == end || b[at] != '"' {
		return 0, syntax("a label value that is not in quotes")
	}
	value := at + 1
	if at = quoted(b[:end], value); at < 0 {
		return 0, syntax("a label value that is not UTF-8 or does not end on its line")
	}
	s.labels = append(s.labels, label{name: name, value: value, end: at})
	return at + 1, nil
}

// readName reads a label name, or any name in quotes.
func (s *series) readName(b []byte, i, end int) (name []byte, next int, err error) {
	if i < end && class[b[i]]&labelStart != 0 {
		next = run(b[:end], i+1, labelByte)
		return b[i:next:next], next, nil
	}
	if i == end || b[i] != '"' {
		return nil, 0, syntax("a label without a valid name")
	}
	s.flags |= UTF8
	return quotedName(b[:end], i)
}

// quotedName reads a name in quotes.
func quotedName(b []byte, i int) (name []byte, next int, err error) {
	end := quoted(b, i+1)
	if end < 0 {
		return nil, 0, syntax("a name that is not UTF-8 or does not end on its line")
	}
	name = unescape(b[i+1 : end : end])
	if len(name) == 0 {
		return nil, 0, syntax("an empty name")
	}
	return name, end + 1, nil
}

var unescaper = strings.NewReplacer(`\"`, `"`, `\\`, `\`, `\n`, "\n")

// unescape returns what stands in quotes.
func unescape(b []byte) []byte {
	if !slices.Contains(b, '\\') {
		return b
	}
	return []byte(unescaper.Replace(string(b)))
}

// manyLabels is how many labels are compared each with each.
const manyLabels = 24

// checkUnique says whether all labels have different names.
func (s *series) checkUnique() error {
	if len(s.labels) > manyLabels {
		return s.checkSorted()
	}
	for i := range s.labels {
		name := s.labels[i].name
		if string(name) == "__name__" {
			return syntax("two labels with one name")
		}
		for j := range i {
			if string(s.labels[j].name) == string(name) {
				return syntax("two labels with one name")
			}
		}
	}
	return nil
}

func (s *series) checkSorted() error {
	s.byName = s.byName[:0]
	for i := range s.labels {
		s.byName = append(s.byName, int32(i))
	}
	slices.SortFunc(s.byName, func(a, b int32) int { return slices.Compare(s.labels[a].name, s.labels[b].name) })
	for i, n := range s.byName {
		name := s.labels[n].name
		if string(name) == "__name__" || i > 0 && string(s.labels[s.byName[i-1]].name) == string(name) {
			return syntax("two labels with one name")
		}
	}
	return nil
}

// checkLimits says whether a series is beyond one of the limits. They count and
// measure the metric name as a label "__name__", as Prometheus does, and not
// labels that are empty.
func (s *series) checkLimits(b []byte, opts *Options) error {
	if opts.LabelLimit <= 0 && opts.LabelNameLengthLimit <= 0 && opts.LabelValueLengthLimit <= 0 {
		return nil
	}
	l := labelLimits{opts: opts}
	if err := l.add(len("__name__"), len(s.name)); err != nil {
		return err
	}
	if s.extra {
		if err := l.add(len("le"), 1); err != nil {
			return err
		}
	}
	for i := range s.labels {
		if err := l.add(len(s.labels[i].name), s.valueLen(b, i)); err != nil {
			return err
		}
	}
	return nil
}

// valueLen is the length of the value of a label without its escapes.
func (s *series) valueLen(b []byte, i int) int {
	value := b[s.labels[i].value:s.labels[i].end]
	if s.raw || !slices.Contains(value, '\\') {
		return len(value)
	}
	return len(unescape(value))
}

// labelLimits counts the labels of a series.
type labelLimits struct {
	opts   *Options
	labels int
}

// add counts a label with a name and value of some lengths.
func (l *labelLimits) add(name, value int) error {
	if value == 0 {
		return nil
	}
	l.labels++
	switch o := l.opts; {
	case o.LabelLimit > 0 && l.labels > o.LabelLimit:
		return &LimitError{Limit: "label_limit", Max: o.LabelLimit}
	case o.LabelNameLengthLimit > 0 && name > o.LabelNameLengthLimit:
		return &LimitError{Limit: "label_name_length_limit", Max: o.LabelNameLengthLimit}
	case o.LabelValueLengthLimit > 0 && value > o.LabelValueLengthLimit:
		return &LimitError{Limit: "label_value_length_limit", Max: o.LabelValueLengthLimit}
	}
	return nil
}

// isReserved says whether a label has one of some names.
func isReserved(name []byte, reserved []string) bool {
	for _, r := range reserved {
		if len(r) == len(name) && r[0] == name[0] && r == string(name) {
			return true
		}
	}
	return false
}

// validText says whether a name or value in protobuf is as it can be in text.
func validText(b []byte) bool { return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 }

// legacy says whether a name needs no quotes.
func legacy(name []byte, start, further uint8) bool {
	return class[name[0]]&start != 0 && run(name, 1, further) == len(name)
}
