package kubeauth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pair is a certificate with its key, in PEM too.
type pair struct {
	cert    *x509.Certificate
	key     *ecdsa.PrivateKey
	certPEM []byte
	keyPEM  []byte
}

func (p pair) tls() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{p.cert.Raw}, PrivateKey: p.key, Leaf: p.cert}
}

// newPair returns a certificate that by signs, or one that signs itself and
// others.
func newPair(t testing.TB, name string, by *pair, groups ...string) pair {
	t.Helper()
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: name, Organization: groups},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  by == nil,
		BasicConstraintsValid: true,
		DNSNames:              []string{"localhost"},
	}
	parent, signer := template, priv
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, priv.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	return pair{cert, priv,
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})}
}

// writeFile replaces a file, as the kubelet does.
func writeFile(t testing.TB, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// handshake connects a client in memory, so that it can be done in a bubble,
// and returns what the server knows of the connection.
func handshake(t testing.TB, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	client = client.Clone()
	client.InsecureSkipVerify = true
	c, s := net.Pipe()
	defer c.Close()
	defer s.Close()
	type result struct {
		state tls.ConnectionState
		err   error
	}
	served := make(chan result)
	go func() {
		conn := tls.Server(s, server)
		err := conn.Handshake()
		if err == nil {
			_, err = conn.Write([]byte("x")) // with the tickets in front
		}
		if err != nil {
			s.Close()
		}
		served <- result{conn.ConnectionState(), err}
	}()
	conn := tls.Client(c, client)
	_, err := io.ReadFull(conn, make([]byte, 1))
	if err != nil {
		c.Close()
	}
	r := <-served
	return r.state, errors.Join(r.err, err)
}

// commonName returns that of the certificate that is served.
func commonName(t testing.TB, cfg *tls.Config) string {
	t.Helper()
	var name string
	_, err := handshake(t, cfg, &tls.Config{VerifyConnection: func(state tls.ConnectionState) error {
		name = state.PeerCertificates[0].Subject.CommonName
		return nil
	}})
	if err != nil {
		t.Error(err)
	}
	return name
}

func TestCertificateFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		folder := t.TempDir()
		certFile, keyFile := filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")
		write := func(certPEM, keyPEM []byte) {
			writeFile(t, certFile, certPEM)
			writeFile(t, keyFile, keyPEM)
		}
		one, two, three := newPair(t, "one", nil), newPair(t, "two", nil), newPair(t, "three", nil)
		write(one.certPEM, one.keyPEM)
		cfg, err := CertificateFiles(certFile, keyFile, log.logger())
		if err != nil {
			t.Fatal(err)
		}
		f := func(what, want string, lines int) {
			t.Helper()
			wantEqual(t, what, commonName(t, cfg), want)
			wantEqual(t, what+": lines of log", strings.Count(log.String(), "\n"), lines)
		}
		f("first", "one", 0)
		write(two.certPEM, two.keyPEM)
		time.Sleep(reloadInterval - 1)
		f("changed, before the interval", "one", 0)
		time.Sleep(time.Nanosecond)
		f("changed", "two", 1)
		write(three.certPEM, three.keyPEM)
		f("changed again, before the interval", "two", 1)

		write(three.certPEM, two.keyPEM)
		time.Sleep(reloadInterval)
		f("no pair", "two", 2)
		time.Sleep(reloadInterval)
		f("still no pair", "two", 2)
		write([]byte("broken"), two.keyPEM)
		time.Sleep(reloadInterval)
		f("broken in another way", "two", 3)
		if err := os.Remove(keyFile); err != nil {
			t.Fatal(err)
		}
		time.Sleep(reloadInterval)
		f("gone", "two", 4)
		time.Sleep(reloadInterval)
		f("still gone", "two", 4)
		write(two.certPEM, two.keyPEM)
		time.Sleep(reloadInterval)
		f("back", "two", 5)
		write(three.certPEM, three.keyPEM)
		time.Sleep(reloadInterval)
		f("changed again", "three", 6)
		time.Sleep(reloadInterval)
		f("not changed", "three", 6)
		if strings.Contains(log.String(), "PRIVATE") {
			t.Errorf("the key is in the log: %s", log.String())
		}
	})
}

func TestCertificateFilesFails(t *testing.T) {
	folder := t.TempDir()
	certFile, keyFile := filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")
	_, err := CertificateFiles(certFile, keyFile, nil)
	wantError(t, "no files", err, certFile, "no such file")
	one, two := newPair(t, "one", nil), newPair(t, "two", nil)
	writeFile(t, certFile, one.certPEM)
	writeFile(t, keyFile, two.keyPEM)
	_, err = CertificateFiles(certFile, keyFile, nil)
	wantError(t, "no pair", err, certFile, keyFile, "does not match")
}

