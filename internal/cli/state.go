package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/source"
	"github.com/kubevitals/kubevitals/internal/store"
	"github.com/kubevitals/kubevitals/internal/web"
	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// stateFlags are the flags of the command state.
type stateFlags struct {
	serve      serveFlags
	rules      ruleFlags
	kubeconfig string
	collect    string
	cache      time.Duration
	poll       time.Duration
	from       []string

	ksm                            ksmFlags
	namespaces, namespacesDenylist []string // sorted; one of them at most
	apiserver                      string
	apiserverCache                 bool
}

// newState returns the command, or the one that stands in for kube-state-metrics.
func newState(compat bool) *cobra.Command {
	f := &stateFlags{ksm: ksmFlags{compat: compat}}
	cmd := &cobra.Command{
		Use:   "state",
		Short: "Serve the state of Kubernetes resources as metrics",
		Long: `Serve the state of Kubernetes resources as metrics, by declarative rules.

Objects come from the cluster of your kubeconfig, or of the pod this runs in.
By default they are watched: a scrape costs the API server nothing and is never
stale. With --collect=scrape nothing is asked between scrapes, and each scrape
lists every kind once.

The flags of kube-state-metrics that are not listed are understood as well; see
docs/kube-state-metrics.md.`,
		Example: `  # every Gateway API and Kuadrant object of the current cluster
  kubevitals state

  # rules of your own, and those of kube-state-metrics you already have
  kubevitals state --rules my-rules.yaml --custom-resource-state-config-file crs.yaml

  # no cluster: what somebody dumped
  kubectl get gateways,httproutes -A -o yaml | kubevitals state --from -`,
		Args:    cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error { return f.ksm.readOptions() },
		RunE:    func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.add(cmd)
	return cmd
}

// add adds the flags to a command.
func (f *stateFlags) add(cmd *cobra.Command) {
	f.serve.add(cmd)
	f.rules.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig file (default $KUBECONFIG, ~/.kube/config, or the pod's ServiceAccount)")
	flags.StringVar(&f.collect, "collect", "watch", "how to read the cluster: watch, or scrape to list during scrapes only")
	flags.DurationVar(&f.cache, "scrape-cache", 0, "with --collect=scrape, how long to serve the last answer (default 0s: each scrape asks anew)")
	flags.DurationVar(&f.poll, "discovery-interval", 10*time.Second, "with --collect=watch, how often to ask which kinds the cluster serves")
	flags.StringArrayVar(&f.from, "from", nil, "read objects from a file, a folder or - (stdin) instead of a cluster (repeatable)")
	fixedValues(cmd, "collect", "watch", "scrape")
	cmd.MarkFlagsMutuallyExclusive("from", "kubeconfig")
	cmd.MarkFlagsMutuallyExclusive("from", "collect")
	cmd.MarkFlagsMutuallyExclusive("from", "scrape-cache")
	cmd.MarkFlagsMutuallyExclusive("from", "discovery-interval")
	f.ksm.add(cmd)
}

func (f *stateFlags) run(cmd *cobra.Command) error {
	if err := f.ksm.apply(f); err != nil {
		return err
	}
	log, err := f.serve.logger(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	for _, w := range f.ksm.warnings {
		log.Warn("Flag of kube-state-metrics", "flag", "--"+w.flag, "hint", w.text)
	}
	set, err := f.rules.load(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	if f.rules.keep != nil && len(set.Families()) == 0 {
		log.Warn("No family is left to serve by --metric-allowlist or --metric-denylist")
	}
	s := &state{set: set, store: store.New(set, store.Options{Log: log}), log: log}
	if len(f.from) > 0 {
		err = s.readFiles(&source.Files{
			Paths: f.from, Stdin: cmd.InOrStdin(), Set: set, Store: s.store, Log: log,
			Namespaces: f.namespaces, NamespacesDenylist: f.namespacesDenylist,
		})
	} else {
		err = s.readCluster(f)
	}
	if err != nil {
		return err
	}
	servers, err := f.serve.open(cmd.Context(), log, f.cluster)
	if err != nil {
		return err
	}
	s.register(servers)
	log.Info("Serving", "url", servers.url, "source", s.title)
	if servers.telemetry != nil {
		log.Info("Serving metrics of Kubevitals itself", "telemetry", servers.telemetryURL)
	}
	ctx, cancel := untilAppears(cmd.Context(), f.ksm.missing)
	defer cancel()
	err = servers.run(ctx)
	if err == nil && errors.Is(context.Cause(ctx), errAppeared) {
		log.Info("Starting anew", "because", errAppeared)
		return errAppeared
	}
	return err
}

// state is the state part: a store, where its objects come from, and what is
// known about that.
type state struct {
	set     *rule.Set
	store   *store.Store
	log     *slog.Logger
	title   string // of the source
	before  func(context.Context)
	daemon  operator.TaskFunc
	ready   operator.CheckFunc
	err     func() error // why the source does not answer
	collect []operator.CollectorFunc
}

// cluster returns the configuration of the cluster that the flags name.
func (f *stateFlags) cluster() (*rest.Config, error) {
	config, err := clusterConfig(f.kubeconfig)
	switch {
	case f.apiserver == "":
	case errors.Is(err, source.ErrNoCluster):
		return &rest.Config{Host: f.apiserver, UserAgent: userAgent()}, nil
	case err == nil:
		config.Host = f.apiserver
	}
	return config, err
}

func userAgent() string { return "kubevitals/" + currentVersion() }

// clusterConfig returns the configuration of the cluster to talk to.
func clusterConfig(kubeconfig string) (*rest.Config, error) {
	config, err := source.Config(kubeconfig)
	if err != nil {
		return nil, err
	}
	config.UserAgent = userAgent()
	return config, nil
}

func (s *state) readFiles(f *source.Files) error {
	if err := f.Load(); err != nil {
		if len(s.store.Status()) == 0 {
			return fmt.Errorf("--from: %w", err)
		}
		s.log.Error("Some objects cannot be read", "err", err)
	}
	s.title = "Objects from files"
	s.daemon, s.err = f.Watch, f.Err
	s.ready = func(context.Context) error { return nil }
	return nil
}

func (s *state) readCluster(f *stateFlags) error {
	if f.collect != "watch" && f.collect != "scrape" {
		return fmt.Errorf("--collect %q: expected watch or scrape", f.collect)
	}
	if f.cache != 0 && f.collect != "scrape" {
		return errors.New("--scrape-cache goes with --collect=scrape: a watched cluster is never stale")
	}
	config, err := f.cluster()
	switch {
	case errors.Is(err, source.ErrNoCluster):
		return fmt.Errorf("%w: give --kubeconfig FILE, set KUBECONFIG, run in a pod, or read objects with --from FILE", err)
	case err != nil:
		return err
	}
	cluster, err := source.NewCluster(source.ClusterConfig{
		REST: config, Set: s.set, Store: s.store, Log: s.log, Poll: f.poll, Cache: f.cache,
		Namespaces: f.namespaces, NamespacesDenylist: f.namespacesDenylist, APIServerCache: f.apiserverCache,
	})
	if err != nil {
		return err
	}
	s.err = cluster.Err
	s.collect = append(s.collect, cluster.CollectRequests)
	if f.collect == "scrape" {
		s.title = "Objects of " + config.Host + ", listed during scrapes"
		s.before, s.daemon, s.ready = cluster.Scrape, cluster.Discover, cluster.Discovered
	} else {
		s.title = "Objects of " + config.Host + ", watched"
		s.daemon, s.ready = cluster.Watch, cluster.Listed
	}
	return nil
}

// register hangs the part on the servers.
func (s *state) register(to *servers) {
	part := store.Part{Store: s.store, Before: s.before}
	about := slices.Concat([]operator.CollectorFunc{s.store.Collect, s.up}, s.collect)
	if to.telemetry == nil {
		part.About = about
	} else {
		to.op.Collect("state_about", together(about))
	}
	to.op.AddPart(statePart, part, operator.AnyFormat())
	if s.daemon != nil {
		to.op.Daemon("state", s.daemon)
	}
	to.each(func(op *operator.Operator) {
		op.Check(operator.Ready, "state", s.ready)
		op.Handle("GET /{$}", web.Index(s.log, s.page))
	})
}

// together makes one collector of several.
func together(collectors []operator.CollectorFunc) operator.CollectorFunc {
	return func(ctx context.Context, emit func(operator.Metric)) error {
		for _, collect := range collectors {
			if err := collect(ctx, emit); err != nil {
				return err
			}
		}
		return nil
	}
}

// up gives gateway_metrics_up, which the RFC of the Gateway API exporter asks
// for, and the state of the source.
func (s *state) up(_ context.Context, emit func(operator.Metric)) error {
	sourceUp := s.err() == nil
	gatewayUp, asked := sourceUp, false
	for _, k := range s.store.Status() {
		if slices.ContainsFunc(defaultCatalogs, func(name string) bool { return slices.Contains(k.Documents, name) }) {
			gatewayUp = gatewayUp && k.Up()
		}
	}
	for _, name := range s.set.Documents() {
		asked = asked || slices.Contains(defaultCatalogs, name)
	}
	gauge := func(name, help string, up bool) {
		m := operator.Metric{Name: name, Help: help, Type: metric.Gauge}
		if up {
			m.Value = 1
		}
		emit(m)
	}
	gauge("kubevitals_state_source_up", "Whether the cluster or the files could be read when last tried.", sourceUp)
	if asked {
		gauge("gateway_metrics_up", "Whether every installed kind of the Gateway API and Kuadrant catalogs could be read.", gatewayUp)
	}
	return nil
}

func (s *state) page() web.Page {
	p := web.Page{
		Title: "state", Version: currentVersion(), Source: s.title, Kinds: s.store.Status(),
		Links: []web.Link{
			{Path: "/metrics", Text: "what Prometheus scrapes"},
			{Path: "/readyz?verbose", Text: "whether every kind has been read"},
			{Path: "/livez?verbose", Text: "whether the process works"},
		},
	}
	if err := s.err(); err != nil {
		p.Err = err.Error()
	}
	return p
}
