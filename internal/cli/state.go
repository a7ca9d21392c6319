package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"

	"github.com/kubevitals/kubevitals/internal/source"
)

// stateFlags are the flags of the command state.
type stateFlags struct {
	serve      serveFlags
	rules      ruleFlags
	push       pushFlags
	pipelines  pipelineFlags
	changed    listeners
	kubeconfig string
	collect    string
	cache      time.Duration
	poll       time.Duration
	pollGiven  bool
	from       []string

	ksm                            ksmFlags
	sharding                       shardFlags
	namespaces, namespacesDenylist []string // sorted; one of them at most
	apiserver                      string
	apiserverCache                 bool
}

// newStateCommand returns the command, or the one that stands in for kube-state-metrics.
func newStateCommand(compat bool) *cobra.Command {
	f := &stateFlags{ksm: ksmFlags{compat: compat}}
	cmd := &cobra.Command{
		Use:   "state",
		Short: "Serve the state of Kubernetes resources as metrics",
		Long: `Serve the state of Kubernetes resources as metrics, by declarative rules.

Objects come from the cluster of your kubeconfig, or of the pod this runs in.
By default they are watched: a scrape costs the API server nothing and is as
new as the watch. With --collect=scrape nothing is asked between scrapes, and each scrape
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
	f.rules.addConfigMaps(cmd)
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
	cmd.MarkFlagsMutuallyExclusive("from", "rules-configmaps")
	f.ksm.add(cmd)
	f.push.add(cmd, "kubevitals-state")
	f.pipelines.add(cmd)
}

func (f *stateFlags) run(cmd *cobra.Command) error {
	if err := f.ksm.apply(f); err != nil {
		return err
	}
	f.pollGiven = cmd.Flags().Changed("discovery-interval")
	log, err := f.serve.logger(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	for _, w := range f.ksm.warnings {
		log.Warn("Flag of kube-state-metrics", "flag", "--"+w.flag, "hint", w.text)
	}
	s, err := f.prepare(cmd, log)
	if err != nil {
		return err
	}
	if f.sharding.any() { // each shard pushes its part: they must not exclude each other
		f.push.leader.name = fmt.Sprintf("%s-shard-%d", f.push.leader.name, s.shards.now().Index)
	}
	push, err := f.push.prepare(f.cluster, log, f.pipelines.any())
	if err != nil {
		return err
	}
	others, err := f.push.otlp.others(os.Getenv, log)
	if err != nil && f.pipelines.any() {
		return err
	}
	lines, err := f.pipelines.prepare(f.cluster, others, push.leader, s.shards.now().Index == 0, log)
	if err != nil {
		return err
	}
	servers, err := f.serve.open(cmd.Context(), log, f.cluster)
	if err != nil {
		return err
	}
	s.register(servers)
	if lines != nil {
		lines.register(servers, s)
	}
	log.Info("Serving", "url", servers.url, "source", s.title)
	if servers.telemetry != nil {
		log.Info("Serving metrics of Kubevitals itself", "telemetry", servers.telemetryURL)
	}
	if err := push.register(servers, log, s); err != nil {
		return errors.Join(err, servers.close())
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

// prepare loads the rules and makes the part.
func (f *stateFlags) prepare(cmd *cobra.Command, log *slog.Logger) (*state, error) {
	f.rules.Switched = f.pipelines.any()
	rules := f.rules.book(log)
	set, err := rules.Begin(cmd.ErrOrStderr())
	if err != nil {
		return nil, err
	}
	if f.rules.Keep != nil && len(set.Families()) == 0 {
		log.Warn("No family is left to serve by --metric-allowlist or --metric-denylist")
	}
	shards, err := f.shards(cmd.Context(), log)
	if err != nil {
		return nil, err
	}
	build, title, err := f.builder(cmd.InOrStdin(), shards.now, log)
	if err != nil {
		return nil, err
	}
	first, err := build(set)
	if err != nil {
		return nil, err
	}
	s := newState(first, title, log)
	s.listeners = &f.changed
	s.build, s.rules, s.shards = build, rules, shards
	switch {
	case f.rules.configMaps != "":
	case len(f.rules.configMapNamespaces) > 0:
		return nil, errors.New("--rules-configmaps-namespaces goes with --rules-configmaps: say which ConfigMaps")
	default:
		return s, nil
	}
	config, err := f.cluster()
	if err != nil {
		return nil, fmt.Errorf("--rules-configmaps: %w", err)
	}
	s.configMaps, err = source.NewConfigMaps(config, f.rules.configMaps, f.configMapNamespaces(), log)
	return s, err
}

// configMapNamespaces returns the namespaces whose ConfigMaps are read, none for
// all.
func (f *stateFlags) configMapNamespaces() []string {
	if len(f.rules.configMapNamespaces) > 0 {
		return f.rules.configMapNamespaces
	}
	return f.namespaces
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
