package scan

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// boundOf returns which label of the line in x.series has to be a number, since it
// is the bound of a bucket or a quantile: -1 if there is none. missing says that
// there should be one.
func (x *Exposition) boundOf(family int32) (index int, missing bool) {
	f := &x.Families[family]
	var name string
	var needed bool
	switch f.Type {
	case metric.Histogram:
		name, needed = "le", !bytes.HasSuffix(x.series.name, []byte("_sum")) && !bytes.HasSuffix(x.series.name, []byte("_count")) && !bytes.HasSuffix(x.series.name, []byte("_created"))
	case metric.Summary:
		name, needed = "quantile", len(x.series.name) == len(f.Name)
	default:
		return -1, false
	}
	index = slices.IndexFunc(x.series.labels, func(l label) bool { return string(l.name) == name })
	return index, index < 0 && needed
}

// isBound reports whether the label value that starts at i is a number.
func isBound(b []byte, i int) bool {
	end := digits(b, i)
	if end < len(b) && b[end] == '.' {
		end = digits(b, end+1)
	}
	if end > i+1 && end < len(b) && b[end] == '"' || end == i+1 && b[end] == '"' && b[i] != '.' {
		return true
	}
	n := bytes.IndexByte(b[i:], '"')
	if n < 0 {
		return false
	}
	_, err := strconv.ParseFloat(string(b[i:i+n]), 64)
	return err == nil
}

// isCount reports whether samples of a family that are called so are counts of a
// histogram or summary. The parser of Prometheus' own library refuses negative
// ones, and protobuf has no place for what is no number.
func (x *Exposition) isCount(family int32, name []byte) bool {
	switch x.Families[family].Type {
	case metric.Histogram, metric.GaugeHistogram:
		return !bytes.HasSuffix(name, []byte("sum"))
	case metric.Summary:
		return bytes.HasSuffix(name, []byte("_count"))
	}
	return false
}

// nameOf returns the name in a line, which may be in quotes.
func nameOf(line []byte) []byte {
	line = bytes.TrimPrefix(line, []byte(`{"`))
	if i := bytes.IndexAny(line, "{\" \t"); i >= 0 {
		line = line[:i]
	}
	return line
}
