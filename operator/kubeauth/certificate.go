package kubeauth

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
)

// CertificateFiles returns a server's configuration with a certificate and key
// in PEM. When the content of the files changes, the new pair is served at most
// 10 seconds later; as long as it cannot be used, the old one stays and the
// reason is logged once. It fails if the first pair cannot be used. log may be
// nil, for [slog.Default].
//
// The configuration demands TLS 1.2 and has HTTP/2 off, also in
// [net/http.Server.ServeTLS], which would switch it on. Connections get copies
// of what is returned: it may be changed before it serves, but changes to a
// clone of it have no effect.
func CertificateFiles(certFile, keyFile string, log *slog.Logger) (*tls.Config, error) {
	if log == nil {
		log = slog.Default()
	}
	pair, err := newReloader(log, func(contents [][]byte) (*tls.Certificate, error) {
		cert, err := tls.X509KeyPair(contents[0], contents[1])
		return &cert, err
	}, certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", certFile, keyFile, err)
	}
	return serverConfig(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return pair.get(), nil }), nil
}

// serverConfig returns what all configurations of this package have in common.
func serverConfig(certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	cfg := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
		GetCertificate: certificate,
	}
	// http.Server.ServeTLS adds HTTP/2 to NextProtos, but not to what this
	// function returns.
	cfg.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		c := cfg.Clone()
		c.NextProtos = []string{"http/1.1"}
		return c, nil
	}
	return cfg
}

// WithClientCA makes a configuration accept, but not demand, client
// certificates that the authorities in caFile, in PEM, have signed. A client
// with any other certificate is not served. Whoever can have a certificate
// signed by them chooses its user and groups: they must be authorities for
// clients of the cluster and nothing else, never a public one.
//
// New content of the file counts for connections that begin 10 seconds later;
// as long as it cannot be used, the old one does, and the reason is logged once.
// There is no session resumption, which would let a client in whose authority is
// gone. It fails, and leaves cfg as it was, if the first content cannot be used.
// log may be nil, for [slog.Default].
func WithClientCA(cfg *tls.Config, caFile string, log *slog.Logger) error {
	if log == nil {
		log = slog.Default()
	}
	pool, err := newReloader(log, parsePool, caFile)
	if err != nil {
		return fmt.Errorf("client authorities %s: %w", caFile, err)
	}
	inner := cfg.GetConfigForClient
	cfg.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		c := cfg
		if inner != nil {
			changed, err := inner(hello)
			if err != nil {
				return nil, err
			}
			if changed != nil {
				c = changed
			}
		}
		c = c.Clone()
		requireClientCA(c, pool.get())
		return c, nil
	}
	requireClientCA(cfg, pool.get()) // for those who look at cfg
	return nil
}

func requireClientCA(cfg *tls.Config, pool *x509.CertPool) {
	cfg.ClientCAs = pool
	switch cfg.ClientAuth {
	case tls.RequireAnyClientCert, tls.RequireAndVerifyClientCert:
		cfg.ClientAuth = tls.RequireAndVerifyClientCert // demanded before
	default:
		cfg.ClientAuth = tls.VerifyClientCertIfGiven
	}
	cfg.SessionTicketsDisabled = true
}

// parsePool is strict, as a certificate that is left out silently is missed
// much later.
func parsePool(contents [][]byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	n := 0
	for rest := contents[0]; ; n++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("PEM block %d is a %s: want certificates only", n, block.Type)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", n, err)
		}
		pool.AddCert(cert)
	}
	if n == 0 {
		return nil, errors.New("there is no certificate in PEM")
	}
	return pool, nil
}
