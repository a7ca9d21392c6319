package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"

	"github.com/kubevitals/kubevitals/internal/pods"
	"github.com/kubevitals/kubevitals/internal/pods/fetch"
	"github.com/kubevitals/kubevitals/internal/pods/watch"
	"github.com/kubevitals/kubevitals/internal/source"
)

func newPodsCommand() *cobra.Command {
	f := new(podsFlags)
	cmd := &cobra.Command{
		Use:   "pods",
		Short: "Serve the metrics of many pods as one exposition",
		Long: `Serve the metrics of many pods as one exposition. A scrape of /metrics asks all
pods at once that have the selected labels and the annotation
prometheus.io/scrape: "true", and merges what they answer, each sample with the
labels k8s_pod_name and k8s_namespace. A pod that fails costs nothing but its own
samples: it has up 0, and scrape_error says why.

Flags count for more than the environment variables of metrics-k8s-proxy, which
are POD_LABEL_SELECTOR, SCRAPE_TIMEOUT, PORT and KUBECONFIG.`,
		Example: `  # all pods of an application, in all namespaces
  kubevitals pods --selector app=ztunnel

  # with permissions in two namespaces only
  kubevitals pods --selector 'tier in (web,api),!canary' --namespaces shop,payments

  # the pods of one node; the args of a DaemonSet have --node-name=$(NODE_NAME)
  kubevitals pods --selector app=web --node-name "$NODE_NAME"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.add(cmd)
	return cmd
}

// podsSettings is what the flags and the environment say, checked.
type podsSettings struct {
	basics
	chosen
	options pods.Options
	client  *fetch.Client
	auth    *podAuth // nil for none
}

// settings reads the flags and the environment. own returns the namespace that
// the command runs in.
func (f *podsFlags) settings(own func() (string, error), log *slog.Logger) (s podsSettings, err error) {
	var errs [4]error
	s.basics, errs[0] = f.environment()
	s.chosen, errs[1] = f.choose.read(f.set, own)
	s.options, errs[2] = f.treat.options(s.timeout, f.choose.labelNames())
	s.client, errs[3] = f.ask.client(hop())
	if err := errors.Join(errs[:]...); err != nil {
		return s, err
	}
	if f.set.Changed("pod-auth") {
		if s.auth, err = newPodAuth(f.ask.auth, log); err != nil {
			return s, err
		}
		s.chosen.options.KeepPodLabels = true
		s.options.Auth = s.auth.find
	}
	s.options.Client, s.options.Log = s.client, log
	f.serve.compressors = compressors()
	f.serve.scrape = s.timeout + s.timeout/10 + time.Second // the SDK keeps some of it to send the answer
	return s, nil
}

// watched returns what is watched of the cluster.
func (f *podsFlags) watched(s *podsSettings, log *slog.Logger) watch.Options {
	return watch.Options{
		Selector: s.selector.String(), FieldSelector: f.choose.fieldSelector, Namespaces: s.namespaces,
		NamespaceSelector: f.choose.namespaceSelector, NodeName: f.choose.node, Target: s.chosen.options,
		StaleAfter: f.choose.stale, Log: log,
	}
}

func (f *podsFlags) run(cmd *cobra.Command) error {
	log, err := f.serve.logger(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	s, err := f.settings(func() (string, error) { return ownNamespace(podNamespaceFile) }, log)
	if err != nil {
		return err
	}
	defer s.client.Close()
	f.limitMemory()
	config, err := f.cluster()
	if err != nil {
		return err
	}
	if f.push.leader.elect && !f.set.Changed("leader-elect-name") && (f.set.Changed("shard") || f.choose.node != "") {
		return errors.New("--leader-elect with --shard or --node-name: replicas that scrape different pods must not exclude each other: give each share a Lease with --leader-elect-name")
	}
	push, err := f.push.prepare(f.cluster, log, false)
	if err != nil {
		return err
	}
	servers, err := f.serve.open(cmd.Context(), log, f.cluster)
	if err != nil {
		return err
	}
	f.ask.warn("/", log)
	self(&s.chosen, servers.ln.Addr())
	p, err := f.newPodsServer(&s, config, log)
	if err != nil {
		return errors.Join(err, servers.close())
	}
	p.register(servers)
	log.Info("Serving", "url", servers.url, "source", p.source)
	if err := push.register(servers, log, nil, processPart); err != nil {
		return errors.Join(err, servers.close())
	}
	told := context.AfterFunc(cmd.Context(), func() { log.Info("Stopping: what is being answered is answered first") })
	defer told()
	if err := servers.run(cmd.Context()); err != nil {
		return err
	}
	log.Info("Stopped")
	return nil
}

// besideBudget is what the process needs besides --budget.
const besideBudget = 32 << 20

// garbage is how much of the memory may be garbage, in percent of what is in use.
// That is nearly all bodies, which have no pointers: collecting costs next to
// nothing, and is paid for by memory that is used again.
const garbage = 10

// limitMemory has garbage collected in time. Bodies that pods have sent would
// otherwise take twice their budget, as memory is used again only when as much
// has become garbage as is in use. GOGC and GOMEMLIMIT count for more.
func (f *podsFlags) limitMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(f.ask.budget) + besideBudget)
	}
}

// cluster returns the configuration of the cluster that the flags name.
func (f *podsFlags) cluster() (*rest.Config, error) {
	config, err := clusterConfig(f.kubeconfig)
	if errors.Is(err, source.ErrNoCluster) {
		return nil, errors.New("there is no cluster whose pods could be scraped: give --kubeconfig FILE, set KUBECONFIG, or run in a pod")
	}
	return config, err
}

// self makes targets that are this process itself known, which would be a loop.
func self(c *chosen, addr net.Addr) {
	local, ok := addr.(*net.TCPAddr)
	if !ok {
		return
	}
	c.options.SelfPort = uint16(local.Port)
	if !local.IP.IsUnspecified() {
		c.options.SelfAddrs = addrsOf([]net.Addr{local})
		return
	}
	all, err := net.InterfaceAddrs()
	if err == nil {
		c.options.SelfAddrs = addrsOf(all)
	}
}

func addrsOf(all []net.Addr) (out []netip.Addr) {
	for _, addr := range all {
		var ip net.IP
		switch addr := addr.(type) {
		case *net.IPNet:
			ip = addr.IP
		case *net.TCPAddr:
			ip = addr.IP
		}
		if a, ok := netip.AddrFromSlice(ip); ok {
			out = append(out, a.Unmap())
		}
	}
	return out
}

// hop is what this process is called among proxies: no other is called so.
func hop() string { return "kubevitals-" + rand.Text() }

// aboutPods gives the metrics about scraping pods.
const aboutPods = "pods_about"

// podsPart is the name of the part that has the families of pods.
const podsPart = "pods"

// processPart is the name of the source of go_* and process_*.
const processPart = "process"

// podsServer is the command pods at work.
type podsServer struct {
	log     *slog.Logger
	source  string
	part    *pods.Pods
	watcher *watch.Watcher
	auth    *podAuth
}

// newPodsServer puts together what the settings say.
func (f *podsFlags) newPodsServer(s *podsSettings, config *rest.Config, log *slog.Logger) (*podsServer, error) {
	watcher, err := watch.New(config, f.watched(s, log))
	if err != nil {
		return nil, err
	}
	s.options.Targets = watcher.Targets
	return &podsServer{log: log, source: f.title(s, config.Host), part: pods.New(s.options), watcher: watcher, auth: s.auth}, nil
}

// run watches until the context ends.
func (p *podsServer) run(ctx context.Context) error { return p.watcher.Run(ctx) }
