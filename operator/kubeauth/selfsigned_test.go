package kubeauth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func leaf(t testing.TB, hosts ...string) *x509.Certificate {
	t.Helper()
	cfg, err := SelfSigned(hosts...)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := cfg.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return cert.Leaf
}

func TestSelfSignedNames(t *testing.T) {
	cert := leaf(t, "metrics.monitoring.svc", "*.example.test", "192.0.2.7", "2001:db8::7", "localhost")
	want := []string{"metrics.monitoring.svc", "a.example.test", "192.0.2.7", "2001:db8::7", "localhost", "127.0.0.1", "::1"}
	if name, err := os.Hostname(); err == nil && validHost(name) {
		want = append(want, name)
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if ip := a.(*net.IPNet).IP; ip.IsGlobalUnicast() && len(addresses) <= maxAddresses {
			want = append(want, ip.String())
		}
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	for _, host := range want {
		if _, err := cert.Verify(x509.VerifyOptions{Roots: pool, DNSName: host}); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	for _, host := range []string{"example.test", "192.0.2.8"} {
		if cert.VerifyHostname(host) == nil {
			t.Errorf("the certificate is also for %s", host)
		}
	}
	seen := map[string]bool{}
	for _, name := range cert.DNSNames {
		if seen[name] {
			t.Errorf("%s is there twice", name)
		}
		seen[name] = true
	}
	key, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		t.Errorf("key is %T", cert.PublicKey)
	}
	if cert.IsCA || cert.SerialNumber.Sign() <= 0 || cert.SerialNumber.Cmp(leaf(t).SerialNumber) == 0 {
		t.Errorf("authority: %v, serial number %v", cert.IsCA, cert.SerialNumber)
	}
}

func TestSelfSignedRefuses(t *testing.T) {
	for _, host := range []string{"", "a:8080", "[::1]", "[::1]:80", "https://a", "a b", "ä", "a\x00", "fe80::1%eth0"} {
		_, err := SelfSigned("good", host)
		wantError(t, host, err, "give a DNS name")
	}
}

func TestSelfSignedRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg, err := SelfSigned("a")
		if err != nil {
			t.Fatal(err)
		}
		get := func() *x509.Certificate {
			t.Helper()
			cert, err := cfg.GetCertificate(nil)
			if err != nil {
				t.Fatal(err)
			}
			if now := time.Now(); now.Before(cert.Leaf.NotBefore) || now.After(cert.Leaf.NotAfter) {
				t.Errorf("the certificate is valid from %s to %s, and it is %s", cert.Leaf.NotBefore, cert.Leaf.NotAfter, now)
			}
			return cert.Leaf
		}
		first := get()
		wantEqual(t, "end", first.NotAfter, time.Now().Add(90*24*time.Hour).UTC().Truncate(time.Second))
		time.Sleep(60*24*time.Hour - 1)
		if !get().Equal(first) {
			t.Error("renewed before two thirds of its life")
		}
		time.Sleep(time.Nanosecond)
		second := get()
		if second.Equal(first) || second.VerifyHostname("a") != nil {
			t.Error("not renewed after two thirds of its life, or for other hosts")
		}
		if !get().Equal(second) {
			t.Error("renewed twice")
		}
		time.Sleep(1000 * 24 * time.Hour) // nobody came
		get()
	})
}
