package kubeauth

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// InCluster returns a client that authenticates as the ServiceAccount whose
// folder is mounted into this pod, and the base URL of the API server. The
// client can be used for that API server only, follows no redirects and uses no
// proxy. The token is read for each request, as the kubelet rotates it;
// authorities of the API server that change are used 10 seconds later. It
// fails outside of a pod and in one without the folder.
func InCluster() (client *http.Client, host string, err error) {
	return inCluster("/var/run/secrets/kubernetes.io/serviceaccount")
}

func inCluster(folder string) (*http.Client, string, error) {
	name, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if name == "" || port == "" {
		return nil, "", errors.New("this is not a pod, as KUBERNETES_SERVICE_HOST or KUBERNETES_SERVICE_PORT is not set: give a client and a host")
	}
	account := &accountTransport{address: net.JoinHostPort(name, port), tokenFile: filepath.Join(folder, "token")}
	_, err := account.token()
	if err == nil {
		account.transport, err = newReloader(slog.Default(), newTransport, filepath.Join(folder, "ca.crt"))
	}
	if err != nil {
		return nil, "", fmt.Errorf("ServiceAccount of this pod, see automountServiceAccountToken: %w", err)
	}
	return &http.Client{Transport: account, CheckRedirect: noRedirect}, "https://" + account.address, nil
}

// accountTransport adds the token of a ServiceAccount to requests.
type accountTransport struct {
	address   string // host and port of the API server
	tokenFile string
	transport *reloader[*http.Transport]
}

// RoundTrip implements [http.RoundTripper].
func (t *accountTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := t.token()
	if err == nil && (r.URL.Scheme != "https" || r.URL.Host != t.address) {
		err = fmt.Errorf("the token is for https://%s only", t.address)
	}
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token)
	return t.transport.get().RoundTrip(r)
}

func (t *accountTransport) token() (string, error) {
	data, err := os.ReadFile(t.tokenFile)
	if err != nil {
		return "", err
	}
	data = bytes.TrimSpace(data)
	if len(data) == 0 {
		return "", fmt.Errorf("%s is empty", t.tokenFile)
	}
	return string(data), nil
}

// newTransport returns a transport that trusts the authorities in contents and
// no others.
func newTransport(contents [][]byte) (*http.Transport, error) {
	pool, err := parsePool(contents)
	if err != nil {
		return nil, fmt.Errorf("ca.crt: %w", err)
	}
	return &http.Transport{
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool},
		TLSHandshakeTimeout: 5 * time.Second,
		MaxIdleConnsPerHost: maxReviews,
		IdleConnTimeout:     90 * time.Second,
	}, nil
}
