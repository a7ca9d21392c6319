package operator

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log" //nolint:depguard // net/http takes nothing else
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Server listens and returns a server for all routes with its listener, for a
// process whose lifecycle is not that of [Operator.Run], such as a manager of
// controller-runtime: the caller serves, and shuts down. It returns the errors
// with which Run would fail before it serves.
func (o *Operator) Server() (*http.Server, net.Listener, error) {
	if o.opts.Serve != nil {
		return nil, nil, errors.New("Options.Serve goes with Run: whoever has the server serves it")
	}
	server, ln, err := o.open(context.Background())
	if err == nil && ln == nil {
		err = errors.New("there is nothing to listen on: set Options.Addr or Options.Listener")
	}
	return server, ln, err
}

// Ready is closed once the server listens, by [Operator.Run] or [Operator.Server];
// or once Run has begun, if there is nothing to listen on.
func (o *Operator) Ready() <-chan struct{} {
	return o.ready
}

// open listens and makes the server; both are nil when there is nothing to
// listen on. It closes a listener that it was given when it fails.
func (o *Operator) open(ctx context.Context) (*http.Server, net.Listener, error) {
	err := errors.Join(o.conflict(), o.exposed(), o.uncertified(), o.uncoded())
	if err != nil {
		if o.opts.Listener != nil {
			_ = o.opts.Listener.Close()
		}
		return nil, nil, err
	}
	ln, err := o.listen(ctx)
	if err != nil || ln == nil {
		return nil, nil, err
	}
	o.readyOnce.Do(func() { close(o.ready) })
	server := &http.Server{
		Handler:           o.mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       5 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(serverLog{o.log}, "", 0),
		Protocols:         new(http.Protocols),
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetHTTP2(o.opts.HTTP2)
	if o.opts.TLS != nil && o.opts.Serve == nil {
		server.TLSConfig = o.tlsConfig()
		ln = tls.NewListener(ln, server.TLSConfig)
	}
	if o.opts.Server != nil {
		o.opts.Server(server)
	}
	return server, ln, nil
}

// serverLog takes what net/http logs. Handshakes that fail are the business of
// whoever scans ports.
type serverLog struct {
	log *slog.Logger
}

// Write takes one line.
func (l serverLog) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	level := slog.LevelWarn
	if strings.HasPrefix(text, "http: TLS handshake error") {
		level = slog.LevelDebug
	}
	l.log.Log(context.Background(), level, "HTTP server", "err", text)
	return len(line), nil
}

// serve serves until the server is shut down.
func (o *Operator) serve(server *http.Server, ln net.Listener) error {
	if o.opts.Serve != nil {
		return o.opts.Serve(server, ln)
	}
	return server.Serve(ln)
}

// exposed reports that protected routes would be served in the clear.
func (o *Operator) exposed() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	listens := o.opts.Listener != nil || o.opts.Addr != ""
	if o.protect == nil || o.opts.TLS != nil || o.opts.Serve != nil || o.opts.Plaintext || !listens {
		return nil
	}
	return errors.New("protected routes without TLS would send credentials in the clear: set Options.TLS, " +
		"or Options.Plaintext if something in front of the server ends TLS")
}

// uncertified reports a TLS configuration with which no handshake can succeed.
func (o *Operator) uncertified() error {
	c := o.opts.TLS
	if c == nil || o.opts.Serve != nil || len(c.Certificates) > 0 || c.GetCertificate != nil || c.GetConfigForClient != nil {
		return nil
	}
	return errors.New("Options.TLS has no certificate: set Certificates or GetCertificate, as package kubeauth does")
}

func (o *Operator) listen(ctx context.Context) (net.Listener, error) {
	if o.opts.Listener != nil || o.opts.Addr == "" {
		return o.opts.Listener, nil
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", o.opts.Addr)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", o.opts.Addr, err)
	}
	return ln, nil
}

// tlsConfig returns the server's TLS configuration, which offers HTTP/2 if that
// is wanted and not otherwise, whatever the configuration says that was given.
func (o *Operator) tlsConfig() *tls.Config {
	protocols := []string{"http/1.1"}
	if o.opts.HTTP2 {
		protocols = []string{"h2", "http/1.1"}
	}
	config := o.opts.TLS.Clone()
	config.NextProtos = protocols
	if choose := config.GetConfigForClient; choose != nil {
		config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			chosen, err := choose(hello)
			if err != nil || chosen == nil || slices.Equal(chosen.NextProtos, protocols) {
				return chosen, err
			}
			chosen = chosen.Clone()
			chosen.NextProtos = protocols
			return chosen, nil
		}
	}
	return config
}

// certExpiry returns when the certificate ends that the server shows now.
func (o *Operator) certExpiry() (time.Time, bool) {
	config := o.opts.TLS
	if config == nil || o.opts.Serve != nil {
		return time.Time{}, false
	}
	cert := currentCertificate(config)
	if cert == nil && len(config.Certificates) > 0 {
		cert = &config.Certificates[0]
	}
	if cert == nil || cert.Leaf == nil {
		return time.Time{}, false
	}
	return cert.Leaf.NotAfter, true
}

// currentCertificate asks for the certificate of a client of which nothing is
// known. A function that cannot bear that gives none.
func currentCertificate(config *tls.Config) (cert *tls.Certificate) {
	if config.GetCertificate == nil {
		return nil
	}
	defer func() {
		if recover() != nil {
			cert = nil
		}
	}()
	cert, _ = config.GetCertificate(&tls.ClientHelloInfo{})
	return cert
}
