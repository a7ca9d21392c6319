package cli

import (
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubevitals/kubevitals/internal/rbac"
)

// accountFlags say which account permissions are for, and how they are called.
type accountFlags struct {
	name, namespace string
	account         string // that exists; empty for a new one
}

// add adds the flags; about says more of the namespace.
func (f *accountFlags) add(cmd *cobra.Command, name, about string) {
	flags := cmd.Flags()
	flags.StringVar(&f.name, "name", name, "name of the ServiceAccount, the roles and their bindings")
	flags.StringVar(&f.namespace, "namespace", "kubevitals", "namespace of the ServiceAccount"+about)
	flags.StringVar(&f.account, "service-account", "", "give the permissions to this account of --namespace, which exists, and print none (default a new one called --name)")
}

// check checks the names of what is printed.
func (f *accountFlags) check(cmd *cobra.Command) error {
	if wrong := validation.IsDNS1123Subdomain(f.name); len(wrong) > 0 {
		return fmt.Errorf("--name %q: %s", f.name, wrong[0])
	}
	if wrong := validation.IsDNS1123Label(f.namespace); len(wrong) > 0 {
		return fmt.Errorf("--namespace %q: %s", f.namespace, wrong[0])
	}
	if wrong := validation.IsDNS1123Subdomain(f.account); cmd.Flags().Changed("service-account") && len(wrong) > 0 {
		return fmt.Errorf("--service-account %q: %s", f.account, wrong[0])
	}
	return nil
}

func (f *accountFlags) manifest(about []string, permissions *rbac.Permissions) rbac.Manifest {
	return rbac.Manifest{Name: f.name, Namespace: f.namespace, Account: f.account, About: about, Permissions: permissions}
}
