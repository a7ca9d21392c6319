package kubeauth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Config configures an [Auth]. The zero value works in a pod that has a
// ServiceAccount mounted.
type Config struct {
	// Client sends the reviews and authenticates this server to the API
	// server, as the client of rest.HTTPClientFor does. A copy that follows no
	// redirects is used. Without one, [InCluster] gives client and host.
	Client *http.Client
	// Host is the base URL of the API server, such as https://10.0.0.1:443,
	// with or without a path. It goes with Client. Only a loopback address may
	// be reached by http.
	Host string
	// Audiences are those that a token must be made for, one of them at least.
	// Without any, it is the API server's own audience; a server that receives
	// such a token could then use it at the API server.
	Audiences []string

	// TokenTTL is how long a token counts as accepted after the API server has
	// accepted it. The default is 1 minute.
	TokenTTL time.Duration
	// TokenDeniedTTL is the same for a refused token. The default is 10
	// seconds.
	TokenDeniedTTL time.Duration
	// AllowTTL is how long an access that was allowed is allowed without
	// asking. The default is 5 minutes.
	AllowTTL time.Duration
	// DenyTTL is the same for a denied access. The default is 30 seconds.
	DenyTTL time.Duration
	// StaleWhileUnavailable is how long after its TTL an accepted token, or an
	// allowed access, still counts if the API server does not answer: it is
	// not reached, times out, or has status 429 or 5xx. A token that expires or
	// is revoked meanwhile stays good. The default is 0, which is not at all.
	StaleWhileUnavailable time.Duration
	// Timeout is that of one review; a request needs two at most. The default
	// is 3 seconds, so that a scrape with the usual 10 seconds survives both.
	Timeout time.Duration
	// CacheSize is how many accepted tokens are kept, and as many refused
	// tokens, allowed and denied accesses. The default is 4096.
	CacheSize int

	// ClientCertificates takes client certificates that the TLS server has
	// verified for identities: the common name is the user, the organizations
	// are the groups, system:masters included. Set it only if the server's
	// client authorities are those of the cluster, as with [WithClientCA].
	ClientCertificates bool
	// Static are rules that allow access before the API server is asked.
	Static []Rule
	// Logger gets failures of reviews, each kind once per minute at most, and
	// never a token. The default is [slog.Default].
	Logger *slog.Logger
}

// User is an authenticated identity, as the API server knows it.
type User struct {
	Name   string
	UID    string // empty for client certificates
	Groups []string
	Extra  map[string][]string
}

func (u User) clone() User {
	u.Groups = slices.Clone(u.Groups)
	u.Extra = maps.Clone(u.Extra)
	for k, v := range u.Extra {
		u.Extra[k] = slices.Clone(v)
	}
	return u
}

// Auth protects handlers. Create it with [New]; the zero value is not usable.
// Its methods are safe for concurrent use. It holds no resources that need to
// be closed.
type Auth struct {
	client    *http.Client
	host      string // without a slash at the end
	audiences []string
	rules     []Rule
	byCert    bool
	log       *slog.Logger
	secret    []byte // keys the hashes that name cache entries
	tokens    *cache
	accesses  *cache

	forbidden, failing, busy gate
}

// New returns an Auth. It asks the API server nothing yet, so that a server
// starts without it. The slices of cfg are copied.
func New(cfg Config) (*Auth, error) {
	client, host, err := apiServer(cfg)
	if err != nil {
		return nil, fmt.Errorf("kubeauth: %w", err)
	}
	rules, err := checkedRules(cfg.Static)
	if err != nil {
		return nil, fmt.Errorf("kubeauth: %w", err)
	}
	if i := slices.Index(cfg.Audiences, ""); i >= 0 {
		return nil, fmt.Errorf("kubeauth: audience %d is empty: name it or leave it out", i)
	}
	positive(&cfg.TokenTTL, time.Minute)
	positive(&cfg.TokenDeniedTTL, 10*time.Second)
	positive(&cfg.AllowTTL, 5*time.Minute)
	positive(&cfg.DenyTTL, 30*time.Second)
	positive(&cfg.Timeout, 3*time.Second)
	if cfg.CacheSize <= 0 {
		cfg.CacheSize = 4096
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	a := &Auth{
		client:    client,
		host:      host,
		audiences: slices.Clone(cfg.Audiences),
		rules:     rules,
		byCert:    cfg.ClientCertificates,
		log:       cfg.Logger,
		secret:    secret,
	}
	a.tokens = newCache(cfg, cfg.TokenTTL, cfg.TokenDeniedTTL, a.reviewFailed(tokenReview))
	a.accesses = newCache(cfg, cfg.AllowTTL, cfg.DenyTTL, a.reviewFailed(accessReview))
	return a, nil
}

// positive sets a duration to its default unless it has a value of use.
func positive(d *time.Duration, value time.Duration) {
	if *d <= 0 {
		*d = value
	}
}

// apiServer returns a client that follows no redirect, as it would take a
// token along, and the base URL without a slash at the end.
func apiServer(cfg Config) (*http.Client, string, error) {
	if cfg.Client == nil {
		if cfg.Host != "" {
			return nil, "", errors.New("a host is set without a client: set both, or none in a pod")
		}
		return InCluster()
	}
	u, err := url.Parse(cfg.Host)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, "", fmt.Errorf("host %q: want a base URL such as https://10.0.0.1:443", cfg.Host)
	}
	ip := net.ParseIP(u.Hostname())
	loopback := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback) {
		return nil, "", fmt.Errorf("host %q: use https, as tokens are sent there", cfg.Host)
	}
	client := *cfg.Client
	client.CheckRedirect = noRedirect
	return &client, strings.TrimRight(u.String(), "/"), nil
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Wrap returns a handler that passes a request on to next only if it is
// allowed. What next gets is a copy of the request without the Authorization
// header and with the identity in its context, see [UserFrom]. The path that
// is authorised is the one that Wrap sees: put [net/http.StripPrefix] inside.
//
// A request without TLS is served too. Whether those are accepted is for the
// server to decide.
func (a *Auth) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, refused := a.check(r)
		if refused != nil {
			refused.write(w)
			return
		}
		r = r.Clone(context.WithValue(r.Context(), userKey{}, user.clone()))
		r.Header.Del("Authorization")
		next.ServeHTTP(w, r)
	})
}

