package client

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
)

// tlsConfig returns how to reach a host by TLS. The files are read once now, to
// say at once what is wrong with them, and again whenever a connection is made.
func (c Config) tlsConfig(host string) (*tls.Config, error) {
	if c.ServerName != "" {
		host = c.ServerName
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host, InsecureSkipVerify: c.SkipVerify}
	switch {
	case len(c.Cert) > 0:
		pair, err := tls.X509KeyPair(c.Cert, c.Key)
		if err != nil {
			return nil, fmt.Errorf("OTLP client certificate: %w", err)
		}
		out.Certificates = []tls.Certificate{pair}
	case c.CertFile != "":
		pair := &keyPair{certFile: c.CertFile, keyFile: c.KeyFile}
		if _, err := pair.get(); err != nil {
			return nil, err
		}
		out.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair.get() }
	}
	switch {
	case c.SkipVerify:
	case len(c.CA) > 0:
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(c.CA) {
			return nil, errors.New("OTLP certificate authorities: there is no certificate in them")
		}
	case c.CAFile != "":
		roots := &pool{file: c.CAFile}
		if _, err := roots.get(); err != nil {
			return nil, err
		}
		// The roots of a tls.Config cannot change, so that it must not verify: the
		// callback does, with the roots that are in the file now.
		out.InsecureSkipVerify = true
		out.VerifyConnection = func(s tls.ConnectionState) error { return roots.verify(s, host) }
	}
	return out, nil
}

// keyPair is a certificate and its key in files.
type keyPair struct {
	certFile, keyFile string

	mu        sync.Mutex
	cert, key []byte
	pair      *tls.Certificate
}

// get returns what is in the files now. While it cannot be read, such as between
// the changes of the two, what was there before stays.
func (k *keyPair) get() (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	cert, err := os.ReadFile(k.certFile)
	var key []byte
	if err == nil {
		key, err = os.ReadFile(k.keyFile)
	}
	if err == nil && (k.pair == nil || !bytes.Equal(cert, k.cert) || !bytes.Equal(key, k.key)) {
		var pair tls.Certificate
		if pair, err = tls.X509KeyPair(cert, key); err == nil {
			k.cert, k.key, k.pair = cert, key, &pair
		}
	}
	if k.pair == nil {
		return nil, fmt.Errorf("OTLP client certificate %s, %s: %w", k.certFile, k.keyFile, err)
	}
	return k.pair, nil
}

// pool is a file of trusted certificates.
type pool struct {
	file string

	mu    sync.Mutex
	data  []byte
	roots *x509.CertPool
}

// get returns what is in the file now, or was when it could last be read.
func (p *pool) get() (*x509.CertPool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	data, err := os.ReadFile(p.file)
	if err == nil && (p.roots == nil || !bytes.Equal(data, p.data)) {
		roots := x509.NewCertPool()
		if roots.AppendCertsFromPEM(data) {
			p.data, p.roots = data, roots
		} else {
			err = fmt.Errorf("there is no certificate in it")
		}
	}
	if p.roots == nil {
		return nil, fmt.Errorf("OTLP certificate authorities %s: %w", p.file, err)
	}
	return p.roots, nil
}

// verify does what crypto/tls would with roots that never change.
func (p *pool) verify(s tls.ConnectionState, host string) error {
	roots, err := p.get()
	if err != nil {
		return err
	}
	opts := x509.VerifyOptions{DNSName: host, Roots: roots, Intermediates: x509.NewCertPool()}
	for _, c := range s.PeerCertificates[1:] {
		opts.Intermediates.AddCert(c)
	}
	_, err = s.PeerCertificates[0].Verify(opts)
	return err
}
