package cli

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubevitals/kubevitals/internal/pods/watch"
	"github.com/kubevitals/kubevitals/internal/rbac"
)

// rbacPodsFlags are the flags of the command rbac pods: those of the command
// pods, whose permissions it prints, and its own.
type rbacPodsFlags struct {
	pods            *podsFlags
	name, namespace string
	account         string
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
	f.add(cmd)
	cmd.Flags().StringVar(&f.account, "service-account", "", "give the permissions to this account of --namespace, which exists, and print none (default a new one called --name)")
	return cmd
}

// add adds the flags of its own that other commands have as well.
func (f *rbacPodsFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.name, "name", "kubevitals-pods", "name of the ServiceAccount, the roles and their bindings")
	flags.StringVar(&f.namespace, "namespace", "kubevitals", "namespace of the ServiceAccount, which is that of --own-namespace")
}

// rbacPodsListed are the flags of the command pods on which permissions depend.
var rbacPodsListed = []string{"auth", "auth-kubeconfig", "leader-elect", "leader-elect-namespace", "namespaces", "namespace-selector", "own-namespace"}

func (f *rbacPodsFlags) run(cmd *cobra.Command) error {
	if wrong := validation.IsDNS1123Subdomain(f.account); cmd.Flags().Changed("service-account") && len(wrong) > 0 {
		return fmt.Errorf("--service-account %q: %s", f.account, wrong[0])
	}
	permissions, about, err := f.permissions(cmd)
	if err != nil {
		return err
	}
	m := rbac.Manifest{Name: f.name, Namespace: f.namespace, Account: f.account, About: about, Permissions: permissions}
	_, err = m.WriteTo(cmd.OutOrStdout())
	return err
}

// permissions returns what the flags need, and lines about it.
func (f *rbacPodsFlags) permissions(cmd *cobra.Command) (*rbac.Permissions, []string, error) {
	if err := checkAccount(f.name, f.namespace); err != nil {
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
	chosen, err := p.choose.read(p.set, func() (string, error) { return f.namespace, nil })
	if err != nil {
		return nil, nil, err
	}
	permissions := new(rbac.Permissions)
	for _, rule := range watch.Permissions(watch.Options{Namespaces: chosen.namespaces, NamespaceSelector: p.choose.namespaceSelector}) {
		allow(permissions, rule)
	}
	p.push.leader.allow(permissions, f.namespace)
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

// checkAccount checks the names of what is printed.
func checkAccount(name, namespace string) error {
	if wrong := validation.IsDNS1123Subdomain(name); len(wrong) > 0 {
		return fmt.Errorf("--name %q: %s", name, wrong[0])
	}
	if wrong := validation.IsDNS1123Label(namespace); len(wrong) > 0 {
		return fmt.Errorf("--namespace %q: %s", namespace, wrong[0])
	}
	return nil
}
