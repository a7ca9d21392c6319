package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/test/program"
)

// TestAuthClientCertificates sends certificates instead of tokens.
func TestAuthClientCertificates(t *testing.T) {
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	role := allowURL(t, control, "/metrics")
	bind(t, control, role, "{kind: User, apiGroup: rbac.authorization.k8s.io, name: auth-prometheus}")
	bind(t, control, role, "{kind: Group, apiGroup: rbac.authorization.k8s.io, name: auth-scrapers}")
	awaitAllowed(t, control, "get", "/metrics", "--as=auth-prometheus")
	awaitAllowed(t, control, "get", "/metrics", "--as=auth-somebody", "--as-group=auth-scrapers")
	token := reader(t, control, "reader", "/metrics")
	p := startProtected(t, delegator(t, control), "state", "--from", sample, "--auth=kubernetes", "--tls-self-signed",
		"--tls-client-ca", ours.file(t))
	p.WaitReady(t) // without a certificate
	mark, noLog := control.Mark()

	f := func(show *tls.Config, want int) {
		t.Helper()
		c := client{url: p.URL, tls: show}
		c.expect(t, want, "/metrics")
		c.expect(t, want, "/metrics")
	}
	f(ours.client(t, "auth-prometheus"), 200)
	f(ours.client(t, "auth-grafana", "auth-scrapers"), 200)
	f(ours.client(t, "auth-grafana", "auth-others", "auth-scrapers"), 200)
	f(ours.client(t, "auth-somebody"), 403)
	f(ours.client(t, "auth-somebody", "auth-others"), 403)
	f(ours.client(t, "auth-scrapers"), 403)      // a group is no user
	f(ours.client(t, "", "auth-scrapers"), 401)  // a group is nobody
	f(ours.client(t, "", "system:masters"), 401) // not even this one
	f(nil, 401)
	// The certificate goes before the token, and what is wrong with it is not
	// healed by a good token.
	both := client{url: p.URL, authorization: "Bearer " + noToken, tls: ours.client(t, "auth-prometheus")}
	both.expect(t, 200, "/metrics")
	both.tls, both.authorization = ours.client(t, "auth-somebody"), "Bearer "+token
	both.expect(t, 403, "/metrics")
	if noLog == nil {
		// Each of six identities once: the last two requests are of two of them.
		want := slices.Repeat([]string{"create subjectaccessreviews 201"}, 6)
		if got := reviews(t, control, mark); !slices.Equal(got, want) {
			t.Errorf("the requests ask for %v, want %v", got, want)
		}
		t.Logf("certificates ask for %v", reviews(t, control, mark))
	}
	bearer(p, token).expect(t, 200, "/metrics")
	client{url: p.URL}.expect(t, 200, "/livez")

	// These are not served at all, not even with a good token.
	expired := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "auth-prometheus"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		NotBefore:   time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour),
	}
	for name, show := range map[string]*tls.Config{
		"of another authority":                    theirs.client(t, "auth-prometheus", "system:masters"),
		"of another authority with the same name": newAuthority(t, "ours").client(t, "auth-prometheus"),
		"that has expired":                        ours.sign(t, expired).show(t),
		"for servers":                             ours.server(t, "auth-prometheus").show(t),
	} {
		c := client{url: p.URL, authorization: "Bearer " + token, tls: show}
		for _, path := range []string{"/metrics", "/readyz"} {
			if a, err := c.do(t.Context(), http.MethodGet, path); err == nil {
				t.Errorf("with a certificate %s: GET %s has status %d", name, path, a.code)
			}
		}
	}
}

// TestAuthCertificateReload replaces the certificate of a running process.
func TestAuthCertificateReload(t *testing.T) {
	const name = "kubevitals.kubevitals.svc"
	ca := newAuthority(t, "server")
	first, second, third := ca.server(t, name), ca.server(t, name), ca.server(t, name)
	v := newVolume(t, first)
	p := start(t, append(v.flags(), "demo", "--every=0")...)
	c := client{url: p.URL, tls: &tls.Config{RootCAs: ca.pool(), ServerName: name}}
	serves := func(want pair) error {
		a, err := c.do(t.Context(), http.MethodGet, "/metrics")
		if err != nil {
			return err
		}
		end := fmt.Sprintf("kubevitals_cert_expiry_timestamp_seconds %g", float64(a.peer.NotAfter.Unix()))
		if encode("CERTIFICATE", a.peer.Raw) != want.cert {
			return fmt.Errorf("certificate %s is served", a.peer.SerialNumber)
		}
		return has(a.body, end)
	}
	if err := serves(first); err != nil {
		t.Fatal(err)
	}
	v.put(t, second)
	program.Poll(t, "the second certificate", func() error { return serves(second) })

	v.put(t, pair{third.cert, first.key})
	complaint := "Changed files are not usable"
	program.Poll(t, "a complaint about the broken pair", func() error {
		if err := serves(second); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(p.Output.String(), complaint) {
			return errors.New("nothing is logged")
		}
		return nil
	})
	v.put(t, third)
	program.Poll(t, "the third certificate", func() error { return serves(third) })
	if n := strings.Count(p.Output.String(), complaint); n != 1 {
		t.Errorf("the broken pair is logged %d times, want once", n)
	}
	// Who verifies does so.
	c.tls = &tls.Config{RootCAs: ca.pool(), ServerName: "other." + name}
	if _, err := c.do(t.Context(), http.MethodGet, "/metrics"); err == nil {
		t.Error("the certificate is good for any name")
	}
}

