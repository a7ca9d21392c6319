package fetch

import (
	"context"
	"net/http"
	"strings"
)

// HopHeader names the proxies that a scrape has come through, separated by
// commas, the last one at the end.
const HopHeader = "X-Metrics-Fanout-Hop"

const (
	maxHop  = 128
	maxHops = 8
)

type hopsKey struct{}

// WithHops says where the scrape that a request is for has come through: the
// header [HopHeader] of the incoming request. [Client.Get] sends it on, with the
// client's own name behind it. What is no valid name is left out.
func WithHops(ctx context.Context, hops string) context.Context {
	names := make([]string, 0, maxHops)
	for name := range strings.SplitSeq(hops, ",") {
		if name = strings.TrimSpace(name); validHop(name) && len(names) < maxHops {
			names = append(names, name)
		}
	}
	return context.WithValue(ctx, hopsKey{}, strings.Join(names, ", "))
}

// HopRefused reports whether a scrape must be answered with 508 Loop Detected:
// if it has come through the proxy of this name already, or through more than
// one other.
func HopRefused(header http.Header, own string) bool {
	count := 0
	for _, value := range header.Values(HopHeader) {
		for name := range strings.SplitSeq(value, ",") {
			name = strings.TrimSpace(name)
			if name == "" {
				continue
			}
			count++
			if name == own || count > 1 {
				return true
			}
		}
	}
	return false
}

// hops is the value of the header, empty for none.
func hops(ctx context.Context, own string) string {
	before, _ := ctx.Value(hopsKey{}).(string)
	switch {
	case own == "":
		return before
	case before == "":
		return own
	}
	return before + ", " + own
}

// validHop is what can be an element of the header.
func validHop(name string) bool {
	if name == "" || len(name) > maxHop {
		return false
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || c == ',' {
			return false
		}
	}
	return true
}
