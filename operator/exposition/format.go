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

// Negotiate picks the format that an Accept header prefers. Weights count as
// RFC 9110 section 12.5.1 says; OpenMetrics must be asked for by name, and
// anything unknown or malformed gives [Text].
func Negotiate(accept string) Format {
	format, best := Text, 0.0
	for element := range strings.SplitSeq(accept, ",") {
		mediaType, q, version := parseAccept(element)
		var f Format
		switch {
		case mediaType == "application/openmetrics-text" && (version == "" || version == "1.0.0" || version == "0.0.1"):
			f = OpenMetrics
		case mediaType == "text/plain" && (version == "" || version == "0.0.4"):
			f = Text
		case mediaType == "*/*", mediaType == "text/*":
			f = Text
		default:
			continue
		}
		if q > best {
			format, best = f, q
		}
	}
	return format
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
				q = w
			}
		case "version":
			version = strings.Trim(value, `"`)
		}
	}
	return strings.ToLower(strings.TrimSpace(mediaType)), q, version
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
