package cli

import (
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubevitals/kubevitals/internal/pods/watch"
	"github.com/kubevitals/kubevitals/internal/rbac"
)

// rbacPodsFlags are the flags of the command rbac pods: those of the command
// pods, whose permissions it prints, and its own.
type rbacPodsFlags struct {
	pods    *podsFlags
	account accountFlags
}

func newRBACPods() *cobra.Command {
	f := &rbacPodsFlags{pods: new(podsFlags)}
	cmd := &cobra.Command{
		Use:   "pods",
		Short: "Print the least permissions that the command pods needs",
		Long: `Print the ServiceAccount, roles and bindings with the least permissions that
"kubevitals pods" needs with the same flags, for kubectl apply: to list and watch
pods, in the namespaces of the flags or else in all.

All flags of "kubevitals pods" are understood; those that no permission depends on
are not listed. No cluster is asked.`,
		Example: `  # pods of all namespaces, and readers that RBAC allows
  kubevitals rbac pods --auth=kubernetes | kubectl apply -f -

  # pods of two namespaces: a Role in each, and no ClusterRole
  kubevitals rbac pods --namespaces shop,payments

  # permissions for an account that exists, such as that of a Juju charm
  kubevitals rbac pods --namespaces my-model --namespace my-model --service-account my-app --name my-app-metrics-proxy`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.pods.add(cmd)
	cmd.Flags().VisitAll(func(flag *pflag.Flag) { flag.Hidden = !slices.Contains(rbacPodsListed, flag.Name) })
	f.account.add(cmd, "kubevitals-pods", ", which is that of --own-namespace")
	return cmd
}

// rbacPodsListed are the flags of the command pods on which permissions depend.
var rbacPodsListed = []string{"auth", "auth-kubeconfig", "leader-elect", "leader-elect-name", "leader-elect-namespace", "namespaces", "namespace-selector", "own-namespace"}

func (f *rbacPodsFlags) run(cmd *cobra.Command) error {
	permissions, about, err := f.permissions(cmd)
	if err != nil {
		return err
	}
	m := f.account.manifest(about, permissions)
	_, err = m.WriteTo(cmd.OutOrStdout())
	return err
}

// permissions returns what the flags need, and lines about it.
func (f *rbacPodsFlags) permissions(cmd *cobra.Command) (*rbac.Permissions, []string, error) {
	if err := f.account.check(cmd); err != nil {
		return nil, nil, err
	}
	p := f.pods
	secure := &p.serve.secure
	if err := oneOf("auth", secure.auth, "none", "kubernetes"); err != nil {
		return nil, nil, err
	}
	if err := p.push.leader.check(); err != nil {
		return nil, nil, err
	}
	chosen, err := p.choose.read(p.set, func() (string, error) { return f.account.namespace, nil })
	if err != nil {
		return nil, nil, err
	}
	permissions := new(rbac.Permissions)
	for _, rule := range watch.Permissions(watch.Options{Namespaces: chosen.namespaces, NamespaceSelector: p.choose.namespaceSelector}) {
		allow(permissions, rule)
	}
	p.push.leader.allow(permissions, f.account.namespace, false)
	about := []string{"Printed by: " + commandLine(cmd)}
	switch {
	case len(chosen.namespaces) == 0:
	case p.choose.namespaceSelector == "" && (secure.auth == "none" || secure.kubeconfig != ""):
		about = append(about, "Nothing outside of the namespaces is needed: there is no ClusterRole.")
	default:
		about = append(about, "The ClusterRole is for what is outside of namespaces.")
	}
	switch {
	case secure.auth == "kubernetes" && secure.kubeconfig == "":
		permissions.AllowReviews()
	case secure.auth == "kubernetes":
		about = append(about, "Reviews are asked for with --auth-kubeconfig, whose account is not this one.")
	}
	return permissions, about, nil
}

// allow adds what a watcher needs.
func allow(to *rbac.Permissions, rule watch.Rule) {
	var places []string
	if rule.Namespace != "" {
		places = []string{rule.Namespace}
	}
	why := map[string]string{"pods": "the targets", "namespaces": "--namespace-selector"}
	for _, group := range rule.APIGroups {
		for _, resource := range rule.Resources {
			to.Allow(rbac.Permission{Group: group, Resource: resource, Verbs: rule.Verbs, Why: why[resource]}, places...)
		}
	}
}
