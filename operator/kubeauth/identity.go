package kubeauth

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strings"
	"time"
)

// authenticated is the group of all users that are not anonymous.
const authenticated = "system:authenticated"

// maxToken is in bytes. Tokens of ServiceAccounts have one or two thousand,
// those of other issuers up to ten thousand.
const maxToken = 16 << 10

// bearerToken returns the token of the Authorization headers of a request. Two
// such headers, or a token with anything but visible ASCII, are not usable.
func bearerToken(headers []string) (string, bool) {
	if len(headers) != 1 {
		return "", false
	}
	scheme, token, _ := strings.Cut(strings.Trim(headers[0], " "), " ")
	token = strings.TrimLeft(token, " ")
	invisible := func(c rune) bool { return c <= ' ' || c > '~' }
	if !strings.EqualFold(scheme, "bearer") || token == "" || len(token) > maxToken || strings.ContainsFunc(token, invisible) {
		return "", false
	}
	return token, true
}

// certificateUser returns the identity of a client certificate that the TLS
// server has verified when the connection began. As connections live long, the
// dates are looked at again.
func certificateUser(state *tls.ConnectionState, now time.Time) (User, bool) {
	if state == nil {
		return User{}, false
	}
	outdated := func(c *x509.Certificate) bool { return now.Before(c.NotBefore) || now.After(c.NotAfter) }
	for _, chain := range state.VerifiedChains {
		if len(chain) == 0 || chain[0].Subject.CommonName == "" || slices.ContainsFunc(chain, outdated) {
			continue
		}
		subject := chain[0].Subject
		return User{Name: subject.CommonName, Groups: withAuthenticated(subject.Organization)}, true
	}
	return User{}, false
}

// withAuthenticated returns a copy of groups that has the one of all users.
func withAuthenticated(groups []string) []string {
	groups = slices.Clone(groups)
	if !slices.Contains(groups, authenticated) {
		groups = append(groups, authenticated)
	}
	return groups
}
