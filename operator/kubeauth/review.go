package kubeauth

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// maxReview bounds the answer to a review, in bytes.
const maxReview = 1 << 20

// errForbidden is the API server's 403 to a review, which is about the account
// of this server and not about the one under review.
var errForbidden = errors.New("status 403: the account of this server may not ask for reviews")

// unavailableError is a failure of the API server or of the way to it, during
// which earlier answers may be used longer. A failure of any other type is an
// answer, though not the one that was wanted.
type unavailableError struct{ err error }

func (e unavailableError) Error() string { return e.err.Error() }
func (e unavailableError) Unwrap() error { return e.err }

type object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

var (
	tokenReview  = object{"authentication.k8s.io/v1", "TokenReview"}
	accessReview = object{"authorization.k8s.io/v1", "SubjectAccessReview"}
)

type tokenSpec struct {
	Token     string   `json:"token"`
	Audiences []string `json:"audiences,omitempty"`
}

type accessSpec struct {
	User       string              `json:"user"`
	UID        string              `json:"uid,omitempty"`
	Groups     []string            `json:"groups"`
	Extra      map[string][]string `json:"extra,omitempty"`
	Attributes urlAttributes       `json:"nonResourceAttributes"`
}

type urlAttributes struct {
	Path string `json:"path"`
	Verb string `json:"verb"`
}

// reviewToken answers who a token belongs to, from the cache if it can. A
// token that is refused, or made for other audiences, is a verdict that is not
// good.
func (a *Auth) reviewToken(ctx context.Context, token string) (verdict, error) {
	k := hash(a.secret, append([]string{token}, a.audiences...)...)
	return a.tokens.get(ctx, k, func(ctx context.Context) (verdict, error) {
		data, err := a.post(ctx, tokenReview, "tokenreviews", tokenSpec{token, a.audiences})
		if err != nil {
			return verdict{}, err
		}
		return decodeTokenReview(data, a.audiences)
	})
}

// reviewAccess answers whether a user may do verb to path, from the cache if
// it can.
func (a *Auth) reviewAccess(ctx context.Context, user User, verb, path string) (verdict, error) {
	parts := append([]string{verb, path, user.Name, user.UID, strconv.Itoa(len(user.Groups))}, user.Groups...)
	for _, name := range slices.Sorted(maps.Keys(user.Extra)) {
		parts = append(parts, name, strconv.Itoa(len(user.Extra[name])))
		parts = append(parts, user.Extra[name]...)
	}
	spec := accessSpec{user.Name, user.UID, user.Groups, user.Extra, urlAttributes{path, verb}}
	return a.accesses.get(ctx, hash(a.secret, parts...), func(ctx context.Context) (verdict, error) {
		data, err := a.post(ctx, accessReview, "subjectaccessreviews", spec)
		if err != nil {
			return verdict{}, err
		}
		return decodeAccessReview(data)
	})
}

// hash names parts, each with its length in front, so that different lists
// have different names, and keyed, so that a name does not tell the token.
func hash(secret []byte, parts ...string) key {
	mac := hmac.New(sha256.New, secret)
	var length [8]byte
	for _, part := range parts {
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		mac.Write(length[:])
		mac.Write([]byte(part))
	}
	return key(mac.Sum(nil))
}

// post sends a review and returns the body of the answer. Its errors quote
// nothing of that body, as it could repeat the token.
func (a *Auth) post(ctx context.Context, kind object, resource string, spec any) ([]byte, error) {
	body, err := json.Marshal(struct {
		object
		Spec any `json:"spec"`
	}{kind, spec})
	if err != nil {
		return nil, fmt.Errorf("encoding the review: %w", err)
	}
	url := a.host + "/apis/" + kind.APIVersion + "/" + resource
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	resp, err := a.client.Do(req)
	if err != nil {
		return nil, unavailableError{err}
	}
	defer func() { _ = resp.Body.Close() }()
	switch {
	case resp.StatusCode == http.StatusOK, resp.StatusCode == http.StatusCreated:
	case resp.StatusCode == http.StatusForbidden:
		return nil, errForbidden
	case resp.StatusCode == http.StatusUnauthorized:
		return nil, errors.New("status 401: the API server does not know the account of this server: check its token or certificate")
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode >= 500:
		return nil, unavailableError{fmt.Errorf("status %d", resp.StatusCode)}
	default:
		return nil, fmt.Errorf("status %d: check that the host is an API server", resp.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxReview+1))
	switch {
	case err != nil:
		return nil, unavailableError{fmt.Errorf("reading the answer: %w", err)}
	case len(data) > maxReview:
		return nil, fmt.Errorf("the answer is longer than %d bytes", maxReview)
	}
	return data, nil
}

// decodeTokenReview fails if data is not a TokenReview with a status.
func decodeTokenReview(data []byte, audiences []string) (verdict, error) {
	var review struct {
		object
		Status *struct {
			Authenticated bool `json:"authenticated"`
			User          struct {
				Username string              `json:"username"`
				UID      string              `json:"uid"`
				Groups   []string            `json:"groups"`
				Extra    map[string][]string `json:"extra"`
			} `json:"user"`
			Audiences []string `json:"audiences"`
		} `json:"status"`
	}
	if json.Unmarshal(data, &review) != nil || review.object != tokenReview || review.Status == nil {
		return verdict{}, errors.New("the answer is not a TokenReview with a status: check that the host is an API server")
	}
	s := review.Status
	ours := func(audience string) bool { return slices.Contains(audiences, audience) }
	switch {
	case !s.Authenticated:
		return verdict{}, nil
	case len(audiences) > 0 && !slices.ContainsFunc(s.Audiences, ours):
		return verdict{}, nil // also from an API server that ignores audiences
	case s.User.Username == "":
		return verdict{}, errors.New("the answer is a TokenReview that accepts the token of nobody")
	}
	return verdict{good: true, user: User{s.User.Username, s.User.UID, withAuthenticated(s.User.Groups), s.User.Extra}}, nil
}

// decodeAccessReview fails if data is not a SubjectAccessReview with a status.
func decodeAccessReview(data []byte) (verdict, error) {
	var review struct {
		object
		Status *struct {
			Allowed bool `json:"allowed"`
			Denied  bool `json:"denied"`
		} `json:"status"`
	}
	if json.Unmarshal(data, &review) != nil || review.object != accessReview || review.Status == nil {
		return verdict{}, errors.New("the answer is not a SubjectAccessReview with a status: check that the host is an API server")
	}
	return verdict{good: review.Status.Allowed && !review.Status.Denied}, nil
}

// reviewFailed returns a function that logs why a review failed.
func (a *Auth) reviewFailed(kind object) func(error) {
	return func(err error) {
		if errors.Is(err, errForbidden) {
			if hidden, ok := a.forbidden.open(); ok {
				a.log.Error("The API server does not let this server ask for reviews: bind its account to the ClusterRole system:auth-delegator with a ClusterRoleBinding",
					"review", kind.Kind, "err", err, "hidden", hidden)
			}
			return
		}
		if hidden, ok := a.failing.open(); ok {
			a.log.Warn("A review by the API server failed", "review", kind.Kind, "err", err, "hidden", hidden)
		}
	}
}

// gate folds what would be logged again and again into one line per minute.
// The zero value is open.
type gate struct {
	mu     sync.Mutex
	next   time.Time
	hidden int
}

// open reports whether to log now, and how often it was not since the last.
func (g *gate) open() (hidden int, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if now.Before(g.next) {
		g.hidden++
		return 0, false
	}
	hidden, g.hidden, g.next = g.hidden, 0, now.Add(time.Minute)
	return hidden, true
}
