package exposition

import (
	"strconv"
	"strings"
)

// Format is an exposition format. The zero value is [Text].
type Format uint8

const (
	// Text is Prometheus' text format, version 0.0.4.
	Text Format = iota
	// OpenMetrics is the OpenMetrics text format, version 1.0.
	OpenMetrics
)

// ContentType returns the value of the Content-Type header for the format.
func (f Format) ContentType() string {
	if f == OpenMetrics {
		return "application/openmetrics-text; version=1.0.0; charset=utf-8"
	}
	return "text/plain; version=0.0.4; charset=utf-8"
}

// Negotiate picks the format that an Accept header prefers, as RFC 9110 section
// 12.5.1 says: of several ranges that match a format the most specific one gives
// its weight. OpenMetrics must be asked for by name; anything unknown or
// malformed gives [Text]. Of equal weights the first in the header wins.
func Negotiate(accept string) Format {
	var text, open preference
	at := 0
	for element := range strings.SplitSeq(accept, ",") {
		at++
		mediaType, q, version := parseAccept(element)
		switch {
		case mediaType == "application/openmetrics-text" && (version == "" || version == "1.0.0" || version == "0.0.1"):
			open.consider(3, q, at)
		case mediaType == "text/plain" && (version == "" || version == "0.0.4"):
			text.consider(3, q, at)
		case mediaType == "text/*":
			text.consider(2, q, at)
		case mediaType == "*/*":
			text.consider(1, q, at)
		}
	}
	if open.q > text.q || open.q > 0 && open.q == text.q && open.at < text.at {
		return OpenMetrics
	}
	return Text
}

// preference is what an Accept header says about one format.
type preference struct {
	specificity int
	q           float64
	at          int // place in the header
}

// consider takes a range that matches the format. Of equally specific ones the
// highest weight counts.
func (p *preference) consider(specificity int, q float64, at int) {
	if specificity > p.specificity || specificity == p.specificity && q > p.q {
		*p = preference{specificity, q, at}
	}
}

// parseAccept splits one element of an Accept header. The weight of an element
// without a valid q is 1.
func parseAccept(element string) (mediaType string, q float64, version string) {
	mediaType, params, _ := strings.Cut(element, ";")
	q = 1
	for param := range strings.SplitSeq(params, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		switch strings.ToLower(key) {
		case "q":
			if w, err := strconv.ParseFloat(value, 64); err == nil {
				q = clamp(w)
			}
		case "version":
			version = strings.Trim(value, `"`)
		}
	}
	return strings.ToLower(strings.TrimSpace(mediaType)), q, version
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
