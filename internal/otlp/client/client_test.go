package client_test

import (
	"compress/gzip"
	"context"
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
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/kubevitals/kubevitals/internal/otlp/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// points returns metrics with n points of about a hundred bytes each.
func points(n int) pmetric.Metrics {
	md := pmetric.NewMetrics()
	m := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("a")
	ps := m.SetEmptyGauge().DataPoints()
	for i := range n {
		p := ps.AppendEmpty()
		p.SetDoubleValue(float64(i))
		p.Attributes().PutStr("x", fmt.Sprintf("%080d", i))
	}
	return md
}

func dial(t testing.TB, c client.Config) client.Client {
	t.Helper()
	x, err := client.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.Close() })
	return x
}

// receiver is a gRPC server of metrics.
type receiver struct {
	pmetricotlp.UnimplementedGRPCServer
	export func(ctx context.Context, md pmetric.Metrics) (pmetricotlp.ExportResponse, error)
}

func (r *receiver) Export(ctx context.Context, req pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	return r.export(ctx, req.Metrics())
}

// serve starts a gRPC server and returns its address.
func serve(t testing.TB, export func(context.Context, pmetric.Metrics) (pmetricotlp.ExportResponse, error), opts ...grpc.ServerOption) string {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(opts...)
	pmetricotlp.RegisterGRPCServer(s, &receiver{export: export})
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(ln) }()
	t.Cleanup(func() { s.Stop(); <-done })
	return ln.Addr().String()
}

func partial(rejected int64, message string) pmetricotlp.ExportResponse {
	r := pmetricotlp.NewExportResponse()
	r.PartialSuccess().SetRejectedDataPoints(rejected)
	r.PartialSuccess().SetErrorMessage(message)
	return r
}

// check compares what a client says.
func check(t *testing.T, name string, err error, kind client.Kind, after time.Duration, unsent bool, words string) {
	t.Helper()
	var e *client.Error
	if !errors.As(err, &e) {
		t.Errorf("%s: error %v", name, err)
		return
	}
	if e.Kind != kind || e.After != after || e.Unsent != unsent || !strings.Contains(e.Error(), words) {
		t.Errorf("%s: kind %s, after %s, unsent %t: %v", name, e.Kind, e.After, e.Unsent, err)
	}
}

func TestGRPC(t *testing.T) {
	var got []string
	addr := serve(t, func(ctx context.Context, md pmetric.Metrics) (pmetricotlp.ExportResponse, error) {
		headers, _ := metadata.FromIncomingContext(ctx)
		got = append(got, fmt.Sprint(md.DataPointCount(), headers["x-key"], headers["user-agent"][0][:4]))
		return partial(int64(md.DataPointCount()-1), "line\nbreak"), nil
	})
	for _, plain := range []bool{false, true} {
		c := dial(t, client.Config{Endpoint: "http://" + addr, Protocol: client.GRPC, Headers: map[string]string{"X-Key": "v"}, Plain: plain, UserAgent: "test"})
		r, err := c.Export(t.Context(), points(3))
		if err != nil || r.Rejected != 2 || r.Message != `"line\nbreak"` {
			t.Errorf("result %+v, %v", r, err)
		}
	}
	if want := "[3 [v]test 3 [v]test]"; fmt.Sprint(got) != want {
		t.Errorf("received %v, want %s", got, want)
	}
}

func TestGRPCErrors(t *testing.T) {
	var answer error
	addr := serve(t, func(context.Context, pmetric.Metrics) (pmetricotlp.ExportResponse, error) {
		return pmetricotlp.NewExportResponse(), answer
	})
	c := dial(t, client.Config{Endpoint: addr, Insecure: true})
	wait := func(code codes.Code, after time.Duration) error {
		s, err := status.New(code, "busy").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(after)})
		if err != nil {
			t.Fatal(err)
		}
		return s.Err()
	}
	for _, x := range []struct {
		err   error
		kind  client.Kind
		after time.Duration
	}{
		{status.Error(codes.Unavailable, "busy"), client.Retry, 0},
		{wait(codes.Unavailable, 3*time.Second), client.Retry, 3 * time.Second},
		{wait(codes.ResourceExhausted, time.Hour), client.Retry, client.MaxAfter},
		{status.Error(codes.ResourceExhausted, "busy"), client.Refused, 0},
		{status.Error(codes.Aborted, "busy"), client.Retry, 0},
		{status.Error(codes.InvalidArgument, "busy"), client.Refused, 0},
		{status.Error(codes.Internal, "busy"), client.Refused, 0},
		{status.Error(codes.Unauthenticated, "busy"), client.RefusedAll, 0},
		{status.Error(codes.PermissionDenied, "busy"), client.RefusedAll, 0},
	} {
		answer = x.err
		_, err := c.Export(t.Context(), points(1))
		check(t, x.err.Error(), err, x.kind, x.after, false, `"busy"`)
	}
	// More than the 4 MiB that a server takes unless it is told otherwise.
	answer = nil
	_, err := c.Export(t.Context(), points(50_000))
	check(t, "4 MiB", err, client.TooLarge, 0, false, "larger than max")
	// Another service.
	other := dial(t, client.Config{Endpoint: "http://" + closed(t), Protocol: client.GRPC})
	_, err = other.Export(t.Context(), points(1))
	check(t, "nobody listens", err, client.Retry, 0, true, "Unavailable")
}

