package otlp_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/kubevitals/kubevitals/test/controlplane"
	"github.com/kubevitals/kubevitals/test/program"
)

// sink keeps the points that it has taken, by series. fail says what it answers
// instead.
type sink struct {
	mu     sync.Mutex
	fail   func(n int) error // of the request of that number, from 1
	n      int
	points map[string][]point
	wrong  []string
}

type point struct {
	at    time.Time
	value float64
	ended bool
}

// Capabilities implements consumer.Metrics.
func (*sink) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

// ConsumeMetrics implements consumer.Metrics.
func (s *sink) ConsumeMetrics(_ context.Context, md pmetric.Metrics) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	if s.fail != nil {
		if err := s.fail(s.n); err != nil {
			return err
		}
	}
	if s.points == nil {
		s.points = make(map[string][]point)
	}
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				if m.Type() == pmetric.MetricTypeGauge {
					s.take(m.Name(), m.Gauge().DataPoints())
				}
			}
		}
	}
	return nil
}

// take keeps points. Of one series times only grow, or the same point comes again
// as its acknowledgement was lost.
func (s *sink) take(name string, points pmetric.NumberDataPointSlice) {
	for _, p := range points.All() {
		var labels []string
		for k, v := range p.Attributes().All() {
			labels = append(labels, k+"="+v.AsString())
		}
		slices.Sort(labels)
		key := name + "{" + strings.Join(labels, ",") + "}"
		next := point{p.Timestamp().AsTime(), p.DoubleValue(), p.Flags().NoRecordedValue()}
		if all := s.points[key]; len(all) > 0 {
			switch last := all[len(all)-1]; {
			case next.at.Before(last.at):
				s.wrong = append(s.wrong, key+" goes back in time")
			case next.at.Equal(last.at) && next != last:
				s.wrong = append(s.wrong, key+" has two values at one time")
			}
		}
		s.points[key] = append(s.points[key], next)
	}
}

// last returns the newest value of a series.
func (s *sink) last(key string) (point, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.points[key]
	if len(all) == 0 {
		return point{}, false
	}
	return all[len(all)-1], true
}

func (s *sink) check(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.wrong) > 0 {
		t.Errorf("%d points are wrong: %s", len(s.wrong), s.wrong[0])
	}
}

// receive starts the Collector's OTLP receiver with one protocol, and returns where
// it listens.
func receive(t *testing.T, s *sink, protocol string, settings map[string]any) string {
	t.Helper()
	for {
		port, err := controlplane.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		address := fmt.Sprintf("127.0.0.1:%d", port)
		_, err = receiveAt(t, s, protocol, address, settings)
		if err == nil {
			return address
		}
		if !errors.Is(err, syscall.EADDRINUSE) { // somebody was faster
			t.Fatal(err)
		}
	}
}

func receiveAt(t *testing.T, s *sink, protocol, address string, settings map[string]any) (stop func(), err error) {
	t.Helper()
	factory := otlpreceiver.NewFactory()
	cfg := factory.CreateDefaultConfig()
	section := map[string]any{"endpoint": address}
	for k, v := range settings {
		section[k] = v
	}
	if err := confmap.NewFromStringMap(map[string]any{"protocols": map[string]any{protocol: section}}).Unmarshal(cfg); err != nil {
		t.Fatal(err)
	}
	r, err := factory.CreateMetrics(t.Context(), receivertest.NewNopSettings(factory.Type()), cfg, s)
	if err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() { _ = r.Shutdown(context.Background()) })
	if err := r.Start(context.WithoutCancel(t.Context()), componenttest.NewNopHost()); err != nil {
		stop()
		return nil, err
	}
	t.Cleanup(stop)
	return stop, nil
}

// authority is a CA, and certificates that it has signed, as files.
type authority struct{ ca, cert, key string }

func newAuthority(t *testing.T) authority {
	t.Helper()
	folder := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	a := authority{ca: filepath.Join(folder, "ca.pem"), cert: filepath.Join(folder, "cert.pem"), key: filepath.Join(folder, "key.pem")}
	certificate := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, a.ca, certificate)
	write(t, a.cert, certificate)
	write(t, a.key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	return a
}

// backup starts a process that pushes one object, and returns it with the object's
// file.
func backup(t *testing.T, args ...string) (p *program.Process, file string) {
	t.Helper()
	folder := t.TempDir()
	file = filepath.Join(folder, "objects.yaml")
	ruleFile := filepath.Join(folder, "rules.yaml")
	write(t, file, objects)
	write(t, ruleFile, rules)
	args = append([]string{"state", "--from", file, "--rules", ruleFile, "--otlp-interval", "1s", "--otlp-min-interval", "1s"}, args...)
	return program.Start(t, binary, args...), file
}

const size = "backup_size_bytes{exported_job=mine,name=nightly,namespace=db}"

// arrives waits until the size of the backup has a value, or has ended.
func arrives(t *testing.T, s *sink, value float64, ended bool) {
	t.Helper()
	program.Poll(t, "the point", func() error {
		p, ok := s.last(size)
		if !ok || p.ended != ended || !ended && p.value != value {
			return fmt.Errorf("the last one is %+v", p)
		}
		return nil
	})
}

