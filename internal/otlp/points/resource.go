package points

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Attribute is one of a resource.
type Attribute struct{ Key, Value string }

// Attributes are those of a resource, sorted by key, each key once.
type Attributes []Attribute

// Get returns the value of an attribute, or "".
func (a Attributes) Get(key string) string {
	for _, x := range a {
		if x.Key == key {
			return x.Value
		}
	}
	return ""
}

// With returns the attributes with others, given as keys and values in turn, in
// place of those of the same keys. Empty values change nothing. a stays as it is.
func (a Attributes) With(pairs ...string) Attributes {
	out := slices.Clone(a)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			continue
		}
		out = slices.DeleteFunc(out, func(x Attribute) bool { return x.Key == pairs[i] })
		out = append(out, Attribute{pairs[i], pairs[i+1]})
	}
	slices.SortFunc(out, func(x, y Attribute) int { return cmp.Compare(x.Key, y.Key) })
	return out
}

// ParseAttributes reads attributes as OTEL_RESOURCE_ATTRIBUTES has them: keys
// and values with "=" between them and "," between pairs, percent-encoded where
// need be.
func ParseAttributes(text string) (Attributes, error) {
	var out Attributes
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		key, kerr := url.PathUnescape(strings.TrimSpace(key))
		value, verr := url.PathUnescape(strings.TrimSpace(value))
		if !ok || kerr != nil || verr != nil || key == "" {
			return nil, fmt.Errorf("resource attributes: %q is not key=value", pair)
		}
		out = out.With(valid(key), valid(value))
	}
	return out, nil
}

// Merge returns the attributes with those of over in place of those of the same
// keys. Neither of both is changed.
func (a Attributes) Merge(over Attributes) Attributes {
	pairs := make([]string, 0, 2*len(over))
	for _, x := range over {
		pairs = append(pairs, x.Key, x.Value)
	}
	return a.With(pairs...)
}
