package cli

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
	"k8s.io/client-go/rest"

	"github.com/kubevitals/kubevitals/internal/source"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/kubeauth"
)

// secureFlags say who may use a server, and how it proves who it is.
type secureFlags struct {
	set        *pflag.FlagSet
	auth       string
	kubeconfig string
	audiences  []string
	stale      time.Duration
	cert, key  string
	selfSigned bool
	hosts      []string
	clientCA   string
	webConfig  string

	webConfigFlag string // which flag has given webConfig
}

func (f *secureFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	f.set, f.webConfigFlag = flags, "--web.config.file"
	flags.StringVar(&f.auth, "auth", "none", "who may use everything but the health routes: none (everybody), or kubernetes, for those whom the cluster's RBAC allows to get the path")
	flags.StringVar(&f.kubeconfig, "auth-kubeconfig", "", "with --auth=kubernetes, kubeconfig file of the cluster that decides (default the cluster that is read, $KUBECONFIG, ~/.kube/config, or the pod's ServiceAccount)")
	flags.StringSliceVar(&f.audiences, "auth-audience", nil, "with --auth=kubernetes, audiences of which a token must have one (default the API server's own)")
	flags.DurationVar(&f.stale, "auth-stale", 10*time.Minute, "with --auth=kubernetes, how long a reader that was allowed stays so while the API server does not answer")
	flags.StringVar(&f.cert, "tls-cert", "", "serve TLS with the certificates of this PEM file, which is read again when it changes")
	flags.StringVar(&f.key, "tls-key", "", "the private key of --tls-cert")
	flags.BoolVar(&f.selfSigned, "tls-self-signed", false, "serve TLS with a certificate of its own making, which clients cannot verify")
	flags.StringSliceVar(&f.hosts, "tls-host", nil, "with --tls-self-signed, further names and addresses for the certificate")
	flags.StringVar(&f.clientCA, "tls-client-ca", "", "with --auth=kubernetes, accept client certificates that the CAs of this PEM file have signed")
	flags.StringVar(&f.webConfig, "web.config.file", "", "TLS, basic authentication (of the health routes too) and rate limits, from the configuration file of Prometheus' exporters")
	fixedValues(cmd, "auth", "none", "kubernetes")
	cmd.MarkFlagsRequiredTogether("tls-cert", "tls-key")
	cmd.MarkFlagsMutuallyExclusive("tls-cert", "tls-self-signed", "web.config.file")
	cmd.MarkFlagsMutuallyExclusive("tls-client-ca", "web.config.file")
}

// security is what the flags ask for, ready for an Operator.
type security struct {
	tls     *tls.Config
	serve   func(*http.Server, net.Listener) error
	protect operator.Middleware
	https   bool
}

// open makes what the flags ask for. cluster gives the cluster that decides, if
// no flag names it.
func (f *secureFlags) open(log *slog.Logger, cluster func() (*rest.Config, error)) (s security, err error) {
	if err := f.check(); err != nil {
		return s, err
	}
	if f.webConfig != "" {
		err = f.toolkit(&s, log)
	} else {
		err = f.certificates(&s, log)
	}
	if err != nil {
		return s, err
	}
	switch f.auth {
	case "kubernetes":
		if !s.https {
			return s, errors.New("--auth=kubernetes needs TLS, or tokens would travel in the clear: add --tls-self-signed, " +
				"--tls-cert with --tls-key, or --web.config.file with a tls_server_config")
		}
		s.protect, err = f.kubernetes(log, cluster)
		return s, err
	case "none":
		return s, nil
	default:
		return s, fmt.Errorf("--auth %q: expected none or kubernetes", f.auth)
	}
}

