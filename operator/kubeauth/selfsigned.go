package kubeauth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// selfSignedLife is how long a self-signed certificate is valid. It is
	// renewed after two thirds of it.
	selfSignedLife = 90 * 24 * time.Hour
	// maxAddresses bounds the addresses of interfaces in a certificate: a node
	// may have one for each Service.
	maxAddresses = 32
)

// SelfSigned returns a server's configuration with a certificate that it makes
// itself, of an ECDSA P-256 key that exists in memory only. The certificate is
// for hosts, which are DNS names or IP addresses without a port, and for the
// name of this host, localhost, and the addresses of its interfaces; in a pod
// those are the name and the IPs of the pod. It is valid for 90 days, and a
// handshake after 60 days makes another one.
//
// As clients cannot know the certificate, they can only skip its verification:
// it keeps the connection from being read, but not from being intercepted.
// What [CertificateFiles] says about its configuration is true here too.
func SelfSigned(hosts ...string) (*tls.Config, error) {
	for _, host := range hosts {
		if !validHost(host) {
			return nil, fmt.Errorf("self-signed certificate: host %q: give a DNS name or an IP address, without a port", host)
		}
	}
	s := &selfSigned{hosts: slices.Clone(hosts)}
	if _, err := s.get(nil); err != nil {
		return nil, err
	}
	return serverConfig(s.get), nil
}

type selfSigned struct {
	hosts []string

	mu    sync.Mutex
	cert  *tls.Certificate
	renew time.Time
}

// get returns the certificate, a new one if it is time.
func (s *selfSigned) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.cert != nil && now.Before(s.renew) {
		return s.cert, nil
	}
	cert, err := newSelfSigned(s.hosts, now)
	if err != nil {
		return nil, fmt.Errorf("self-signed certificate: %w", err)
	}
	s.cert, s.renew = cert, now.Add(selfSignedLife*2/3)
	return cert, nil
}

func newSelfSigned(hosts []string, now time.Time) (*tls.Certificate, error) {
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{ // with a random serial number
		Subject:               pkix.Name{CommonName: "self-signed"},
		NotBefore:             now.Add(-time.Hour), // clocks differ
		NotAfter:              now.Add(selfSignedLife),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, host := range slices.Concat(hosts, ownHosts()) {
		if ip := net.ParseIP(host); ip == nil {
			template.DNSNames = append(template.DNSNames, host)
		} else if !slices.ContainsFunc(template.IPAddresses, ip.Equal) {
			template.IPAddresses = append(template.IPAddresses, ip)
		}
	}
	slices.Sort(template.DNSNames)
	template.DNSNames = slices.Compact(template.DNSNames)
	der, err := x509.CreateCertificate(rand.Reader, template, template, priv.Public(), priv)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: priv, Leaf: leaf}, nil
}

// ownHosts returns by what this host may be reached, as far as it is known.
func ownHosts() []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if name, err := os.Hostname(); err == nil && validHost(name) {
		hosts = append(hosts, name)
	}
	addresses, _ := net.InterfaceAddrs()
	n := 0
	for _, a := range addresses {
		network, ok := a.(*net.IPNet)
		if ok && network.IP.IsGlobalUnicast() && n < maxAddresses {
			hosts = append(hosts, network.IP.String())
			n++
		}
	}
	return hosts
}

func validHost(host string) bool {
	odd := func(c rune) bool {
		return c != '-' && c != '.' && c != '_' && c != '*' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
	}
	return net.ParseIP(host) != nil || host != "" && len(host) <= 253 && !strings.ContainsFunc(host, odd)
}
