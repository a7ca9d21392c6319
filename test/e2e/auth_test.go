package e2e

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubevitals/kubevitals/test/controlplane"
	"github.com/kubevitals/kubevitals/test/program"
)

// noToken is something that no API server accepts.
const noToken = "this-is-not-a-token"

// TestAuth sends requests with each kind of credentials. The accounts differ, as
// a refusal counts for half a minute.
func TestAuth(t *testing.T) {
	p := startProtected(t, delegator(t, control),
		"state", "--from", sample, "--auth=kubernetes", "--tls-self-signed", "--pprof", "--log-level=debug")
	p.WaitReady(t)
	issued = append(issued, noToken)
	var (
		metrics  = reader(t, control, "reader", "/metrics")
		page     = reader(t, control, "visitor", "/")
		profiles = reader(t, control, "profiler", "/debug/pprof/*")
		nobody   = newToken(t, control, authNamespace, "nobody")
		head     = reader(t, control, "header", "/metrics")
		forged   = metrics[:len(metrics)-8] + "AAAAAAAA"
	)
	f := func(code int, method, path, authorization string) {
		t.Helper()
		c := client{url: p.URL, authorization: authorization}
		a, err := c.do(t.Context(), method, path)
		if err != nil {
			t.Fatal(err)
		}
		if a.code != code {
			t.Errorf("%s %s: status %d, want %d: %.300s", method, path, a.code, code, a.body)
		}
		challenge := ""
		if code == http.StatusUnauthorized {
			challenge = "Bearer"
		}
		if got := a.header.Get("WWW-Authenticate"); got != challenge {
			t.Errorf("%s %s: WWW-Authenticate %q, want %q", method, path, got, challenge)
		}
		wantMetrics := code == http.StatusOK && method == http.MethodGet && path == "/metrics"
		if served := strings.Contains(a.body, "gatewayapi_gateway_info{"); served != wantMetrics {
			t.Errorf("%s %s: status %d, and whether metrics are served: %t", method, path, a.code, served)
		}
	}
	// Who is it?
	f(401, "GET", "/metrics", "")
	f(401, "GET", "/metrics", "Bearer")
	f(401, "GET", "/metrics", "Bearer "+noToken)
	f(401, "GET", "/metrics", "Bearer "+forged)
	f(401, "GET", "/metrics", metrics)
	f(401, "GET", "/metrics", "Basic "+base64.StdEncoding.EncodeToString([]byte("admin:"+noToken)))
	f(401, "HEAD", "/metrics", "")
	// May they?
	f(403, "GET", "/metrics", "Bearer "+nobody)
	f(200, "GET", "/metrics", "Bearer "+metrics)
	f(200, "GET", "/metrics", "bearer "+metrics)
	f(200, "HEAD", "/metrics", "Bearer "+metrics)
	f(200, "HEAD", "/metrics", "Bearer "+head)
	f(405, "POST", "/metrics", "Bearer "+metrics)
	f(405, "POST", "/metrics", "")
	f(405, "DELETE", "/metrics", "Bearer "+metrics)
	// A role is for its paths only.
	f(401, "GET", "/", "")
	f(403, "GET", "/", "Bearer "+metrics)
	f(200, "GET", "/", "Bearer "+page)
	f(403, "GET", "/metrics", "Bearer "+page)
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=1"} {
		f(401, "GET", path, "")
		f(403, "GET", path, "Bearer "+metrics)
		f(200, "GET", path, "Bearer "+profiles)
	}
	f(403, "GET", "/metrics", "Bearer "+profiles)
	// The query is not what is authorised.
	f(200, "GET", "/metrics?name[]=kubevitals_build_info", "Bearer "+metrics)
	f(403, "GET", "/metrics?name[]=/", "Bearer "+page)
	// The kubelet has no token.
	for _, path := range []string{"/readyz", "/readyz?verbose", "/livez", "/healthz", "/startupz"} {
		f(200, "GET", path, "")
		f(200, "GET", path, "Bearer "+noToken)
	}
	expired := signToken(t, control, controlplane.TokenSpec{
		Namespace: authNamespace, Name: "reader", Expires: time.Now().Add(-time.Hour),
	})
	f(401, "GET", "/metrics", "Bearer "+expired)
	// Such a token is good as long as it has not expired.
	f(200, "GET", "/metrics", "Bearer "+signToken(t, control, controlplane.TokenSpec{Namespace: authNamespace, Name: "reader"}))
}

