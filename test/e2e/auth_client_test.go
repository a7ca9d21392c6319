package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/test/controlplane"
	"github.com/kubevitals/kubevitals/test/program"
)

// client sends requests as curl does, each over a connection of its own.
type client struct {
	url           string
	authorization string      // the header of this name; none if empty
	tls           *tls.Config // nil verifies nothing, as curl -k
}

// answer is what a client got.
type answer struct {
	code   int
	header http.Header
	body   string
	peer   *x509.Certificate // that the server has shown
}

// do returns an error if there is no answer at all. Redirects are not followed.
func (c client) do(ctx context.Context, method, path string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, nil)
	if err != nil {
		return answer{}, err
	}
	if c.authorization != "" {
		req.Header.Set("Authorization", c.authorization)
	}
	transport := &http.Transport{TLSClientConfig: c.tls}
	if c.tls == nil {
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{
		Transport:     transport,
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}).Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	return answer{resp.StatusCode, resp.Header, string(body), resp.TLS.PeerCertificates[0]}, nil
}

// get fails the test if there is no answer.
func (c client) get(t *testing.T, path string) answer {
	t.Helper()
	a, err := c.do(t.Context(), http.MethodGet, path)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// expect fails unless a GET is answered with a status.
func (c client) expect(t *testing.T, want int, path string) {
	t.Helper()
	if a := c.get(t, path); a.code != want {
		t.Errorf("GET %s: status %d, want %d: %.300s", path, a.code, want, a.body)
	}
}

// bearer returns a client with a token.
func bearer(p *program.Process, token string) client {
	return client{url: p.URL, authorization: "Bearer " + token}
}

// authNamespace has the accounts of these tests.
const authNamespace = "auth"

// issued are all tokens and passwords of the tests, none of which may be logged.
var issued []string

// newToken returns a token that no kubevitals has seen yet. The account is made
// if it is missing.
func newToken(t *testing.T, c *controlplane.ControlPlane, namespace, name string) string {
	t.Helper()
	token, err := c.ServiceAccountToken(t.Context(), namespace, name)
	if err != nil {
		t.Fatal(err)
	}
	issued = append(issued, token)
	return token
}

// signToken skips the test if the cluster is not ours.
func signToken(t *testing.T, c *controlplane.ControlPlane, spec controlplane.TokenSpec) string {
	t.Helper()
	token, err := c.SignToken(t.Context(), spec)
	skipNotOwned(t, err)
	issued = append(issued, token)
	return token
}

// kubectl runs kubectl as the administrator and fails the test if that fails.
func kubectl(t *testing.T, c *controlplane.ControlPlane, args ...string) string {
	t.Helper()
	out, err := c.Kubectl(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// applyText puts the objects of manifests into the cluster.
func applyText(t *testing.T, c *controlplane.ControlPlane, manifests string) {
	t.Helper()
	if err := c.Apply(t.Context(), []byte(manifests)); err != nil {
		t.Fatal(err)
	}
}

// allowURL makes a ClusterRole, named after a path, that may get it.
func allowURL(t *testing.T, c *controlplane.ControlPlane, path string) (role string) {
	t.Helper()
	role = "auth-get-" + strings.ReplaceAll(strings.Trim(path, "/*"), "/", "-")
	applyText(t, c, fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: %q}
rules: [{nonResourceURLs: [%q], verbs: [get]}]
`, role, path))
	return role
}

// bindAccount gives a ClusterRole to an account, which need not be there.
func bindAccount(t *testing.T, c *controlplane.ControlPlane, role, namespace, name string) {
	t.Helper()
	bind(t, c, role, fmt.Sprintf("{kind: ServiceAccount, namespace: %q, name: %q}", namespace, name))
}

func bind(t *testing.T, c *controlplane.ControlPlane, role, subject string) {
	t.Helper()
	applyText(t, c, fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: %q}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %q}
subjects: [%s]
`, role+" "+strings.Trim(strings.NewReplacer(`"`, "", ":", "").Replace(subject), "{}"), role, subject))
}

// awaitAllowed waits until the API server knows that somebody may do something,
// as its authorizer hears of new roles a moment later. A kubevitals that asked
// too early would keep the answer. The arguments are those of kubectl auth can-i.
func awaitAllowed(t *testing.T, c *controlplane.ControlPlane, args ...string) {
	t.Helper()
	program.Poll(t, "the API server to know a role", func() error {
		_, err := c.Kubectl(t.Context(), append([]string{"auth", "can-i"}, args...)...)
		return err
	})
}

func asAccount(namespace, name string) string {
	return "--as=system:serviceaccount:" + namespace + ":" + name
}

// reader returns a new token of an account that may get a path.
func reader(t *testing.T, c *controlplane.ControlPlane, name, path string) (token string) {
	t.Helper()
	token = newToken(t, c, authNamespace, name)
	bindAccount(t, c, allowURL(t, c, path), authNamespace, name)
	awaitAllowed(t, c, "get", strings.TrimSuffix(path, "*"), asAccount(authNamespace, name))
	return token
}

// delegator returns a kubeconfig for an account that may ask for reviews and
// nothing else.
func delegator(t *testing.T, c *controlplane.ControlPlane) (kubeconfig string) {
	t.Helper()
	const name = "kubevitals"
	kubeconfig = kubeconfigFor(t, c, newToken(t, c, authNamespace, name))
	delegate(t, c, authNamespace, name)
	return kubeconfig
}

// delegate lets an account ask for reviews.
func delegate(t *testing.T, c *controlplane.ControlPlane, namespace, name string) {
	t.Helper()
	bindAccount(t, c, "system:auth-delegator", namespace, name)
	awaitAllowed(t, c, "create", "tokenreviews.authentication.k8s.io", asAccount(namespace, name))
}

func kubeconfigFor(t *testing.T, c *controlplane.ControlPlane, token string) string {
	t.Helper()
	kubeconfig, err := c.KubeconfigFor(token)
	if err != nil {
		t.Fatal(err)
	}
	return kubeconfig
}

// sample is the sample cluster as a file, for what needs objects but no cluster.
const sample = "../../internal/cli/demo/cluster.yaml"

// startProtected runs the binary with a kubeconfig until the test ends, and then
// looks for secrets in what it has written.
func startProtected(t *testing.T, kubeconfig string, args ...string) *program.Process {
	t.Helper()
	t.Setenv("KUBECONFIG", kubeconfig)
	var p *program.Process
	t.Cleanup(func() {
		if p != nil {
			noSecrets(t, p.Output.String())
		}
	})
	p = start(t, args...) // its own cleanup, which ends it, runs before
	return p
}

// noSecrets fails if a part of a token is in an output: the beginning that all
// of them have, or a piece of one of the test.
func noSecrets(t *testing.T, output string) {
	t.Helper()
	pieces := []string{"eyJ"}
	for _, secret := range issued {
		pieces = append(pieces, strings.Split(secret, ".")...)
	}
	for _, piece := range pieces {
		if strings.Contains(output, piece) {
			t.Errorf("the output has %q of a secret in it:\n%s", piece, output)
			return
		}
	}
}

// authority is a certificate authority.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) authority {
	t.Helper()
	a := authority{key: newKey(t)}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-24 * time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageCertSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// file returns the path of a file with the certificate.
func (a authority) file(t *testing.T) string {
	t.Helper()
	return writeFile(t, "ca.crt", encode("CERTIFICATE", a.cert.Raw))
}

// pool returns what a client trusts that knows this authority only.
func (a authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// pair is a certificate with its key, in PEM.
type pair struct{ cert, key string }

// sign signs a certificate that is valid as long as the authority, unless it says when.
func (a authority) sign(t *testing.T, template *x509.Certificate) pair {
	t.Helper()
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = a.cert.NotBefore, a.cert.NotAfter
	}
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{encode("CERTIFICATE", der), encode("PRIVATE KEY", private)}
}

// server signs a certificate for names of a server.
func (a authority) server(t *testing.T, names ...string) pair {
	t.Helper()
	return a.sign(t, &x509.Certificate{DNSNames: names, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
}

// client signs a certificate for a user with groups and returns the settings of
// a client that shows it.
func (a authority) client(t *testing.T, user string, groups ...string) *tls.Config {
	t.Helper()
	return a.sign(t, &x509.Certificate{
		Subject:     pkix.Name{CommonName: user, Organization: groups},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}).show(t)
}

// show returns the settings of a client that shows a certificate whatever the
// server asks for. With [tls.Config.Certificates], one of an authority that the
// server does not name would be kept back.
func (p pair) show(t *testing.T) *tls.Config {
	t.Helper()
	cert, err := tls.X509KeyPair([]byte(p.cert), []byte(p.key))
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{
		InsecureSkipVerify:   true,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil },
	}
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// volume is a folder with a pair that is replaced as the kubelet replaces a
// Secret in a volume: by one rename of a link to the folder that has the files.
type volume struct {
	dir      string
	versions int
}

func newVolume(t *testing.T, p pair) *volume {
	t.Helper()
	v := &volume{dir: t.TempDir()}
	v.put(t, p)
	for _, name := range []string{"tls.crt", "tls.key"} {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(v.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// put replaces the pair.
func (v *volume) put(t *testing.T, p pair) {
	t.Helper()
	v.versions++
	version := fmt.Sprintf("..%d", v.versions)
	if err := os.Mkdir(filepath.Join(v.dir, version), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"tls.crt": p.cert, "tls.key": p.key} {
		if err := os.WriteFile(filepath.Join(v.dir, version, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(v.dir, "..data_tmp")
	if err := os.Symlink(version, link); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link, filepath.Join(v.dir, "..data")); err != nil {
		t.Fatal(err)
	}
}

// flags are those that serve the pair.
func (v *volume) flags() []string {
	return []string{"--tls-cert", filepath.Join(v.dir, "tls.crt"), "--tls-key", filepath.Join(v.dir, "tls.key")}
}
