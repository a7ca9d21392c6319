package kubeauth

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestRuleAllows(t *testing.T) {
	rule := Rule{Users: []string{"u1", "u2"}, Groups: []string{"g1"}, Verbs: []string{"get", "post"}, Paths: []string{"/metrics", "/debug/*", "/x*"}}
	f := func(want bool, user, group, verb, path string) {
		t.Helper()
		if got := rule.allows(User{Name: user, Groups: []string{"a", group}}, verb, path); got != want {
			t.Errorf("%s of %s: %s %s: %v, want %v", user, group, verb, path, got, want)
		}
	}
	f(true, "u1", "", "get", "/metrics")
	f(true, "u2", "", "post", "/metrics")
	f(true, "x", "g1", "get", "/metrics")
	f(true, "u1", "", "get", "/debug/")
	f(true, "u1", "", "get", "/debug/pprof/heap")
	f(true, "u1", "", "get", "/x")
	f(true, "u1", "", "get", "/xy")
	f(false, "x", "x", "get", "/metrics")
	f(false, "g1", "u1", "get", "/metrics")
	f(false, "u1", "", "put", "/metrics")
	f(false, "u1", "", "get", "/metrics/")
	f(false, "u1", "", "get", "/metric")
	f(false, "u1", "", "get", "/debug")
	f(false, "u1", "", "get", "/")
	f(false, "", "", "get", "/metrics")
	rule = Rule{Groups: []string{authenticated}, Verbs: []string{"*"}, Paths: []string{"*"}}
	f(true, "x", authenticated, "put", "/any")
	f(false, "x", "", "put", "/any")
}

func TestRuleCheck(t *testing.T) {
	one := []string{"x"}
	good := Rule{Users: one, Verbs: []string{"get"}, Paths: []string{"/metrics"}}
	f := func(part string, change func(*Rule)) {
		t.Helper()
		r := good
		change(&r)
		_, err := checkedRules([]Rule{good, r})
		wantError(t, part, err, part, "static rule 1: ")
	}
	f("empty list", func(r *Rule) { r.Users = nil })
	f("empty list", func(r *Rule) { r.Verbs = nil })
	f("empty list", func(r *Rule) { r.Paths = nil })
	f(`""`, func(r *Rule) { r.Users = []string{""} })
	f("system:authenticated", func(r *Rule) { r.Users = []string{"*"} })
	f("system:authenticated", func(r *Rule) { r.Groups = []string{"system:*"} })
	f(`"GET"`, func(r *Rule) { r.Verbs = []string{"GET"} })
	f(`"head"`, func(r *Rule) { r.Verbs = []string{"head"} })
	f(`""`, func(r *Rule) { r.Verbs = []string{""} })
	f(`"metrics"`, func(r *Rule) { r.Paths = []string{"metrics"} })
	f(`""`, func(r *Rule) { r.Paths = []string{""} })
	f(`"/a*b"`, func(r *Rule) { r.Paths = []string{"/a*b"} })
	f(`"**"`, func(r *Rule) { r.Paths = []string{"**"} })

	rules, err := checkedRules([]Rule{good})
	if err != nil {
		t.Fatal(err)
	}
	one[0] = "changed"
	wantEqual(t, "user of the copy", rules[0].Users[0], "x")
}

// TestStaticRules counts what is asked: nothing at all with a certificate.
func TestStaticRules(t *testing.T) {
	api := newFakeAPI(t)
	a := api.auth(Config{ClientCertificates: true, Static: []Rule{
		{Users: []string{"eve"}, Verbs: []string{"get"}, Paths: []string{"/metrics"}},
		{Groups: []string{"scrapers"}, Verbs: []string{"get"}, Paths: []string{"/metrics"}},
	}})
	api.allowed = nil
	wantCode(t, "user", get(a, "other"), 200)
	wantCode(t, "group", get(a, "good"), 200)
	wantCode(t, "HEAD", do(t.Context(), a, "HEAD", "/metrics", "good"), 200)
	wantCode(t, "bad", get(a, "bad"), 401)
	api.want("tokens", 3, 0)
	wantCode(t, "other verb", do(t.Context(), a, "POST", "/metrics", "good"), 403)
	api.want("other verb", 0, 1)

	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	cert := &x509.Certificate{Subject: pkix.Name{CommonName: "prometheus", Organization: []string{"scrapers"}}, NotAfter: time.Now().Add(time.Hour)}
	r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{cert}}}
	api.down(false)
	wantCode(t, "certificate", serve(a, r), 200)
	api.want("certificate", 0, 0)
}