func TestConfigs(t *testing.T) {
	one := newPair(t, "one", nil)
	folder := t.TempDir()
	file := func(name string, data []byte) string {
		writeFile(t, filepath.Join(folder, name), data)
		return filepath.Join(folder, name)
	}
	files, err := CertificateFiles(file("tls.crt", one.certPEM), file("tls.key", one.keyPEM), nil)
	if err != nil {
		t.Fatal(err)
	}
	selfSigned, err := SelfSigned()
	if err != nil {
		t.Fatal(err)
	}
	withCA, err := SelfSigned()
	if err != nil {
		t.Fatal(err)
	}
	if err := WithClientCA(withCA, file("ca.crt", one.certPEM), nil); err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]*tls.Config{"files": files, "self-signed": selfSigned, "with a client CA": withCA} {
		if cfg.MinVersion != tls.VersionTLS12 {
			t.Errorf("%s: version %x", name, cfg.MinVersion)
		}
		wantSlice(t, name, cfg.NextProtos, "http/1.1")
		if _, err := handshake(t, cfg, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
			t.Errorf("%s: TLS 1.1 is negotiated", name)
		}
		if _, err := handshake(t, cfg, &tls.Config{MaxVersion: tls.VersionTLS12}); err != nil {
			t.Errorf("%s: TLS 1.2: %v", name, err)
		}
		state, err := handshake(t, cfg, &tls.Config{NextProtos: []string{"h2", "http/1.1"}})
		if err != nil || state.NegotiatedProtocol != "http/1.1" {
			t.Errorf("%s: %q is negotiated, %v", name, state.NegotiatedProtocol, err)
		}
		strict := cfg
		strict.MinVersion = tls.VersionTLS13
		if _, err := handshake(t, strict, &tls.Config{MaxVersion: tls.VersionTLS12}); err == nil {
			t.Errorf("%s: a change of the configuration has no effect", name)
		}
	}
}

// TestServeTLS serves in the way that switches HTTP/2 on by default.
func TestServeTLS(t *testing.T) {
	cfg, err := SelfSigned("example.test")
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := cfg.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		TLSConfig: cfg,
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }),
		ErrorLog:  slog.NewLogLogger(slog.DiscardHandler, 0),
	}
	done := make(chan error)
	go func() { done <- server.ServeTLS(ln, "", "") }()
	pool := x509.NewCertPool()
	pool.AddCert(leaf.Leaf)
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get("https://" + ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	wantEqual(t, "protocol", string(body), "HTTP/1.1")
	conn, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{RootCAs: pool, NextProtos: []string{"h2"}})
	if err == nil {
		conn.Close()
		t.Errorf("%q is negotiated with a client that knows HTTP/2 only", conn.ConnectionState().NegotiatedProtocol)
	}
	server.Close()
	<-done
}

// TestWithClientCA goes the whole way from a client certificate in a real
// server to the review of the access.
func TestWithClientCA(t *testing.T) {
	ca, otherCA := newPair(t, "ca", nil), newPair(t, "other", nil)
	caFile := filepath.Join(t.TempDir(), "ca.crt")
	writeFile(t, caFile, ca.certPEM)
	cfg, err := SelfSigned()
	if err != nil {
		t.Fatal(err)
	}
	if err := WithClientCA(cfg, caFile, nil); err != nil {
		t.Fatal(err)
	}
	api := newFakeAPI(t)
	a := api.auth(Config{ClientCertificates: true})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		Handler: a.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			user, _ := UserFrom(r.Context())
			fmt.Fprint(w, user)
		})),
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0),
	}
	done := make(chan error)
	go func() { done <- server.Serve(tls.NewListener(ln, cfg)) }()
	f := func(what, token, want string, certificates ...tls.Certificate) {
		t.Helper()
		transport := &http.Transport{TLSClientConfig: &tls.Config{
			InsecureSkipVerify: true,
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				return &append(certificates, tls.Certificate{})[0], nil // also when the server does not ask for this one
			},
		}}
		defer transport.CloseIdleConnections()
		r, _ := http.NewRequest(http.MethodGet, "https://"+ln.Addr().String()+"/metrics", nil)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := transport.RoundTrip(r)
		if err != nil {
			if want != "" {
				t.Errorf("%s: %v", what, err)
			}
			return
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if got := fmt.Sprint(resp.StatusCode, " ", string(body)); want == "" || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %q", what, got, want)
		}
	}
	f("certificate", "", "200 {cert  [g system:authenticated] map[]}", newPair(t, "cert", &ca, "g").tls())
	f("certificate of another", "", "403", newPair(t, "eve", &ca).tls())
	api.want("certificates", 0, 2)
	f("none", "", "401")
	f("token", "good", "200")
	f("certificate of another authority", "good", "", newPair(t, "cert", &otherCA).tls())
	server.Close()
	<-done
}

func TestClientCAReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer slog.SetDefault(slog.Default())
		var log logBuffer
		slog.SetDefault(log.logger())
		ca, otherCA := newPair(t, "ca", nil), newPair(t, "other", nil)
		client, otherClient := newPair(t, "cert", &ca), newPair(t, "cert", &otherCA)
		caFile := filepath.Join(t.TempDir(), "ca.crt")
		writeFile(t, caFile, ca.certPEM)
		cfg, err := SelfSigned()
		if err != nil {
			t.Fatal(err)
		}
		if err := WithClientCA(cfg, caFile, nil); err != nil {
			t.Fatal(err)
		}
		sessions := tls.NewLRUClientSessionCache(10)
		f := func(what string, p pair, good bool) {
			t.Helper()
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				cert := p.tls()
				state, err := handshake(t, cfg, &tls.Config{
					ServerName: "x", ClientSessionCache: sessions, MaxVersion: version,
					GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil },
				})
				if (err == nil) != good || good && len(state.VerifiedChains) == 0 || state.DidResume {
					t.Errorf("%s, version %x: %v, %d chains, resumed: %v", what, version, err, len(state.VerifiedChains), state.DidResume)
				}
			}
		}
		f("client", client, true)
		f("client again", client, true)
		f("other", otherClient, false)
		writeFile(t, caFile, otherCA.certPEM)
		time.Sleep(reloadInterval - 1)
		f("client before the interval", client, true)
		time.Sleep(time.Nanosecond)
		f("other", otherClient, true)
		f("client whose authority is gone", client, false)
		for _, broken := range [][]byte{nil, []byte("broken"), append(ca.certPEM, ca.keyPEM...)} {
			writeFile(t, caFile, broken)
			time.Sleep(reloadInterval)
			f("other after a broken file", otherClient, true)
			f("client after a broken file", client, false)
		}
		wantEqual(t, "lines of log", strings.Count(log.String(), "\n"), 4)
		writeFile(t, caFile, append(ca.certPEM, otherCA.certPEM...))
		time.Sleep(reloadInterval)
		f("both", client, true)
		f("both", otherClient, true)
	})
}

func TestWithClientCAFails(t *testing.T) {
	cfg := &tls.Config{}
	caFile := filepath.Join(t.TempDir(), "ca.crt")
	wantError(t, "no file", WithClientCA(cfg, caFile, nil), caFile, "no such file")
	writeFile(t, caFile, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	wantError(t, "broken", WithClientCA(cfg, caFile, nil), caFile, "certificate 0")
	writeFile(t, caFile, newPair(t, "ca", nil).keyPEM)
	wantError(t, "key", WithClientCA(cfg, caFile, nil), caFile, "PRIVATE KEY")
	if cfg.GetConfigForClient != nil || cfg.ClientAuth != 0 || cfg.ClientCAs != nil {
		t.Errorf("the configuration was changed: %v", cfg.ClientAuth)
	}
}

// TestWithClientCAKeeps covers configurations of others.
func TestWithClientCAKeeps(t *testing.T) {
	ca := newPair(t, "ca", nil)
	caFile := filepath.Join(t.TempDir(), "ca.crt")
	writeFile(t, caFile, ca.certPEM)
	f := func(before, want tls.ClientAuthType) {
		t.Helper()
		cfg := &tls.Config{ClientAuth: before}
		if err := WithClientCA(cfg, caFile, nil); err != nil {
			t.Fatal(err)
		}
		used, err := cfg.GetConfigForClient(nil)
		if err != nil {
			t.Fatal(err)
		}
		wantEqual(t, before.String(), cfg.ClientAuth, want)
		wantEqual(t, before.String(), used.ClientAuth, want)
	}
	f(tls.NoClientCert, tls.VerifyClientCertIfGiven)
	f(tls.RequestClientCert, tls.VerifyClientCertIfGiven)
	f(tls.RequireAnyClientCert, tls.RequireAndVerifyClientCert)
	f(tls.VerifyClientCertIfGiven, tls.VerifyClientCertIfGiven)
	f(tls.RequireAndVerifyClientCert, tls.RequireAndVerifyClientCert)

	var inner *tls.Config
	var failure error
	cfg := &tls.Config{
		ServerName:         "outer",
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return inner, failure },
	}
	if err := WithClientCA(cfg, caFile, nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"outer", "inner"} {
		used, err := cfg.GetConfigForClient(nil)
		if err != nil || used.ServerName != want || used.ClientAuth != tls.VerifyClientCertIfGiven || used.ClientCAs == nil {
			t.Errorf("%s is not used: %v", want, err)
		}
		if inner == nil {
			inner = &tls.Config{ServerName: "inner"}
		}
	}
	if inner.ClientCAs != nil {
		t.Error("the inner configuration was changed")
	}
	failure = errors.New("no luck")
	_, err := cfg.GetConfigForClient(nil)
	wantError(t, "inner function", err, "no luck")
}
