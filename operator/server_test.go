package operator_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevitals/kubevitals/operator"
)

// certificate returns one for 127.0.0.1 that ends at the given time.
func certificate(t *testing.T, end time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    end.Add(-1000 * time.Hour),
		NotAfter:     end,
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:         true, BasicConstraintsValid: true, // for the client that trusts it
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// trusting returns a client that trusts the certificate and would like HTTP/2.
func trusting(t *testing.T, c tls.Certificate) *http.Client {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(c.Leaf)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 30 * time.Second}
}

func TestTLS(t *testing.T) {
	cert := certificate(t, time.Now().Add(time.Hour))
	certs := []tls.Certificate{cert}
	f := func(name string, config *tls.Config, http2 bool, proto string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			noLeaks(t, 0)
			protos := slices.Clone(config.NextProtos)
			url, stop, result := start(t, operator.Options{TLS: config, HTTP2: http2}, func(o *operator.Operator) {
				o.Collect("c", emits(gauge("a", 1)))
				o.Protect(marks("m"))
			})
			c := trusting(t, cert)
			resp, err := c.Get("https" + strings.TrimPrefix(url, "http") + "/metrics")
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusOK || resp.Proto != proto || resp.Header.Get("Passed") != "m" {
				t.Errorf("got %d by %s, %v, %v; want 200 by %s", resp.StatusCode, resp.Proto, resp.Header, err, proto)
			}
			wantSeries(t, string(body), "a 1")
			if code, _ := fetch(t, client(t), url+"/healthz"); code != http.StatusBadRequest {
				t.Errorf("in the clear it gives %d, want 400", code)
			}
			if !slices.Equal(config.NextProtos, protos) {
				t.Errorf("the caller's configuration was changed: %q", config.NextProtos)
			}
			c.CloseIdleConnections()
			stop()
			if err := await(t, "Run", result); err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}
	f("default", &tls.Config{Certificates: certs}, false, "HTTP/1.1")
	f("not asked for", &tls.Config{Certificates: certs, NextProtos: []string{"h2", "http/1.1"}}, false, "HTTP/1.1")
	f("HTTP2", &tls.Config{Certificates: certs}, true, "HTTP/2.0")
	f("HTTP2, but not of the configuration", &tls.Config{Certificates: certs, NextProtos: []string{"http/1.1"}}, true, "HTTP/2.0")
	chooses := func(protos ...string) *tls.Config {
		return &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return &tls.Config{Certificates: certs, NextProtos: protos}, nil
		}}
	}
	f("not asked for, chosen for each client", chooses("h2", "http/1.1"), false, "HTTP/1.1")
	f("HTTP2, chosen for each client", chooses("http/1.1"), true, "HTTP/2.0")
	f("a function", &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil }}, false, "HTTP/1.1")
}

func TestCertExpiry(t *testing.T) {
	end := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	old := certificate(t, end.Add(-time.Hour))
	cert := certificate(t, end)
	gets := func(c *tls.Certificate, err error) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c, err }
	}
	f := func(name string, config *tls.Config, want time.Time) {
		t.Helper()
		body := scrape(t, newOperator(operator.Options{TLS: config}))
		if want.IsZero() {
			if body != "" {
				t.Errorf("%s: got\n%s", name, body)
			}
			return
		}
		wantLines(t, body, fmt.Sprintf("operator_cert_expiry_timestamp_seconds %g", float64(want.Unix())))
	}
	f("no TLS", nil, time.Time{})
	f("no certificate", &tls.Config{}, time.Time{})
	f("a certificate", &tls.Config{Certificates: []tls.Certificate{cert, old}}, end)
	f("a function", &tls.Config{GetCertificate: gets(&cert, nil)}, end)
	f("both", &tls.Config{Certificates: []tls.Certificate{old}, GetCertificate: gets(&cert, nil)}, end)
	f("a function that does not know", &tls.Config{Certificates: []tls.Certificate{old}, GetCertificate: gets(nil, nil)}, end.Add(-time.Hour))
	f("a function that fails", &tls.Config{GetCertificate: gets(nil, errors.New("no luck"))}, time.Time{})

	cert.Leaf = nil // as who makes one by hand may leave it
	f("not parsed", &tls.Config{Certificates: []tls.Certificate{cert}}, time.Time{})

	renewed := old
	o := newOperator(operator.Options{TLS: &tls.Config{GetCertificate: gets(&renewed, nil)}})
	scrape(t, o)
	renewed = certificate(t, end.Add(time.Hour))
	wantLines(t, scrape(t, o), fmt.Sprintf("operator_cert_expiry_timestamp_seconds %g", float64(end.Add(time.Hour).Unix())))
}