type userKey struct{}

// UserFrom returns the identity of a request that came through [Auth.Wrap],
// from the request's context. It belongs to that request, which may change it.
func UserFrom(ctx context.Context) (User, bool) {
	user, ok := ctx.Value(userKey{}).(User)
	return user, ok
}

// check returns who sent an allowed request, or why it is refused.
func (a *Auth) check(r *http.Request) (User, *refusal) {
	if !unambiguous(r) {
		return User{}, &refusal{http.StatusBadRequest, "the request is ambiguous: send the path in its shortest form, without encoded slashes, and the method in upper case"}
	}
	verb := strings.ToLower(r.Method)
	if r.Method == http.MethodHead {
		verb = "get"
	}
	user, ok := certificateUser(r.TLS, time.Now())
	if !ok || !a.byCert {
		token, ok := bearerToken(r.Header["Authorization"])
		if !ok {
			return User{}, a.unauthorized("there are no usable credentials", verb, r)
		}
		verdict, err := a.reviewToken(r.Context(), token)
		switch {
		case err != nil:
			return User{}, a.unavailable(err)
		case !verdict.good:
			return User{}, a.unauthorized("the API server does not accept this bearer token: it is wrong, expired, or made for another audience", verb, r)
		}
		user = verdict.user
	}
	if slices.ContainsFunc(a.rules, func(rule Rule) bool { return rule.allows(user, verb, r.URL.Path) }) {
		return user, nil
	}
	verdict, err := a.reviewAccess(r.Context(), user, verb, r.URL.Path)
	switch {
	case err != nil:
		return User{}, a.unavailable(err)
	case !verdict.good:
		return User{}, &refusal{http.StatusForbidden, fmt.Sprintf(
			"user %q may not %s %s: bind a ClusterRole to it that has this verb and this path in nonResourceURLs", user.Name, verb, r.URL.EscapedPath())}
	}
	return user, nil
}

// unambiguous reports whether any handler must understand the path and the
// method in the way they are authorised. ServeMux redirects to the shortest
// form of a path, but other handlers do not; it matches encoded slashes apart
// from others, although the path of the URL shows them alike; and a handler
// that compares the method with "GET" takes "get" for something else. What is
// not UTF-8 would be altered on the way to the API server.
func unambiguous(r *http.Request) bool {
	p := r.URL.Path
	clean := path.Clean(p)
	return strings.HasPrefix(p, "/") &&
		(p == clean || clean != "/" && p == clean+"/") &&
		!strings.ContainsAny(p, "\\\x00") &&
		utf8.ValidString(p) &&
		!strings.Contains(strings.ToLower(r.URL.RawPath), "%2f") &&
		r.Method != "" && r.Method == strings.ToUpper(r.Method)
}

// refusal is an answer to a request that is not passed on.
type refusal struct {
	status int
	text   string
}

func (f *refusal) write(w http.ResponseWriter) {
	switch f.status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", strconv.Itoa(int(pause.Seconds())))
	}
	http.Error(w, f.text, f.status)
}

func (a *Auth) unauthorized(why, verb string, r *http.Request) *refusal {
	made := ""
	if len(a.audiences) > 0 {
		made = fmt.Sprintf(" made for audience %q", a.audiences[0])
	}
	return &refusal{http.StatusUnauthorized, fmt.Sprintf("%s: send a bearer token%s of an account that may %s %s", why, made, verb, r.URL.EscapedPath())}
}

func (a *Auth) unavailable(err error) *refusal {
	if errors.Is(err, errBusy) {
		if hidden, ok := a.busy.open(); ok {
			a.log.Warn("Requests are refused, as too many others wait for the API server", "limit", maxReviews, "hidden", hidden)
		}
		return &refusal{http.StatusServiceUnavailable, "too many requests wait for the API server to decide about them: try again later"}
	}
	return &refusal{http.StatusServiceUnavailable, "the API server could not be asked about this request: try again later, and see the log of this server"}
}