// closed returns an address where nobody listens.
func closed(t testing.TB) string {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}

// dying accepts connections, reads the beginning of what comes and hangs up.
func dying(t testing.TB) string {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = io.CopyN(io.Discard, conn, 100_000)
			_ = conn.Close()
		}
	}()
	return ln.Addr().String()
}

func TestHTTP(t *testing.T) {
	var answer func(w http.ResponseWriter)
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			body = z
		}
		p, err := io.ReadAll(body)
		if err != nil {
			t.Error(err)
		}
		md, err := new(pmetric.ProtoUnmarshaler).UnmarshalMetrics(p)
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/metrics" || r.Header.Get("Content-Type") != "application/x-protobuf" || r.Header.Get("X-Key") != "v" {
			t.Errorf("%s %s %v, %v", r.Method, r.URL, r.Header, err)
		}
		n.Add(int64(md.DataPointCount()))
		answer(w)
	}))
	defer s.Close()
	write := func(code int, contentType, body string, header ...string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", contentType)
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	proto, err := partial(2, "no").MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	config := client.Config{Endpoint: s.URL, AllSignals: true, Headers: map[string]string{"X-Key": "v"}}
	c := dial(t, config)
	config.Plain = true
	for name, x := range map[string]struct {
		answer func(http.ResponseWriter)
		want   client.Result
	}{
		"partial success": {write(200, "application/x-protobuf", string(proto)), client.Result{Rejected: 2, Message: `"no"`}},
		"nothing said":    {write(204, "", ""), client.Result{}},
		"words":           {write(200, "text/plain", "thank you"), client.Result{}},
	} {
		answer = x.answer
		for _, c := range []client.Client{c, dial(t, config)} {
			if got, err := c.Export(t.Context(), points(3)); err != nil || got != x.want {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
	}
	if n.Load() != 18 {
		t.Errorf("received %d points", n.Load())
	}
	for _, x := range []struct {
		name   string
		answer func(http.ResponseWriter)
		kind   client.Kind
		after  time.Duration
		words  string
	}{
		{"429", write(429, "text/plain", "slow", "Retry-After", "17"), client.Retry, 17 * time.Second, `"slow"`},
		{"503", write(503, "application/x-protobuf", "\x08\x0e\x12\x04slow"), client.Retry, 0, `"slow"`},
		{"500", write(500, "text/plain", "broken\x1b[31m"), client.Refused, 0, `broken\x1b`},
		{"400", write(400, "text/plain", strings.Repeat("x", 1000)), client.Refused, 0, `xxx..."`},
		{"too large", write(413, "", ""), client.TooLarge, 0, ""},
		{"too large for the Collector", write(400, "text/plain", "http: request body too large"), client.TooLarge, 0, ""},
		{"401", write(401, "", ""), client.RefusedAll, 0, "401"},
		{"redirect", write(307, "", "", "Location", "/other"), client.RefusedAll, 0, "/other"},
	} {
		answer = x.answer
		_, err := c.Export(t.Context(), points(1))
		check(t, x.name, err, x.kind, x.after, false, x.words)
	}
}

// TestBrokenConnections: what was sent may have arrived, what was not cannot.
func TestBrokenConnections(t *testing.T) {
	for _, protocol := range []client.Protocol{client.HTTP, client.GRPC} {
		c := dial(t, client.Config{Endpoint: "http://" + closed(t), Protocol: protocol})
		_, err := c.Export(t.Context(), points(1))
		check(t, string(protocol)+", nobody listens", err, client.Retry, 0, true, "")
	}
	c := dial(t, client.Config{Endpoint: "http://" + dying(t), Plain: true})
	_, err := c.Export(t.Context(), points(50_000))
	check(t, "dies in the middle", err, client.Retry, 0, false, "")

	hangs := make(chan struct{})
	addr := serve(t, func(context.Context, pmetric.Metrics) (pmetricotlp.ExportResponse, error) {
		<-hangs // and not until the deadline, of which the server knows as well
		return pmetricotlp.NewExportResponse(), nil
	})
	defer close(hangs)
	c = dial(t, client.Config{Endpoint: addr, Insecure: true, Timeout: 50 * time.Millisecond})
	_, err = c.Export(t.Context(), points(1))
	check(t, "timeout", err, client.Retry, 0, false, "DeadlineExceeded")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Export(ctx, points(1)); client.KindOf(err) != client.Retry {
		t.Errorf("context that is over: %v", err)
	}
}

// authority signs certificates for a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // has the certificate
}

func newAuthority(t testing.TB, dir, name string) authority {
	t.Helper()
	a := authority{file: filepath.Join(dir, name+".crt")}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	writeFile(t, a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return a
}

// sign writes a certificate and its key to files of a name.
func (a authority) sign(t testing.TB, name string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: filepath.Base(name)},
		DNSNames: []string{"receiver.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, name+".crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	writeFile(t, name+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	return name + ".crt", name + ".key"
}

func writeFile(t testing.TB, name string, p []byte) {
	t.Helper()
	if err := os.WriteFile(name, p, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestTLS: the receiver's certificate is verified with what the file has now, and
// the client shows its own.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	ours, theirs := newAuthority(t, dir, "ours"), newAuthority(t, dir, "theirs")
	cert, key := ours.sign(t, filepath.Join(dir, "server"))
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AddCert(ours.cert)
	serverTLS := &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}

	web := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	web.TLS = serverTLS
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	web.StartTLS()
	defer web.Close()
	addr := serve(t, func(context.Context, pmetric.Metrics) (pmetricotlp.ExportResponse, error) {
		return pmetricotlp.NewExportResponse(), nil
	}, grpc.Creds(credentials.NewTLS(serverTLS)))

	for name, config := range map[string]client.Config{
		"HTTP": {Endpoint: web.URL, Timeout: 5 * time.Second},
		"gRPC": {Endpoint: addr, Timeout: 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			base := filepath.Join(dir, name)
			config.CAFile = base + "-ca.crt"
			copyFile(t, theirs.file, config.CAFile)
			config.CertFile, config.KeyFile = theirs.sign(t, base)
			export := func(c client.Config) error {
				_, err := dial(t, c).Export(t.Context(), points(1))
				return err
			}
			c := dial(t, config)
			if _, err := c.Export(t.Context(), points(1)); err == nil {
				t.Error("a receiver of another authority was trusted")
			}
			copyFile(t, ours.file, config.CAFile)
			if err := export(config); err == nil {
				t.Error("the certificate of another authority was accepted")
			}
			ours.sign(t, base)
			// The same client, after the files have changed; gRPC waits a while
			// before it connects again.
			for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
				_, err := c.Export(t.Context(), points(1))
				if err == nil {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("after the files have changed: %v", err)
				}
			}
			named := config
			named.ServerName = "receiver.test"
			if err := export(named); err != nil {
				t.Errorf("by its name: %v", err)
			}
			named.ServerName = "other.test"
			if err := export(named); err == nil {
				t.Error("a certificate of another name was accepted")
			}
			held := config
			held.CA, held.Cert, held.Key = readFile(t, config.CAFile), readFile(t, config.CertFile), readFile(t, config.KeyFile)
			held.CAFile, held.CertFile, held.KeyFile = "", "", ""
			if err := export(held); err != nil {
				t.Errorf("with certificates in memory: %v", err)
			}
			held.CA = readFile(t, theirs.file)
			if err := export(held); err == nil {
				t.Error("a receiver of another authority was trusted")
			}
			held.SkipVerify = true
			if err := export(held); err != nil {
				t.Errorf("without verification: %v", err)
			}
			skip := config
			skip.CAFile, skip.SkipVerify = theirs.file, true
			if err := export(skip); err != nil {
				t.Errorf("without verification, with a file: %v", err)
			}
			system := config
			system.CAFile = ""
			if err := export(system); err == nil {
				t.Error("a certificate that the system does not know was accepted")
			}
		})
	}
	for _, c := range []client.Config{
		{Endpoint: "https://h", CAFile: filepath.Join(dir, "none")},
		{Endpoint: "https://h", CAFile: key},
		{Endpoint: "https://h", CA: []byte("none")},
		{Endpoint: "https://h", Cert: readFile(t, cert)},
		{Endpoint: "https://h", Cert: readFile(t, cert), Key: readFile(t, ours.file)},
		{Endpoint: "https://h", CertFile: cert, KeyFile: filepath.Join(dir, "none")},
		{Endpoint: "h:1", CertFile: cert, KeyFile: filepath.Join(dir, "ours.crt")},
	} {
		if _, err := client.New(c); err == nil {
			t.Errorf("%+v is no error", c)
		}
	}
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	writeFile(t, to, readFile(t, from))
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	p, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