// TestAuthStartErrors checks that what would be less protected than it seems
// does not start.
func TestAuthStartErrors(t *testing.T) {
	t.Setenv("KUBECONFIG", writeFile(t, "kubeconfig", `{apiVersion: v1, kind: Config, current-context: c,
contexts: [{name: c, context: {cluster: c}}], clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]}`))
	ca := newAuthority(t, "ca")
	good, other := ca.server(t, "localhost"), ca.server(t, "localhost")
	cert, key, otherKey := writeFile(t, "tls.crt", good.cert), writeFile(t, "tls.key", good.key), writeFile(t, "tls.key", other.key)
	withTLS := fmt.Sprintf("tls_server_config: {cert_file: %q, key_file: %q}\n", cert, key)
	missing := filepath.Join(t.TempDir(), "missing")
	f := func(want string, args ...string) {
		t.Helper()
		for _, command := range []string{"demo", "state --from=" + sample} {
			code, out := runToEnd(t, slices.Concat(strings.Fields(command), args)...)
			if code != 1 || !strings.HasPrefix(out, "kubevitals: ") || !strings.Contains(out, want) || strings.Contains(out, "Usage:") {
				t.Errorf("%s %q: exit code %d, want 1 and a reason with %q, not\n%s", command, args, code, want, out)
			}
		}
	}
	f("--auth=kubernetes needs TLS, or tokens would travel in the clear: add --tls-self-signed", "--auth=kubernetes")
	f("--auth=kubernetes needs TLS", "--auth=kubernetes", "--web.config.file", writeFile(t, "web.yml", ""))
	f("--auth=kubernetes needs TLS", "--auth=kubernetes", "--web.config.file", writeFile(t, "web.yml", "http_server_config: {http2: false}"))
	f("basic_auth_users and --auth=kubernetes both want the header Authorization: choose one",
		"--auth=kubernetes", "--web.config.file", writeFile(t, "web.yml", withTLS+"basic_auth_users: {prometheus: "+passwordHash+"}"))
	f(`--auth "kubernets": expected none or kubernetes`, "--auth=kubernets", "--tls-self-signed")
	f(`--auth "": expected none or kubernetes`, "--auth=", "--tls-self-signed")
	f("--tls-cert, --tls-key: certificate "+missing, "--tls-cert", missing, "--tls-key", key)
	f("no such file", "--auth=kubernetes", "--tls-cert", cert, "--tls-key", missing)
	f("private key does not match", "--auth=kubernetes", "--tls-cert", cert, "--tls-key", otherKey)
	f("--tls-cert, --tls-key", "--auth=kubernetes", "--tls-cert", key, "--tls-key", key)
	f("tls-key", "--tls-cert", cert)
	f("tls-cert", "--tls-key", key)
	f("tls-self-signed", "--tls-self-signed", "--tls-cert", cert, "--tls-key", key)
	f("web.config.file", "--tls-self-signed", "--web.config.file", writeFile(t, "web.yml", withTLS))
	f("--tls-client-ca goes with --auth=kubernetes", "--tls-client-ca", ca.file(t))
	f("--tls-client-ca needs TLS", "--tls-client-ca", ca.file(t), "--auth=kubernetes")
	f("--tls-client-ca goes with --auth=kubernetes", "--tls-client-ca", ca.file(t), "--tls-self-signed")
	f("--tls-client-ca: client authorities "+missing, "--tls-client-ca", missing, "--tls-self-signed", "--auth=kubernetes")
	f("want certificates only", "--tls-client-ca", key, "--tls-self-signed", "--auth=kubernetes")
	f("--auth-audience goes with --auth=kubernetes", "--auth-audience=kubevitals", "--tls-self-signed")
	f("--auth-stale goes with --auth=kubernetes", "--auth-stale=1m")
	f("--auth-kubeconfig goes with --auth=kubernetes", "--auth-kubeconfig", missing)
	f("--auth-stale -1m0s: expected a time that is not negative", "--auth=kubernetes", "--tls-self-signed", "--auth-stale=-1m")
	f("--auth=kubernetes: loading the kubeconfig: stat "+missing, "--auth=kubernetes", "--tls-self-signed", "--auth-kubeconfig", missing)
	f("--tls-host goes with --tls-self-signed", "--tls-host=a", "--tls-cert", cert, "--tls-key", key)
	f("--tls-cert is set to nothing: name a file, or leave it out", "--tls-cert=", "--tls-key", key)
	f(`--tls-self-signed: self-signed certificate: host "a b"`, "--tls-self-signed", "--tls-host", "a b")
	f("--web.config.file "+missing, "--web.config.file", missing)
	f("field tls_config not found", "--web.config.file", writeFile(t, "web.yml", "tls_config: {}"))
	f("no such file", "--web.config.file", writeFile(t, "web.yml", "tls_server_config: {cert_file: x.crt, key_file: x.key}"))

	t.Setenv("KUBECONFIG", missing)
	f("--auth=kubernetes: $KUBECONFIG is "+missing, "--auth=kubernetes", "--tls-self-signed")
	t.Setenv("KUBECONFIG", "")
	t.Setenv("HOME", t.TempDir())
	f("--auth=kubernetes: no cluster that could decide: give --auth-kubeconfig FILE", "--auth=kubernetes", "--tls-self-signed")
}