// TestCollector pushes to the Collector's own receiver, by both protocols, with and
// without TLS.
func TestCollector(t *testing.T) {
	ca := newAuthority(t)
	tls := map[string]any{"tls": map[string]any{"cert_file": ca.cert, "key_file": ca.key}}
	mutual := map[string]any{"tls": map[string]any{"cert_file": ca.cert, "key_file": ca.key, "client_ca_file": ca.ca}}
	for _, tt := range []struct {
		name, protocol, scheme string
		settings               map[string]any
		args                   []string
	}{
		{"grpc", "grpc", "http://", nil, []string{"--otlp-protocol=grpc"}},
		{"http", "http", "http://", nil, nil},
		{"grpc with TLS", "grpc", "", tls, []string{"--otlp-ca", ca.ca}},
		{"http with TLS", "http", "https://", tls, []string{"--otlp-ca", ca.ca}},
		{"grpc with certificates of both", "grpc", "", mutual, []string{"--otlp-ca", ca.ca, "--otlp-cert", ca.cert, "--otlp-key", ca.key}},
		{"http with certificates of both", "http", "https://", mutual, []string{"--otlp-ca", ca.ca, "--otlp-cert", ca.cert, "--otlp-key", ca.key}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := new(sink)
			_, file := backup(t, append(tt.args, "--otlp-endpoint", tt.scheme+receive(t, s, tt.protocol, tt.settings))...)
			arrives(t, s, 12, false)
			write(t, file, strings.Replace(objects, "done: 12", "done: 13", 1))
			arrives(t, s, 13, false)
			write(t, file, objects[:strings.Index(objects, "---")])
			arrives(t, s, 0, true)
			s.check(t)
		})
	}
}

// TestCollectorTrouble: a receiver that is busy, refuses, or dies and comes back gets
// nothing wrong, and the newest in the end.
func TestCollectorTrouble(t *testing.T) {
	t.Run("busy, then refuses", func(t *testing.T) {
		t.Parallel()
		s := &sink{fail: func(n int) error {
			switch {
			case n <= 1:
				return errors.New("busy") // 503: try again
			case n <= 3:
				return consumererror.NewPermanent(errors.New("no")) // 400: do not
			}
			return nil
		}}
		p, _ := backup(t, "--otlp-endpoint", "http://"+receive(t, s, "http", nil))
		arrives(t, s, 12, false)
		s.check(t)
		program.Poll(t, "the counters to tell it", func() error {
			_, body := p.Get(t, "/metrics", nil)
			for _, want := range []string{`kubevitals_otlp_requests_total{result="retry"} `, `kubevitals_otlp_requests_total{result="accepted"} `} {
				if strings.Contains(string(body), want+"0\n") || !strings.Contains(string(body), want) {
					return fmt.Errorf("%s is 0 or missing", want)
				}
			}
			if strings.Contains(string(body), `kubevitals_otlp_requests_total{result="refused"} 0`+"\n") &&
				strings.Contains(string(body), `kubevitals_otlp_requests_total{result="refused_all"} 0`+"\n") {
				return errors.New("no refusal is counted")
			}
			return nil
		})
	})
	t.Run("dies and comes back", func(t *testing.T) {
		t.Parallel()
		port, err := controlplane.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		address := fmt.Sprintf("127.0.0.1:%d", port)
		s := new(sink)
		stop, err := receiveAt(t, s, "grpc", address, nil)
		if err != nil {
			t.Fatal(err)
		}
		p, file := backup(t, "--otlp-endpoint", "http://"+address, "--otlp-protocol=grpc")
		arrives(t, s, 12, false)
		stop()
		write(t, file, strings.Replace(objects, "done: 12", "done: 14", 1))
		program.Poll(t, "a push to fail", func() error {
			if _, body := p.Get(t, "/metrics", nil); strings.Contains(string(body), `kubevitals_otlp_requests_total{result="retry"} 0`) {
				return errors.New("none has")
			}
			return nil
		})
		if _, err := receiveAt(t, s, "grpc", address, nil); err != nil {
			t.Fatal(err)
		}
		arrives(t, s, 14, false)
		s.check(t)
	})
	t.Run("takes no more than 1 MiB", func(t *testing.T) {
		t.Parallel()
		s := new(sink)
		endpoint := "http://" + receive(t, s, "grpc", map[string]any{"max_recv_msg_size_mib": 1})
		p, file := backup(t, "--otlp-endpoint", endpoint, "--otlp-protocol=grpc", "--otlp-plain")
		var many strings.Builder
		many.WriteString(objects)
		for i := range 3000 {
			fmt.Fprintf(&many, "---\n{apiVersion: example.com/v1, kind: Backup, metadata: {name: b%d, namespace: db}, status: {phase: Done, done: %d}}\n", i, i)
		}
		write(t, file, many.String())
		program.Poll(t, "the last point", func() error {
			if p, ok := s.last("backup_size_bytes{exported_job=mine,name=b2999,namespace=db}"); !ok || p.value != 2999 {
				return fmt.Errorf("the last one is %+v", p)
			}
			return nil
		})
		arrives(t, s, 12, false)
		s.check(t)
		const tooLarge = `kubevitals_otlp_requests_total{result="too_large"} `
		if _, body := p.Get(t, "/metrics", nil); strings.Contains(string(body), tooLarge+"0\n") || !strings.Contains(string(body), tooLarge) {
			t.Error("no request was too large")
		}
	})
}