// TestAuthAudience sends tokens that were requested for different audiences, to
// processes that want one of two, and the API server's.
func TestAuthAudience(t *testing.T) {
	kubeconfig := delegator(t, control)
	own := reader(t, control, "reader", "/metrics")
	forAudience := func(audience string) string {
		token := strings.TrimSpace(kubectl(t, control, "create", "token", "reader", "--namespace", authNamespace, "--audience", audience))
		issued = append(issued, token)
		return token
	}
	first, second, other := forAudience("kubevitals"), forAudience("metrics"), forAudience("vault")

	picky := startProtected(t, kubeconfig, "demo", "--every=0", "--auth=kubernetes", "--tls-self-signed", "--auth-audience=kubevitals,metrics")
	plain := startProtected(t, kubeconfig, "demo", "--every=0", "--auth=kubernetes", "--tls-self-signed")
	f := func(p *program.Process, token string, want int) {
		t.Helper()
		bearer(p, token).expect(t, want, "/metrics")
	}
	f(picky, first, 200)
	f(picky, second, 200)
	f(picky, other, 401)
	f(picky, own, 401)
	f(plain, own, 200)
	f(plain, first, 401)
	if a := bearer(picky, other).get(t, "/metrics"); !strings.Contains(a.body, `for audience "kubevitals"`) {
		t.Errorf("the refusal does not say for which audience: %s", a.body)
	}
}

// TestAuthDeletedAccount sends a token that was good when it was made.
func TestAuthDeletedAccount(t *testing.T) {
	p := startProtected(t, delegator(t, control), "demo", "--every=0", "--auth=kubernetes", "--tls-self-signed")
	const name = "deleted"
	before := reader(t, control, name, "/metrics")
	// One that kubevitals does not see, for the poll below, and one to send then.
	unseen, after := newToken(t, control, authNamespace, name), newToken(t, control, authNamespace, name)
	bearer(p, before).expect(t, 200, "/metrics")
	kubectl(t, control, "delete", "serviceaccount", "--namespace", authNamespace, name)
	api, err := kubernetes.NewForConfig(control.Config())
	if err != nil {
		t.Fatal(err)
	}
	program.Poll(t, "the API server to refuse the token", func() error {
		review, err := api.AuthenticationV1().TokenReviews().Create(t.Context(),
			&authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: unseen}}, metav1.CreateOptions{})
		if err == nil && review.Status.Authenticated {
			err = errors.New("it is still accepted")
		}
		return err
	})
	bearer(p, after).expect(t, 401, "/metrics")
}

// reviews returns how often kubevitals has asked for which review since a mark.
func reviews(t *testing.T, c *controlplane.ControlPlane, mark controlplane.Mark) (all []string) {
	t.Helper()
	for _, r := range requests(t, c, mark) {
		all = append(all, fmt.Sprintf("%s %s %d", r.Verb, r.Resource, r.Code))
	}
	slices.Sort(all)
	return all
}

// TestAuthSharesReviews scrapes with a token from many clients at once and reads
// the API server's log.
func TestAuthSharesReviews(t *testing.T) {
	p := startProtected(t, delegator(t, control), "state", "--from", sample, "--auth=kubernetes", "--tls-self-signed")
	p.WaitReady(t)
	c := bearer(p, reader(t, control, "crowd", "/metrics"))
	mark, err := control.Mark()
	skipNotOwned(t, err)
	const clients = 50
	served, asked := 0, 0
	round := func() {
		t.Helper()
		answers, failures := make(chan answer, clients), make(chan error, clients)
		for range clients {
			go func() {
				if a, err := c.do(t.Context(), http.MethodGet, "/metrics"); err != nil {
					failures <- err
				} else {
					answers <- a
				}
			}()
		}
		for range clients {
			select {
			case err := <-failures:
				t.Fatal(err)
			case a := <-answers:
				asked++
				switch {
				case a.code == http.StatusOK:
					served++
				// So many are not served at once, but that is known of an allowed
				// request only.
				case a.code == http.StatusServiceUnavailable && strings.HasPrefix(a.body, "too many scrapes at once"):
				default:
					t.Errorf("status %d: %s", a.code, a.body)
				}
			}
		}
	}
	round()
	want := []string{"create subjectaccessreviews 201", "create tokenreviews 201"}
	if got := reviews(t, control, mark); !slices.Equal(got, want) {
		t.Errorf("%d scrapes with a new token ask for %v, want %v", clients, got, want)
	}
	t.Logf("%d of %d scrapes at once got metrics, and asked for %v", served, asked, reviews(t, control, mark))
	if mark, err = control.Mark(); err != nil {
		t.Fatal(err)
	}
	round()
	if got := reviews(t, control, mark); len(got) > 0 {
		t.Errorf("%d scrapes with a known token ask for %v, want nothing", clients, got)
	}
	if served == 0 {
		t.Error("nobody was served")
	}
	client{url: p.URL}.expect(t, 401, "/metrics")
	client{url: p.URL}.expect(t, 401, "/")
	bearer(p, newToken(t, control, authNamespace, "nobody")).expect(t, 403, "/metrics")
	// A request is counted when it is over, which its client may know before.
	program.Poll(t, "the count of decisions", func() error {
		text := c.get(t, "/metrics").body
		asked++
		decisions := func(result string, n int) error {
			return has(text, fmt.Sprintf("kubevitals_auth_decisions_total{result=%q} %d", result, n))
		}
		return errors.Join(decisions("allowed", asked-1), decisions("unauthenticated", 2), decisions("forbidden", 1),
			decisions("unavailable", 0), decisions("other", 0))
	})
}