// TestServer: somebody else serves and shuts down, as managers do.
func TestServer(t *testing.T) {
	cert := certificate(t, time.Now().Add(time.Hour))
	for name, config := range map[string]*tls.Config{"http": nil, "https": {Certificates: []tls.Certificate{cert}}} {
		t.Run(name, func(t *testing.T) {
			noLeaks(t, 0)
			o := newOperator(operator.Options{Addr: "127.0.0.1:0", TLS: config})
			o.Collect("c", emits(gauge("a", 1)))
			server, ln, err := o.Server()
			if err != nil {
				t.Fatal(err)
			}
			select {
			case <-o.Ready():
			default:
				t.Error("it listens, but is not ready")
			}
			served := make(chan error, 1)
			go func() { served <- server.Serve(ln) }()
			url := name + "://" + ln.Addr().String()
			code, body := fetch(t, trusting(t, cert), url+"/metrics")
			if code != 200 {
				t.Errorf("got %d", code)
			}
			wantSeries(t, body, "a 1")
			if err := server.Shutdown(t.Context()); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
			if err := await(t, "Serve", served); !errors.Is(err, http.ErrServerClosed) {
				t.Errorf("Serve: %v", err)
			}
			if resp, err := trusting(t, cert).Get(url + "/livez"); err == nil {
				resp.Body.Close()
				t.Errorf("it still answers: %d", resp.StatusCode)
			}
		})
	}
}

func TestServerWithBackground(t *testing.T) {
	noLeaks(t, 0)
	ln := listen(t)
	o := newOperator(operator.Options{Listener: ln})
	running := make(chan struct{})
	o.Daemon("d", func(ctx context.Context) error {
		close(running)
		<-ctx.Done()
		return nil
	})
	server, got, err := o.Server()
	if err != nil || got != ln {
		t.Fatalf("Server: %v, %v, want the listener that was given", got, err)
	}
	served, ended := make(chan error, 1), make(chan error, 1)
	go func() { served <- server.Serve(got) }()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { ended <- o.Background().Start(ctx) }()
	<-running
	c := client(t)
	url := "http://" + ln.Addr().String()
	if code, body := fetch(t, c, url+"/metrics"); code != 200 || !strings.Contains(body, runningLine("d", 1)) {
		t.Errorf("/metrics gives %d:\n%s", code, body)
	}
	cancel()
	if err := await(t, "Start", ended); err != nil {
		t.Errorf("Start: %v", err)
	}
	if code, _ := fetch(t, c, url+"/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("/readyz gives %d after the tasks, want 503", code)
	}
	if code, body := fetch(t, c, url+"/metrics"); code != 200 || !strings.Contains(body, runningLine("d", 0)) {
		t.Errorf("/metrics gives %d after the tasks:\n%s", code, body)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	await(t, "Serve", served)
}

func TestServerFailsAsRunDoes(t *testing.T) {
	noLeaks(t, 0)
	if server, ln, err := newOperator(operator.Options{}).Server(); err == nil || server != nil || ln != nil {
		t.Errorf("nothing to listen on: %v, %v, %v", server, ln, err)
	}
	taken := listen(t).Addr().String()
	if _, _, err := newOperator(operator.Options{Addr: taken}).Server(); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), taken) {
		t.Errorf("port taken: %v", err)
	}
	ln := listen(t)
	o := newOperator(operator.Options{Listener: ln})
	p := renders("a")
	p.families = []string{"a"}
	o.AddPart("one", p)
	o.AddPart("two", p)
	if _, _, err := o.Server(); err == nil || !strings.Contains(err.Error(), `belongs to both "one" and "two"`) {
		t.Errorf("two owners: %v", err)
	}
	if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closing the listener once more: %v, want %v", err, net.ErrClosed)
	}
}

// TestNoCertificate: with such a configuration no handshake can succeed.
func TestNoCertificate(t *testing.T) {
	noLeaks(t, 0)
	for name, run := range map[string]func(*operator.Operator) error{
		"Run": func(o *operator.Operator) error { return o.Run(t.Context()) },
		"Server": func(o *operator.Operator) error {
			_, _, err := o.Server()
			return err
		},
	} {
		ln := listen(t)
		o := newOperator(operator.Options{Listener: ln, TLS: &tls.Config{MinVersion: tls.VersionTLS13}})
		o.Daemon("d", func(context.Context) error {
			t.Errorf("%s: a daemon was started", name)
			return operator.ErrStop
		}, operator.Critical())
		if err := run(o); err == nil || !strings.Contains(err.Error(), "Options.TLS has no certificate") {
			t.Errorf("%s: %v, want an error about the certificate", name, err)
		}
		if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: closing the listener once more: %v, want %v", name, err, net.ErrClosed)
		}
	}
}