// runToEnd runs the binary, which must end by itself, and returns the exit code
// and what it has written.
func runToEnd(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append(args, "--listen=127.0.0.1:0")...)
	data, err := cmd.CombinedOutput()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(data)
}

const (
	password     = "open sesame"
	passwordHash = "$2a$04$YyPLNpxfppoj4fAaQqTQ4eJMI1NhT6dL86kr7cves9aTjXnbQKhy2"
)

// TestAuthWebConfig serves with the configuration file of Prometheus' exporters.
func TestAuthWebConfig(t *testing.T) {
	const name = "kubevitals.kubevitals.svc"
	ca := newAuthority(t, "ca")
	p := ca.server(t, name)
	withTLS := fmt.Sprintf("tls_server_config:\n  cert_file: %q\n  key_file: %q\n",
		writeFile(t, "tls.crt", p.cert), writeFile(t, "tls.key", p.key))
	verify := &tls.Config{RootCAs: ca.pool(), ServerName: name}

	issued = append(issued, password, passwordHash)
	basic := func(user, password string) string {
		encoded := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
		issued = append(issued, encoded)
		return "Basic " + encoded
	}
	protected := startProtected(t, "", "demo", "--every=0", "--log-level=debug",
		"--web.config.file", writeFile(t, "web.yml", withTLS+"basic_auth_users:\n  prometheus: "+passwordHash+"\n"))
	f := func(want int, path, authorization string) {
		t.Helper()
		a := client{protected.URL, authorization, verify}.get(t, path)
		if a.code != want || (a.header.Get("WWW-Authenticate") == "Basic") != (want == 401) {
			t.Errorf("GET %s: status %d, want %d; header %v", path, a.code, want, a.header)
		}
	}
	f(401, "/metrics", "")
	f(401, "/metrics", basic("prometheus", "sesame"))
	f(401, "/metrics", basic("grafana", password))
	f(401, "/metrics", basic("prometheus", passwordHash))
	f(200, "/metrics", basic("prometheus", password))
	f(401, "/", "")
	f(200, "/", basic("prometheus", password))

	// Tokens go through the same file's TLS. Its client certificates are those of
	// whoever wrote the file, and no identities of the cluster.
	clients := newAuthority(t, "clients")
	bind(t, control, allowURL(t, control, "/metrics"), "{kind: User, apiGroup: rbac.authorization.k8s.io, name: auth-prometheus}")
	awaitAllowed(t, control, "get", "/metrics", "--as=auth-prometheus")
	token := reader(t, control, "reader", "/metrics")
	both := startProtected(t, delegator(t, control), "demo", "--every=0", "--auth=kubernetes", "--web.config.file", writeFile(t, "web.yml",
		withTLS+fmt.Sprintf("  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: %q\n", clients.file(t))))
	both.WaitReady(t)
	client{both.URL, "", verify}.expect(t, 401, "/metrics")
	client{both.URL, "Bearer " + token, verify}.expect(t, 200, "/metrics")
	client{both.URL, "", clients.client(t, "auth-prometheus", "system:masters")}.expect(t, 401, "/metrics")
	client{both.URL, "Bearer " + token, clients.client(t, "auth-somebody")}.expect(t, 200, "/metrics")
}