// TestAuthWithoutAPIServer kills the API server between requests.
func TestAuthWithoutAPIServer(t *testing.T) {
	c := ownControlPlane(t, "standard")
	p := startProtected(t, delegator(t, c), "state", "--from", sample, "--auth=kubernetes", "--tls-self-signed")
	p.WaitReady(t)
	known, late := bearer(p, reader(t, c, "known", "/metrics")), bearer(p, reader(t, c, "late", "/metrics"))
	known.expect(t, 200, "/metrics")
	if err := c.KillAPIServer(); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		known.expect(t, 200, "/metrics")
		a := late.get(t, "/metrics")
		if a.code != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || a.header.Get("WWW-Authenticate") != "" {
			t.Errorf("a new token without an API server: %d, header %v", a.code, a.header)
		}
	}
	known.expect(t, 503, "/") // the access to this is not known
	client{url: p.URL}.expect(t, 401, "/metrics")
	client{url: p.URL}.expect(t, 200, "/readyz")
	if n := strings.Count(p.Output.String(), "A review by the API server failed"); n != 1 {
		t.Errorf("failed reviews are logged %d times, want once a minute", n)
	}
	if err := c.StartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	program.Poll(t, "the new token to be good, and the access to be known", func() error {
		metrics, page := late.get(t, "/metrics"), known.get(t, "/")
		if metrics.code != http.StatusOK || page.code != http.StatusForbidden {
			return fmt.Errorf("status %d and %d: %.300s", metrics.code, page.code, metrics.body)
		}
		return nil
	})
}

// TestAuthNotDelegated runs with accounts that the API server does not answer:
// the log says what to do, and doing it helps.
func TestAuthNotDelegated(t *testing.T) {
	token := reader(t, control, "reader", "/metrics")
	run := func(kubeconfig string) *program.Process {
		return startProtected(t, kubeconfig, "demo", "--every=0", "--auth=kubernetes", "--tls-self-signed")
	}
	f := func(p *program.Process, reason string) {
		t.Helper()
		a := bearer(p, token).get(t, "/metrics")
		if a.code != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
			t.Errorf("status %d, header %v: %s", a.code, a.header, a.body)
		}
		client{url: p.URL}.expect(t, 401, "/metrics")
		if out := p.Output.String(); !strings.Contains(out, reason) {
			t.Errorf("no %q in the log:\n%s", reason, out)
		}
	}
	f(run(kubeconfigFor(t, control, noToken)), "the API server does not know the account of this server")

	// A name of its own, as the account gets its role below.
	name := fmt.Sprintf("undelegated-%d", time.Now().UnixNano())
	p := run(kubeconfigFor(t, control, newToken(t, control, authNamespace, name)))
	f(p, "bind its account to the ClusterRole system:auth-delegator")
	bindAccount(t, control, "system:auth-delegator", authNamespace, name)
	program.Poll(t, "the role to count", func() error {
		if a := bearer(p, token).get(t, "/metrics"); a.code != http.StatusOK {
			return fmt.Errorf("status %d: %s", a.code, a.body)
		}
		return nil
	})
}