// TestOptionsServe: whoever serves in the place of net/http may fail like it, and
// must not end without a word.
func TestOptionsServe(t *testing.T) {
	errBad := errors.New("bad luck")
	f := func(name string, serve func(*http.Server, net.Listener) error, is error, want string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			ln := newPipes()
			o := newOperator(operator.Options{Listener: ln, Serve: func(s *http.Server, got net.Listener) error {
				if got != ln {
					t.Errorf("%s: it serves %v, want the listener itself", name, got)
				}
				return serve(s, got)
			}})
			runs := false // it need not, if there is nobody to serve
			o.Daemon("d", func(ctx context.Context) error {
				runs = true
				<-ctx.Done()
				time.Sleep(time.Second)
				runs = false
				return nil
			})
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			err := o.Run(ctx)
			if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) || is != nil && !errors.Is(err, is) {
				t.Errorf("%s: Run: %v, want %q", name, err, want)
			}
			if early := ctx.Err() == nil; early != (want != "") || runs {
				t.Errorf("%s: Run ended early: %v, and the daemon still runs: %v", name, early, runs)
			}
		})
	}
	f("serves", (*http.Server).Serve, nil, "")
	f("ends", func(*http.Server, net.Listener) error { return nil }, nil, "serving on pipes has ended")
	f("ends later", func(*http.Server, net.Listener) error {
		time.Sleep(time.Minute)
		return nil
	}, nil, "serving on pipes has ended")
	f("fails", func(*http.Server, net.Listener) error { return errBad }, errBad, "serving on pipes: bad luck")
	f("ends with the shutdown", func(s *http.Server, ln net.Listener) error {
		_ = s.Serve(ln)
		return nil
	}, nil, "")
}

// TestServerWithServe: Server cannot see to it that its caller calls that.
func TestServerWithServe(t *testing.T) {
	o := newOperator(operator.Options{Listener: listen(t), Serve: func(*http.Server, net.Listener) error {
		t.Error("it serves")
		return http.ErrServerClosed
	}})
	server, ln, err := o.Server()
	if err == nil || !strings.Contains(err.Error(), "Options.Serve") || server != nil || ln != nil {
		t.Errorf("got %v, %v, %v; want an error about Options.Serve", server, ln, err)
	}
	if isClosed(o.Ready()) {
		t.Error("it is ready")
	}
}

// TestReadyWithoutAServer: whoever waits for it must not wait forever.
func TestReadyWithoutAServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(operator.Options{})
		if isClosed(o.Ready()) {
			t.Error("it is ready before Run")
		}
		stop := background(t, o)
		if !isClosed(o.Ready()) {
			t.Error("it is not ready while it runs")
		}
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		_ = background(t, o)() // again
		if !isClosed(o.Ready()) {
			t.Error("it is not ready after it has run")
		}
	})
}

// TestReady: it is closed when the address is bound, and not when it is not.
func TestReady(t *testing.T) {
	noLeaks(t, 0)
	isReady := func(o *operator.Operator) bool {
		select {
		case <-o.Ready():
			return true
		default:
			return false
		}
	}
	o := newOperator(operator.Options{Addr: listen(t).Addr().String()})
	if err := o.Run(t.Context()); err == nil || isReady(o) {
		t.Errorf("Run: %v, and it is ready: %v", err, isReady(o))
	}
	ln := listen(t)
	o = newOperator(operator.Options{Listener: ln})
	if isReady(o) {
		t.Error("it is ready before it listens")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result := make(chan error, 1)
	go func() { result <- o.Serve(ctx) }() // that of a supervisor
	select {
	case <-o.Ready():
	case <-time.After(30 * time.Second):
		t.Fatal("it does not become ready")
	}
	if code, _ := fetch(t, client(t), "http://"+ln.Addr().String()+"/healthz"); code != 200 {
		t.Errorf("/healthz gives %d", code)
	}
	cancel()
	if err := await(t, "Serve", result); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// TestStart has the name that a manager calls.
func TestStart(t *testing.T) {
	noLeaks(t, 0)
	o := newOperator(operator.Options{Listener: listen(t)})
	ctx, cancel := context.WithCancel(t.Context())
	o.Daemon("d", func(context.Context) error {
		cancel()
		return nil
	})
	if err := o.Start(ctx); err != nil {
		t.Errorf("Start: %v", err)
	}
}
