package exposition

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// AppendHeader appends the HELP, TYPE and UNIT lines of a family.
//
// Names never change between formats: a family whose name does not fit its type
// in OpenMetrics (a counter without "_total", an info without "_info") is
// declared as unknown or gauge there.
func AppendHeader(dst []byte, f Format, d metric.Desc) []byte {
	name, typ := d.Name, textType(d.Type)
	if f == OpenMetrics {
		name, typ = openMetricsType(d)
	}
	if d.Help != "" {
		dst = appendComment(dst, "HELP", name)
		dst = appendEscaped(dst, d.Help, f == OpenMetrics)
		dst = append(dst, '\n')
	}
	dst = appendComment(dst, "TYPE", name)
	dst = append(dst, typ...)
	dst = append(dst, '\n')
	if f == OpenMetrics && d.Unit != "" && strings.HasSuffix(name, d.Unit) {
		dst = appendComment(dst, "UNIT", name)
		dst = append(dst, d.Unit...)
		dst = append(dst, '\n')
	}
	return dst
}

// appendComment appends the beginning of a metadata line.
func appendComment(dst []byte, keyword, name string) []byte {
	dst = append(dst, '#', ' ')
	dst = append(dst, keyword...)
	dst = append(dst, ' ')
	if metric.IsName(name) {
		dst = append(dst, name...)
	} else {
		dst = append(dst, '"')
		dst = appendEscaped(dst, name, true)
		dst = append(dst, '"')
	}
	return append(dst, ' ')
}

// Disambiguate changes the types of families whose metadata OpenMetrics would
// write under one name (a and a_total, a_total and a_info), so that each keeps
// its own. Call it with all families of an exposition before they are written;
// in the text format nothing has to change.
func Disambiguate(f Format, families []*metric.Desc) {
	if f != OpenMetrics {
		return
	}
	taken := make(map[string]bool, len(families))
	for _, d := range families {
		taken[d.Name] = true
	}
	for _, d := range families {
		name, _ := openMetricsType(*d)
		switch {
		case name == d.Name:
		case !taken[name]:
			taken[name] = true
		case d.Type == metric.Info:
			d.Type = metric.Gauge
		default:
			d.Type = metric.Unknown
		}
	}
}

func textType(t metric.Type) string {
	switch t {
	case metric.Counter:
		return "counter"
	case metric.Gauge, metric.Info, metric.StateSet:
		return "gauge"
	case metric.Histogram, metric.GaugeHistogram:
		return "histogram"
	case metric.Summary:
		return "summary"
	default:
		return "untyped"
	}
}

// openMetricsType returns the name and the type that OpenMetrics' metadata
// lines carry. State sets are gauges: their label would have to be called like
// the family.
func openMetricsType(d metric.Desc) (name, typ string) {
	switch d.Type {
	case metric.Counter:
		if base, ok := strings.CutSuffix(d.Name, "_total"); ok && base != "" {
			return base, "counter"
		}
		return d.Name, "unknown"
	case metric.Info:
		if base, ok := strings.CutSuffix(d.Name, "_info"); ok && base != "" {
			return base, "info"
		}
		return d.Name, "gauge"
	case metric.StateSet:
		return d.Name, "gauge"
	default:
		return d.Name, d.Type.String()
	}
}

// AppendSample appends the line of a number, which is the same in both text
// formats. The name and those of the labels must be legacy names; invalid UTF-8
// in a label value is replaced by U+FFFD.
func AppendSample(dst []byte, name string, labels []metric.Label, value float64) []byte {
	dst = append(dst, name...)
	if len(labels) > 0 {
		sep := byte('{')
		for i := range labels {
			dst = append(dst, sep)
			dst = append(dst, labels[i].Name...)
			dst = append(dst, '=', '"')
			dst = appendEscaped(dst, labels[i].Value, true)
			dst = append(dst, '"')
			sep = ','
		}
		dst = append(dst, '}')
	}
	dst = append(dst, ' ')
	dst = AppendValue(dst, value)
	return append(dst, '\n')
}

// AppendValue appends a number as client_golang and kube-state-metrics write
// it: the shortest form of %g, with NaN, +Inf and -Inf.
func AppendValue(dst []byte, v float64) []byte {
	switch {
	case v == 0:
		return append(dst, '0')
	case v == 1:
		return append(dst, '1')
	case v > -1e6 && v < 1e6 && v == math.Trunc(v):
		return strconv.AppendInt(dst, int64(v), 10)
	default:
		// AppendFloat spells the special values as Prometheus does.
		return strconv.AppendFloat(dst, v, 'g', -1, 64)
	}
}

// appendEscaped appends s with backslash, newline and, if asked, double quote
// escaped. Most strings need nothing.
func appendEscaped(dst []byte, s string, quote bool) []byte {
	clean := true
	for i := range len(s) {
		if c := s[i]; c == '\\' || c == '\n' || c == '"' && quote || c >= utf8.RuneSelf {
			clean = false
			break
		}
	}
	if clean {
		return append(dst, s...)
	}
	for _, r := range s {
		switch {
		case r == '\\':
			dst = append(dst, '\\', '\\')
		case r == '\n':
			dst = append(dst, '\\', 'n')
		case r == '"' && quote:
			dst = append(dst, '\\', '"')
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}
