package client

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
)

// Protocol is how metrics are sent.
type Protocol string

// The protocols.
const (
	GRPC Protocol = "grpc"
	HTTP Protocol = "http/protobuf"
)

// Config says where to send and how. Only Endpoint is needed.
type Config struct {
	// Endpoint is a URL with http or https, or host and port alone. A host alone
	// is reached by TLS, unless Insecure says otherwise.
	Endpoint string
	// AllSignals says that Endpoint is the one of all signals, to which HTTP
	// appends /v1/metrics. Otherwise it is used as it is.
	AllSignals bool
	// Protocol is guessed if it is empty: gRPC for an endpoint without a scheme
	// or with the port 4317, else HTTP.
	Protocol Protocol
	// Headers are sent with each request.
	Headers map[string]string
	// Timeout is how long a request may take. The default is 10 seconds.
	Timeout time.Duration
	// Plain switches gzip off.
	Plain bool
	// Insecure is for an Endpoint without a scheme: no TLS.
	Insecure bool
	// CAFile has the certificates that are trusted, instead of the system's;
	// CertFile and KeyFile are what the client shows of itself. They are read
	// again when they have changed.
	CAFile, CertFile, KeyFile string
	// CA, Cert and Key are the same in PEM, instead of the files.
	CA, Cert, Key []byte
	// SkipVerify says that any certificate of the receiver is good.
	SkipVerify bool
	// ServerName is the name that the receiver's certificate must be of, if it is
	// not the host of Endpoint.
	ServerName string
	// UserAgent is sent with each request.
	UserAgent string
}

// DefaultTimeout is how long a request may take if nothing else is said.
const DefaultTimeout = 10 * time.Second

// destination is an Endpoint that was understood.
type destination struct {
	protocol Protocol
	url      string // for HTTP
	target   string // for gRPC
	host     string // that the certificate must be of
	tls      bool
}

// Validate returns what is wrong with the configuration.
func (c Config) Validate() error {
	if _, err := c.destination(); err != nil {
		return err
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		return fmt.Errorf("OTLP client certificate: give both the certificate (%q) and its key (%q)", c.CertFile, c.KeyFile)
	}
	if (len(c.Cert) == 0) != (len(c.Key) == 0) {
		return fmt.Errorf("OTLP client certificate: give both the certificate and its key")
	}
	for name := range c.Headers {
		if !isHeaderName(name) {
			return fmt.Errorf("OTLP header %q: the name has characters that a header cannot have", name)
		}
	}
	return nil
}

func (c Config) destination() (d destination, err error) {
	if c.Endpoint == "" {
		return d, fmt.Errorf("OTLP endpoint: there is none; give a URL such as http://collector:4318")
	}
	d.protocol = c.Protocol
	scheme, rest, hasScheme := strings.Cut(c.Endpoint, "://")
	if !hasScheme {
		return c.bare(d)
	}
	u, err := url.Parse(c.Endpoint)
	switch {
	case err != nil:
		return d, fmt.Errorf("OTLP endpoint %q: %w", c.Endpoint, err)
	case scheme == "unix" && c.Protocol != HTTP:
		return destination{protocol: GRPC, target: "unix://" + rest, host: "localhost", tls: !c.Insecure}, nil
	case scheme != "http" && scheme != "https":
		return d, fmt.Errorf("OTLP endpoint %q: the scheme is not http or https", c.Endpoint)
	case u.Hostname() == "":
		return d, fmt.Errorf("OTLP endpoint %q: there is no host", c.Endpoint)
	}
	d.host, d.tls = u.Hostname(), scheme == "https"
	if d.protocol == "" {
		d.protocol = HTTP
		if u.Port() == "4317" {
			d.protocol = GRPC
		}
	}
	return c.addressed(d, u)
}

// bare understands a host without a scheme.
func (c Config) bare(d destination) (destination, error) {
	d.protocol = cmp.Or(c.Protocol, GRPC)
	d.tls = !c.Insecure
	scheme := "https"
	if c.Insecure {
		scheme = "http"
	}
	u, err := url.Parse(scheme + "://" + c.Endpoint)
	if err != nil || u.Hostname() == "" {
		return d, fmt.Errorf("OTLP endpoint %q: neither a URL nor a host and a port", c.Endpoint)
	}
	d.host = u.Hostname()
	return c.addressed(d, u)
}

// addressed fills in the address for the protocol.
func (c Config) addressed(d destination, u *url.URL) (destination, error) {
	switch d.protocol {
	case GRPC:
		port := "80"
		if d.tls {
			port = "443"
		}
		d.target = net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port))
	case HTTP:
		if c.AllSignals {
			u = u.JoinPath("v1", "metrics")
		} else if u.Path == "" {
			u.Path = "/"
		}
		d.url = u.String()
	default:
		return d, fmt.Errorf("OTLP protocol %q: it is not grpc or http/protobuf", c.Protocol)
	}
	return d, nil
}

// ParseHeaders reads headers as OTEL_EXPORTER_OTLP_HEADERS has them: names and
// values with "=" between them and "," between headers, percent-encoded where need
// be. Errors do not show values, which may be secret.
func ParseHeaders(text string) (map[string]string, error) {
	out := make(map[string]string)
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		name, nerr := url.PathUnescape(strings.TrimSpace(name))
		value, verr := url.PathUnescape(strings.TrimSpace(value))
		if !ok || nerr != nil || verr != nil || !isHeaderName(name) {
			return nil, fmt.Errorf("OTLP headers: header %d is not name=value, percent-encoded", len(out)+1)
		}
		out[name] = value
	}
	return out, nil
}

func isHeaderName(s string) bool {
	const others = "-_.0123456789"
	for i := range len(s) {
		lower := s[i] | 0x20
		if (lower < 'a' || lower > 'z') && strings.IndexByte(others, s[i]) < 0 {
			return false
		}
	}
	return s != ""
}