// check refuses flags that would have no effect: somebody believes they have.
func (f *secureFlags) check() error {
	for _, name := range []string{"tls-cert", "tls-key", "tls-client-ca", "web.config.file", "auth-kubeconfig"} {
		if f.set.Changed(name) && f.set.Lookup(name).Value.String() == "" {
			return fmt.Errorf("--%s is set to nothing: name a file, or leave it out", name)
		}
	}
	for _, name := range []string{"auth-kubeconfig", "auth-audience", "auth-stale", "tls-client-ca"} {
		if f.set.Changed(name) && f.auth == "none" {
			return fmt.Errorf("--%s goes with --auth=kubernetes", name)
		}
	}
	if f.set.Changed("tls-host") && !f.selfSigned {
		return errors.New("--tls-host goes with --tls-self-signed")
	}
	if f.stale < 0 {
		return fmt.Errorf("--auth-stale %s: expected a time that is not negative", f.stale)
	}
	return nil
}

// certificates makes the TLS configuration of the flags, if they ask for one.
func (f *secureFlags) certificates(s *security, log *slog.Logger) (err error) {
	switch {
	case f.cert != "":
		if s.tls, err = kubeauth.CertificateFiles(f.cert, f.key, log); err != nil {
			return fmt.Errorf("--tls-cert, --tls-key: %w", err)
		}
	case f.selfSigned:
		if s.tls, err = kubeauth.SelfSigned(f.hosts...); err != nil {
			return fmt.Errorf("--tls-self-signed: %w", err)
		}
	case f.clientCA != "":
		return errors.New("--tls-client-ca needs TLS: add --tls-self-signed, or --tls-cert with --tls-key")
	default:
		return nil
	}
	s.https = true
	if f.clientCA == "" {
		return nil
	}
	if err := kubeauth.WithClientCA(s.tls, f.clientCA, log); err != nil {
		return fmt.Errorf("--tls-client-ca: %w", err)
	}
	return nil
}

// toolkit leaves serving to Prometheus' exporter toolkit.
func (f *secureFlags) toolkit(s *security, log *slog.Logger) error {
	if err := web.Validate(f.webConfig); err != nil {
		return fmt.Errorf("%s %s: %w", f.webConfigFlag, f.webConfig, err)
	}
	data, err := os.ReadFile(f.webConfig)
	if err != nil {
		return fmt.Errorf("%s: %w", f.webConfigFlag, err)
	}
	var config web.Config
	if err := yaml.Unmarshal(data, &config); err != nil {
		return fmt.Errorf("%s %s: %w", f.webConfigFlag, f.webConfig, err)
	}
	if len(config.Users) > 0 && f.auth != "none" {
		return fmt.Errorf("%s %s: basic_auth_users and --auth=%s both want the header Authorization: choose one", f.webConfigFlag, f.webConfig, f.auth)
	}
	s.https = config.TLSConfig.IsEnabled()
	flags := &web.FlagConfig{WebConfigFile: &f.webConfig}
	s.serve = func(server *http.Server, ln net.Listener) error { return web.Serve(ln, server, flags, log) }
	return nil
}

// kubernetes lets the cluster decide about requests.
func (f *secureFlags) kubernetes(log *slog.Logger, cluster func() (*rest.Config, error)) (operator.Middleware, error) {
	if f.kubeconfig != "" {
		cluster = func() (*rest.Config, error) { return clusterConfig(f.kubeconfig) }
	}
	config, err := cluster()
	switch {
	case errors.Is(err, source.ErrNoCluster):
		return nil, errors.New("--auth=kubernetes: no cluster that could decide: give --auth-kubeconfig FILE, set KUBECONFIG, or run in a pod")
	case err != nil:
		return nil, fmt.Errorf("--auth=kubernetes: %w", err)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("--auth=kubernetes: %w", err)
	}
	host, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("--auth=kubernetes: %w", err)
	}
	auth, err := kubeauth.New(kubeauth.Config{
		Client: client, Host: host.String(), Audiences: f.audiences, StaleWhileUnavailable: f.stale,
		ClientCertificates: f.clientCA != "", Logger: log,
	})
	if err != nil {
		return nil, fmt.Errorf("--auth=kubernetes: %w", err)
	}
	return auth.Wrap, nil
}

// curl returns how to call curl for a try.
func (f *secureFlags) curl() string {
	switch {
	case f.auth == "kubernetes":
		return `curl -sk -H "Authorization: Bearer $TOKEN"`
	case f.cert != "" || f.selfSigned || f.webConfig != "":
		return "curl -sk"
	default:
		return "curl -s"
	}
}
