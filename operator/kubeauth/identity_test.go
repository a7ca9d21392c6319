package kubeauth

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestBearerToken(t *testing.T) {
	f := func(want string, headers ...string) {
		t.Helper()
		got, ok := bearerToken(headers)
		if got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v, want %q", headers, got, ok, want)
		}
	}
	f("")
	f("", "")
	f("", "Bearer")
	f("", "Bearer ")
	f("", "Bearera.b")
	f("", "a.b")
	f("", "Basic a.b")
	f("", "Bearer a b")
	f("", "Bearer a\tb")
	f("", "Bearer a\x00")
	f("", "Bearer \xc3\xa4")
	f("", "Bearer a.b", "Bearer a.b")
	f("", "Bearer a.b", "")
	f("", "Bearer "+strings.Repeat("x", maxToken+1))
	f("a.b", "Bearer a.b")
	f("a.b", "bearer a.b")
	f("a.b", " BEARER   a.b ")
	f("sha256~a-b_c/d+e==", "Bearer sha256~a-b_c/d+e==")
}

func FuzzBearerToken(f *testing.F) {
	for _, s := range []string{"", "Bearer a.b", "bearer  x ", "Basic x", "Bearer a b", "Bearer \xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		token, ok := bearerToken([]string{header})
		if ok != (token != "") || len(token) > maxToken || !strings.Contains(header, token) {
			t.Fatalf("token %q, %v", token, ok)
		}
		for _, c := range []byte(token) {
			if c <= ' ' || c > '~' {
				t.Fatalf("token %q is not visible ASCII", token)
			}
		}
		if again, _ := bearerToken([]string{"Bearer " + token}); ok && again != token {
			t.Fatalf("token %q is %q the second time", token, again)
		}
		if _, twice := bearerToken([]string{header, header}); twice {
			t.Fatal("two headers are usable")
		}
	})
}

func TestCertificateUser(t *testing.T) {
	now := time.Now()
	cert := func(name string, from, to time.Duration, groups ...string) *x509.Certificate {
		return &x509.Certificate{
			Subject:   pkix.Name{CommonName: name, Organization: groups},
			NotBefore: now.Add(from), NotAfter: now.Add(to),
		}
	}
	good, ca := cert("cert", -1, time.Hour, "g1", "g2"), cert("ca", -1, time.Hour)
	f := func(what, want string, state *tls.ConnectionState) {
		t.Helper()
		user, ok := certificateUser(state, now)
		if got := fmt.Sprint(user.Name, user.Groups); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %s, %v, want %q", what, got, ok, want)
		}
	}
	f("no TLS", "", nil)
	f("no certificate", "", &tls.ConnectionState{})
	f("not verified", "", &tls.ConnectionState{PeerCertificates: []*x509.Certificate{good}})
	f("empty chain", "", &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{}}})
	f("good", "cert[g1 g2 system:authenticated]", &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{good, ca}}})
	f("without groups", "ca[system:authenticated]", &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{ca}}})
	f("nobody", "", &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{cert("", -1, 1, "g"), ca}}})
	f("expired", "", &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{cert("x", -2, -1), ca}}})
	f("too early", "", &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{cert("x", 1, 2), ca}}})
	f("expired authority", "", &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{good, cert("ca", -2, -1)}}})
	f("one of two chains", "cert[g1 g2 system:authenticated]", &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{
		{good, cert("ca", -2, -1)}, {good, ca},
	}})
}

func TestWithAuthenticatedCopies(t *testing.T) {
	groups := append(make([]string, 0, 2), "g")
	wantSlice(t, "groups", withAuthenticated(groups), "g", authenticated)
	wantSlice(t, "where they came from", groups[:2], "g", "")
	wantSlice(t, "groups that have it", withAuthenticated([]string{authenticated}), authenticated)
}

// TestCertificateBeforeToken demands that a certificate needs no TokenReview,
// and that a token without certificate still does.
func TestCertificateBeforeToken(t *testing.T) {
	api := newFakeAPI(t)
	a := api.auth(Config{ClientCertificates: true})
	cert := &x509.Certificate{Subject: pkix.Name{CommonName: "cert"}, NotAfter: time.Now().Add(time.Hour)}
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{cert}}}
	w := serve(a, r)
	wantCode(t, "certificate", w, 200)
	wantEqual(t, "user", w.Body.String(), "cert")
	r.Header.Set("Authorization", "Bearer good")
	wantEqual(t, "user with a token too", serve(a, r).Body.String(), "cert")
	api.want("certificate", 0, 1)
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}
	wantEqual(t, "user without verification", serve(a, r).Body.String(), "prom")
	api.want("token", 1, 1)
}

// TestCertificatesMustBeWanted: those of a mesh, say, are no identities of the
// cluster.
func TestCertificatesMustBeWanted(t *testing.T) {
	api := newFakeAPI(t)
	a := api.auth(Config{})
	cert := &x509.Certificate{Subject: pkix.Name{CommonName: "x", Organization: []string{"system:masters"}}, NotAfter: time.Now().Add(time.Hour)}
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{cert}}}
	wantCode(t, "certificate", serve(a, r), 401)
	api.want("certificate", 0, 0)
	r.Header.Set("Authorization", "Bearer good")
	wantEqual(t, "token beside it", serve(a, r).Body.String(), "prom")
	api.want("token", 1, 1)
}
