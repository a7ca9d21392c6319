package controlplane

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"k8s.io/client-go/rest"
)

// issuer is the issuer, and so the audience, of service account tokens.
const issuer = "https://kubernetes.default.svc"

// auditPolicy has every request logged when it is answered, and a watch also
// when it begins. What the API server asks itself is left out.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: ["system:apiserver"]
- level: Metadata
`

// prepareAPIServer writes the files that the API server needs, chooses its flags
// and sets up the administrator's client, which can trust the server as soon as
// that has made its certificate.
func (c *ControlPlane) prepareAPIServer(etcd string, args []string) error {
	port, err := FreePort()
	if err != nil {
		return err
	}
	private, public, err := c.own.key.pem()
	if err != nil {
		return err
	}
	token := rand.Text()
	for name, content := range map[string]string{
		"audit-policy.yaml":  auditPolicy,
		"tokens.csv":         token + `,admin,admin,"system:masters"` + "\n",
		"serviceaccount.key": private,
		"serviceaccount.pub": public,
	} {
		if err := os.WriteFile(filepath.Join(c.dir, name), []byte(content), 0o600); err != nil {
			return fmt.Errorf("preparing kube-apiserver: %w", err)
		}
	}
	c.own.args = append([]string{
		"--etcd-servers=" + etcd,
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", port),
		"--cert-dir=certs",
		// Nothing may depend on which other addresses this machine has.
		"--advertise-address=127.0.0.1",
		"--endpoint-reconciler-type=none",
		"--service-cluster-ip-range=10.0.0.0/24",
		"--token-auth-file=tokens.csv",
		"--authorization-mode=RBAC",
		"--service-account-issuer=" + issuer,
		"--service-account-key-file=serviceaccount.pub",
		"--service-account-signing-key-file=serviceaccount.key",
		// No controller makes the accounts that this plugin wants for each pod.
		"--disable-admission-plugins=ServiceAccount",
		"--allow-privileged=true",
		"--audit-policy-file=audit-policy.yaml",
		"--audit-log-path=" + auditLog,
		"--audit-log-mode=blocking",
		"--audit-log-maxsize=0", // never another file
	}, args...)
	c.config = &rest.Config{
		Host:            fmt.Sprintf("https://127.0.0.1:%d", port),
		BearerToken:     token,
		TLSClientConfig: rest.TLSClientConfig{CAFile: filepath.Join(c.dir, "certs", "apiserver.crt")},
		QPS:             -1, // no limit
	}
	return nil
}

// apiServerReady returns nil when the API server is ready and has made the
// namespace that objects are put in by default.
func (c *ControlPlane) apiServerReady(ctx context.Context) error {
	client, err := rest.HTTPClientFor(c.Config())
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	for _, path := range []string{"/readyz", "/api/v1/namespaces/default"} {
		if _, err := ask(ctx, client, http.MethodGet, c.config.Host+path, ""); err != nil {
			return err
		}
	}
	return nil
}

// StartAPIServer starts the API server again after KillAPIServer, on the same
// port and with the same data, and returns when it is ready. It returns
// ErrNotOwned for a cluster that was not started here.
func (c *ControlPlane) StartAPIServer(ctx context.Context) error {
	if c.own == nil {
		return fmt.Errorf("starting kube-apiserver: %w", ErrNotOwned)
	}
	c.own.mu.Lock()
	defer c.own.mu.Unlock()
	if c.own.apiserver != nil && !c.own.apiserver.ended() {
		return errors.New("starting kube-apiserver: it is running: call KillAPIServer first")
	}
	apiserver, err := startServer(c.own.binaries.APIServer, c.dir, c.own.args...)
	if err != nil {
		return err
	}
	c.own.apiserver = apiserver
	return apiserver.waitReady(ctx, c.apiServerReady)
}

// KillAPIServer ends the API server at once, as a crash does, and leaves etcd
// running. It is no error if the server does not run. It returns ErrNotOwned
// for a cluster that was not started here.
func (c *ControlPlane) KillAPIServer() error {
	if c.own == nil {
		return fmt.Errorf("killing kube-apiserver: %w", ErrNotOwned)
	}
	c.own.mu.Lock()
	defer c.own.mu.Unlock()
	if c.own.apiserver == nil {
		return nil
	}
	return c.own.apiserver.kill()
}
