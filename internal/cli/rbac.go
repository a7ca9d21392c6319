package cli

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubevitals/kubevitals/internal/rbac"
	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/rulebook"
)

// rbacFlags are the flags of the command rbac: those of the command state, whose
// permissions it prints, and its own.
type rbacFlags struct {
	state     *stateFlags
	account   accountFlags
	crds      []string
	offline   bool
	wildcards bool
	newKinds  bool
	watchCRDs bool
}

func newRBAC() *cobra.Command {
	f := &rbacFlags{state: &stateFlags{}}
	cmd := &cobra.Command{
		Use:   "rbac",
		Short: "Print the least permissions that the command state needs",
		Long: `Print the ServiceAccount, roles and bindings with the least permissions that
"kubevitals state" needs with the same rules and flags, for kubectl apply.

All flags of "kubevitals state" are understood; those that no permission depends
on are not listed. "kubevitals rbac pods" is for the command pods.

How kinds are called in URLs, and which there are for rules that discover them,
comes from the cluster, if there is one, and from --crds. Without either, names
are guessed, and marked so.`,
		Example: `  # for the catalogs, as the current cluster serves their kinds
  kubevitals rbac --auth=kubernetes | kubectl apply -f -

  # for rules of your own, without a cluster
  kubevitals rbac --rules my-rules.yaml --crds crds/ --offline

  # for two namespaces only
  kubevitals rbac --rules my-rules.yaml --namespaces shop,payments

  # for an account that exists, such as that of a Juju charm
  kubevitals rbac --namespace my-model --service-account my-app --name my-app-kubevitals`,
		Args:    cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error { return f.state.ksm.readOptions() },
		RunE:    func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.state.add(cmd)
	cmd.Flags().VisitAll(func(flag *pflag.Flag) { flag.Hidden = flag.Hidden || !slices.Contains(rbacListed, flag.Name) })
	f.add(cmd)
	cmd.AddCommand(newRBACPods())
	return cmd
}

// add adds the flags of its own.
func (f *rbacFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	f.account.add(cmd, "kubevitals", "")
	flags.StringArrayVar(&f.crds, "crds", nil, "file or folder of CustomResourceDefinitions, which say how kinds are called (repeatable)")
	flags.BoolVar(&f.offline, "offline", false, "do not ask a cluster")
	flags.BoolVar(&f.wildcards, "allow-wildcards", false, "grant whole groups where the kinds are not known")
	flags.BoolVar(&f.newKinds, "new-kinds", false, "grant the groups of rules that discover kinds as a whole, so that kinds installed later can be read")
	flags.BoolVar(&f.watchCRDs, "watch-crds", false, "let the account watch CustomResourceDefinitions too, so that new kinds are found at once")
}

// rbacOwn are the flags of the commands rbac themselves.
var rbacOwn = []string{"name", "namespace", "service-account", "crds", "offline", "allow-wildcards", "new-kinds", "watch-crds"}

// rbacListed are the flags of the command state on which permissions depend.
var rbacListed = []string{
	"auth", "auth-kubeconfig", "catalog", "collect", "custom-resource-state-config-file", "enable", "kubeconfig",
	"leader-elect", "leader-elect-name", "leader-elect-namespace", "metric-pipeline", "metric-pipelines",
	"namespaces", "param", "pod", "pod-namespace", "rules", "rules-configmaps", "rules-configmaps-namespaces",
}

func (f *rbacFlags) run(cmd *cobra.Command) error {
	permissions, about, err := f.permissions(cmd)
	if err != nil {
		return err
	}
	m := f.account.manifest(about, permissions)
	_, err = m.WriteTo(cmd.OutOrStdout())
	return err
}

// permissions returns what the flags need, and lines about it.
func (f *rbacFlags) permissions(cmd *cobra.Command) (*rbac.Permissions, []string, error) {
	s := f.state
	if err := f.check(cmd); err != nil {
		return nil, nil, err
	}
	s.rules.Switched = s.pipelines.any()
	rules := s.rules.book(slog.New(slog.DiscardHandler))
	set, err := rules.Begin(cmd.ErrOrStderr())
	if err != nil {
		return nil, nil, err
	}
	if s.pipelines.any() {
		switched, _, err := rules.Catalogs(rulebook.Catalog{Name: kymaCatalog})
		if err != nil {
			return nil, nil, err
		}
		set = cmp.Or(switched, set)
	}
	plan := &rbac.Plan{
		Watch: s.collect == "watch", WatchCRDs: f.watchCRDs && len(s.from) == 0, Wildcards: f.wildcards, NewKinds: f.newKinds,
		Namespaces: s.namespaces, Reviews: s.serve.secure.auth == "kubernetes" && s.serve.secure.kubeconfig == "",
		ConfigMaps: s.rules.configMaps != "", ConfigMapNamespaces: unique(s.configMapNamespaces()),
	}
	about := []string{"Printed by: " + commandLine(cmd)}
	if len(s.from) == 0 {
		plan.Rules = set
		known, err := f.kinds(cmd, plan, rules)
		if err != nil {
			return nil, nil, err
		}
		about = append(about, known...)
	}
	permissions, err := plan.Permissions()
	if err != nil {
		return nil, nil, err
	}
	s.pipelines.allow(permissions)
	s.push.leader.allow(permissions, f.account.namespace, s.sharding.any())
	s.sharding.allow(permissions)
	return permissions, append(about, f.about(plan, permissions)...), nil
}

// check reads the flags as the command state does, and refuses what it refuses.
func (f *rbacFlags) check(cmd *cobra.Command) error {
	s := f.state
	if err := s.ksm.apply(s); err != nil {
		return err
	}
	if s.collect != "watch" && s.collect != "scrape" {
		return fmt.Errorf("--collect %q: expected watch or scrape", s.collect)
	}
	if auth := s.serve.secure.auth; auth != "none" && auth != "kubernetes" {
		return fmt.Errorf("--auth %q: expected none or kubernetes", auth)
	}
	if f.watchCRDs && s.collect != "watch" {
		return errors.New("--watch-crds goes with --collect=watch: a scrape looks for new kinds itself")
	}
	if err := s.push.leader.check(); err != nil {
		return err
	}
	return f.account.check(cmd)
}

// about says what the roles leave out, and why.
func (f *rbacFlags) about(plan *rbac.Plan, permissions *rbac.Permissions) []string {
	places := permissions.Places()
	if len(places) == 0 {
		return []string{"Nothing of a cluster is read: the account needs no role."}
	}
	var out []string
	add := func(when bool, line string) {
		if when {
			out = append(out, line)
		}
	}
	cluster, reads := slices.Contains(places, ""), plan.Rules != nil
	some := reads && len(plan.Namespaces) > 0
	discovers := reads && slices.ContainsFunc(plan.Rules.Requests(), func(r rule.Request) bool { return r.Discovered })
	configMaps := reads && plan.ConfigMaps
	add(reads, "Discovery (/api, /apis) and schemas (/openapi) need no rule: every account has the ClusterRole system:discovery.")
	add(reads && plan.Watch && !plan.WatchCRDs, "Kinds that are installed later are found by polling, or at once with --watch-crds.")
	add(discovers && !f.newKinds && !f.wildcards, "Of kinds that are installed later nothing can be read without new permissions; --new-kinds grants whole groups.")
	add(some && cluster && f.wildcards, "The ClusterRole is for what is outside of namespaces, or not known to be in them.")
	add(some && cluster && !f.wildcards, "The ClusterRole is for what is outside of namespaces.")
	add(some && !cluster, "Nothing outside of the namespaces is needed: there is no ClusterRole.")
	add(configMaps && plan.Cluster, "Rules in ConfigMaps are taken into account as they are at present.")
	add(configMaps && !plan.Cluster, "Rules in ConfigMaps may ask for kinds that are not here: give those files with --rules as well.")
	add(f.state.serve.secure.auth == "kubernetes" && !plan.Reviews, "Reviews are asked for with --auth-kubeconfig, whose account is not this one.")
	return out
}

// commandLine returns how the command was called, with flags in order.
func commandLine(cmd *cobra.Command) string {
	words := []string{cmd.CommandPath()}
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		values := []string{flag.Value.String()}
		if list, ok := flag.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
			if flag.Value.Type() != "stringArray" {
				values = []string{strings.Join(values, ",")}
			}
		}
		for _, value := range values {
			word := "--" + flag.Name + "=" + value
			switch {
			case flag.Value.Type() == "bool" && value == "true":
				word = "--" + flag.Name
			case strings.HasPrefix(flag.Name, "otlp-") || flag.Name == "set" && strings.Contains(strings.ToLower(value), "env"):
				word = "--" + flag.Name + "=…" // it may be secret, and no permission depends on it
			case strings.ContainsAny(value, "\r\n"):
				word = "--" + flag.Name + "=…"
			case strings.ContainsAny(value, " \t'\"\\$`*?[](){}<>|&;!#~"):
				word = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
			}
			words = append(words, word)
		}
	})
	return strings.Join(words, " ")
}
