package controlplane

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// readyLimit is the longest wait for a server. A start takes seconds, but tests
// may share two processors with compilers.
const readyLimit = 2 * time.Minute

// startEtcd starts etcd and returns the address of its clients when it is ready.
func (c *ControlPlane) startEtcd(ctx context.Context) (endpoint string, err error) {
	clients, err := FreePort()
	if err != nil {
		return "", err
	}
	peers, err := FreePort()
	if err != nil {
		return "", err
	}
	endpoint = fmt.Sprintf("http://127.0.0.1:%d", clients)
	peer := fmt.Sprintf("http://127.0.0.1:%d", peers)
	// Another test's etcd may be listening where ours cannot: ours has this name.
	name := rand.Text()
	etcd, err := startServer(c.own.binaries.Etcd, c.dir,
		"--name="+name,
		"--data-dir=etcd",
		"--listen-client-urls="+endpoint,
		"--advertise-client-urls="+endpoint,
		"--listen-peer-urls="+peer,
		"--initial-advertise-peer-urls="+peer,
		"--initial-cluster="+name+"="+peer,
		"--unsafe-no-fsync",
		"--log-level=warn",
	)
	if err != nil {
		return "", err
	}
	c.own.mu.Lock()
	c.own.etcd = etcd
	c.own.mu.Unlock()
	return endpoint, etcd.waitReady(ctx, func(ctx context.Context) error {
		members, err := ask(ctx, http.DefaultClient, http.MethodPost, endpoint+"/v3/cluster/member/list", "{}")
		if err == nil && !strings.Contains(members, name) {
			err = fmt.Errorf("another etcd listens at %s: %w", endpoint, errPortTaken)
		}
		return err
	})
}

// waitReady waits until try finds the server ready, and no longer than the
// server runs.
func (s *server) waitReady(ctx context.Context, try func(context.Context) error) error {
	err := waitFor(ctx, readyLimit, s.cmd.Path, func(ctx context.Context) error {
		err := try(ctx)
		if err != nil && s.ended() {
			return finalError{err}
		}
		return err
	})
	if err != nil {
		return s.explain(err)
	}
	return nil
}

// ask sends a request and returns the body of the answer. Any status but 200 is
// an error.
func ask(ctx context.Context, client *http.Client, method, url, body string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("asking %s: %w", url, err)
	}
	request.Header.Set("User-Agent", UserAgent)
	response, err := client.Do(request)
	if err != nil {
		return "", err // names the method and the URL
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return "", fmt.Errorf("reading the answer of %s: %w", url, err)
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("asking %s: %s: %s", url, response.Status, answer)
	}
	return string(answer), nil
}
