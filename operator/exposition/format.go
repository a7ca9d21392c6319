package exposition

import (
	"slices"
	"strconv"
	"strings"
)

// Format is an exposition format. The zero value is [Text].
type Format uint8

// The formats that Prometheus scrapes.
const (
	// Text is Prometheus' text format, version 0.0.4.
	Text Format = iota
	// OpenMetrics is the OpenMetrics text format, version 1.0.
	OpenMetrics
	// Protobuf is io.prometheus.client.MetricFamily, delimited. It alone
	// carries native histograms and the time at which counting began.
	Protobuf
	numFormats
)

var mediaTypes = [numFormats]string{
	Text:        "text/plain",
	OpenMetrics: "application/openmetrics-text",
	Protobuf:    "application/vnd.google.protobuf",
}

// ContentType returns the value of the Content-Type header for the format.
func (f Format) ContentType(e Escaping) string {
	var s string
	switch f {
	case Protobuf:
		s = mediaTypes[f] + "; proto=io.prometheus.client.MetricFamily; encoding=delimited"
	case OpenMetrics:
		s = mediaTypes[f] + "; version=1.0.0; charset=utf-8"
	default:
		s = "text/plain; version=0.0.4; charset=utf-8"
	}
	if e != Underscores {
		s += "; escaping=" + e.String()
	}
	return s
}

// Negotiate picks, of the formats that are offered (all of them if none is
// named), the one that an Accept header prefers, and the escaping that it wants
// there. RFC 9110 section 12.5.1 says how: of several ranges that match a
// format the most specific one gives its weight; of equal weights the first in
// the header wins. Formats other than [Text] must be asked for by name. If no
// format is acceptable, or the header is malformed, it is [Text], or the first
// that is offered, with [Underscores]. A Content-Type that [Format.ContentType]
// gave is a range, and gives back what it was made of.
func Negotiate(accept string, offered ...Format) (Format, Escaping) {
	var prefer [numFormats]preference
	at := 0
	for element := range strings.SplitSeq(accept, ",") {
		at++
		mediaType, q, params := parseAccept(element)
		p := preference{q: q, at: at, escaping: parseEscaping(params["escaping"])}
		for f := range prefer {
			p.specificity = specificity(Format(f), mediaType, params)
			prefer[f].consider(p)
		}
	}
	if len(offered) == 0 {
		offered = []Format{Text, OpenMetrics, Protobuf}
	}
	best := offered[0]
	if slices.Contains(offered, Text) {
		best = Text
	}
	for _, f := range offered {
		if prefer[f].beats(prefer[best]) {
			best = f
		}
	}
	if prefer[best].q == 0 {
		return best, Underscores
	}
	return best, prefer[best].escaping
}

// specificity says how closely a media range names a format, 0 for not at all.
func specificity(f Format, mediaType string, params map[string]string) int {
	version, named := params["version"], mediaType == mediaTypes[f]
	switch {
	case named && f != Protobuf && version == "":
		return 3
	case f == Text && mediaType == "*/*":
		return 1
	case f == Text && mediaType == "text/*":
		return 2
	case f == Text && named && (version == "0.0.4" || version == "1.0.0"),
		f == OpenMetrics && named && (version == "1.0.0" || version == "0.0.1"),
		f == Protobuf && named && params["proto"] == "io.prometheus.client.MetricFamily" && params["encoding"] == "delimited":
		return 4
	}
	return 0
}

// preference is what an Accept header says about one format.
type preference struct {
	specificity int
	q           float64
	at          int // place in the header
	escaping    Escaping
}

// consider takes a range that may match the format. Of equally specific ones
// the highest weight counts.
func (p *preference) consider(r preference) {
	if r.specificity > p.specificity || r.specificity == p.specificity && r.specificity > 0 && r.q > p.q {
		*p = r
	}
}

func (p preference) beats(other preference) bool {
	return p.q > other.q || p.q > 0 && p.q == other.q && p.at < other.at
}

// parseAccept splits one element of an Accept header. The weight of an element
// without a valid q is 1.
func parseAccept(element string) (mediaType string, q float64, params map[string]string) {
	mediaType, rest, _ := strings.Cut(element, ";")
	q = 1
	for param := range strings.SplitSeq(rest, ";") {
		key, value, ok := strings.Cut(strings.TrimSpace(param), "=")
		if !ok {
			continue
		}
		if key = strings.ToLower(key); key == "q" {
			if w, err := strconv.ParseFloat(value, 64); err == nil {
				q = clamp(w)
			}
			continue
		}
		if params == nil {
			params = make(map[string]string)
		}
		params[key] = strings.Trim(value, `"`)
	}
	return strings.ToLower(strings.TrimSpace(mediaType)), q, params
}

// clamp brings a weight that is not valid in range; what is no number is no
// wish.
func clamp(w float64) float64 {
	switch {
	case w > 1:
		return 1
	case w > 0:
		return w
	default:
		return 0
	}
}

// AcceptsGzip reports whether an Accept-Encoding header allows gzip. A weight
// of 0 refuses it.
func AcceptsGzip(acceptEncoding string) bool {
	others := false
	for element := range strings.SplitSeq(acceptEncoding, ",") {
		coding, q, _ := parseAccept(element)
		switch coding {
		case "gzip", "x-gzip":
			return q > 0
		case "*":
			others = q > 0
		}
	}
	return others
}
