package fetch

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	timeoutHeader = "X-Prometheus-Scrape-Timeout-Seconds"
	maxPath       = 2 << 10
)

// makeURL puts the parts of a request together, so that none of them can be
// taken for another.
func makeURL(r *Request, target netip.AddrPort) (*url.URL, error) {
	scheme := r.Scheme
	if scheme == "" {
		scheme = "http"
	}
	if scheme != "http" && scheme != "https" {
		return nil, fmt.Errorf("scheme %s is neither http nor https", quote(scheme))
	}
	path, _, _ := strings.Cut(r.Path, "#")
	if !strings.HasPrefix(path, "/") || len(path) > maxPath {
		return nil, fmt.Errorf("path %s must begin with a slash and have no more than %d bytes", quote(path), maxPath)
	}
	for i := range len(path) {
		if path[i] <= ' ' || path[i] == 0x7f {
			return nil, fmt.Errorf("path %s has blanks or control characters", quote(path))
		}
	}
	raw, query, _ := strings.Cut(path, "?")
	u := &url.URL{Scheme: scheme, Host: target.String(), RawQuery: query}
	unescaped, err := url.PathUnescape(raw)
	if err != nil {
		return nil, fmt.Errorf("path %s has a malformed escape", quote(path))
	}
	u.Path, u.RawPath = unescaped, raw
	return u, nil
}

// header is all that a pod gets to know.
func (c *Client) header(r *Request, scheme string) (http.Header, error) {
	h := make(http.Header, 6)
	h.Set("User-Agent", c.opts.UserAgent)
	if r.Accept != "" {
		h.Set("Accept", r.Accept)
	}
	h.Set("Accept-Encoding", "identity")
	if c.opts.Compression {
		h.Set("Accept-Encoding", "zstd, gzip;q=0.9")
	}
	if c.opts.Hop != "" {
		h.Set(HopHeader, c.opts.Hop)
	}
	if r.Auth == nil || r.Auth.Token == nil || scheme != "https" {
		return h, nil
	}
	token, err := r.Auth.Token()
	if err != nil {
		return nil, fmt.Errorf("getting the bearer token: %w", err)
	}
	if !validToken(token) {
		return nil, errors.New("the bearer token is empty, or has blanks or control characters")
	}
	h.Set("Authorization", "Bearer "+token)
	return h, nil
}

func validToken(token string) bool {
	return token != "" && !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

const tokenAge = time.Minute

// TokenFile gives what a file has, without blanks around it, for [Auth]. It is
// read again after a minute, as kubelets replace such files. The result is safe
// for concurrent use.
func TokenFile(name string) func() (string, error) {
	var mu sync.Mutex
	var token string
	var read time.Time
	return func() (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if token != "" && time.Since(read) < tokenAge {
			return token, nil
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		token, read = strings.TrimSpace(string(data)), time.Now()
		return token, nil
	}
}
