package target

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxPath is how long a path with its query can be.
const maxPath = 1024

// ParsePath reads what the annotation prometheus.io/path can hold, and returns it
// as it stands in a request: escaped, without dot segments and without fragment.
// A query is kept. Whatever it says, it stays on the host it is asked of, as it
// always begins with one slash.
func ParsePath(s string) (string, error) {
	if len(s) > maxPath {
		return "", fmt.Errorf("path has %d bytes, more than %d: %s", len(s), maxPath, quote(s))
	}
	raw, _, _ := strings.Cut(s, "#")
	if !strings.HasPrefix(raw, "/") {
		return "", fmt.Errorf("path %s does not start with a slash", quote(s))
	}
	if !utf8.ValidString(raw) || strings.ContainsFunc(raw, unfit) {
		return "", fmt.Errorf("path %s has a blank, a backslash or what cannot be printed", quote(s))
	}
	p, query, _ := strings.Cut(raw, "?")
	p, err := cleanPath(p)
	if err != nil {
		return "", fmt.Errorf("path %s %w", quote(s), err)
	}
	if query != "" {
		p += "?" + escape(query)
	}
	if len(p) > maxPath {
		return "", fmt.Errorf("path has %d bytes when it is escaped, more than %d: %s", len(p), maxPath, quote(s))
	}
	return p, nil
}

// cleanPath takes dots and doubled slashes out of an escaped path; a slash at the
// end stays.
func cleanPath(p string) (string, error) {
	// An escaped dot is a dot.
	p = strings.NewReplacer("%2e", ".", "%2E", ".").Replace(escape(p))
	cleaned := path.Clean(p)
	if strings.HasSuffix(p, "/") && cleaned != "/" {
		cleaned += "/"
	}
	plain, err := url.PathUnescape(cleaned)
	switch {
	case err != nil:
		return "", errors.New("has an escape that is not valid")
	case strings.ContainsFunc(plain, func(r rune) bool { return r != ' ' && unfit(r) }):
		return "", errors.New("has an escaped backslash or what cannot be printed")
	case slices.Contains(strings.Split(plain, "/"), ".."):
		return "", errors.New("has escaped dot segments")
	}
	return cleaned, nil
}

// unfit reports whether a character has no place in a path.
func unfit(r rune) bool {
	return r == '\\' || r == utf8.RuneError || unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
}

// escape escapes what may not stand in a request as it is, and leaves escapes
// alone.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			b = append(b, '%', hex[c>>4], hex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return string(b)
}
