package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"

	"github.com/kubevitals/kubevitals/internal/rbac"
	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/rulebook"
	"github.com/kubevitals/kubevitals/internal/source"
	"github.com/kubevitals/kubevitals/internal/store"
)

// kinds fills in what is known to be served, and says where that is known from.
func (f *rbacFlags) kinds(cmd *cobra.Command, plan *rbac.Plan, rules *rulebook.Book) (about []string, err error) {
	if !f.offline {
		about, err = f.ask(cmd, plan, rules)
		if err != nil {
			return nil, err
		}
	}
	defined, err := source.CRDSchemas(f.crds)
	switch {
	case err != nil:
		return nil, fmt.Errorf("--crds: %w", err)
	case len(f.crds) > 0 && len(defined) == 0:
		return nil, fmt.Errorf("--crds: %s: there is no CustomResourceDefinition", strings.Join(f.crds, ", "))
	}
	served := slices.Clip(plan.Kinds)
	for i := range defined {
		k := rbac.Kind{Served: defined[i].Served, Resource: defined[i].Resource, Watchable: true}
		if !slices.ContainsFunc(served, func(o rbac.Kind) bool { return o.Group == k.Group && o.Kind == k.Kind }) {
			plan.Kinds = append(plan.Kinds, k)
		}
	}
	finds := func(r rule.Request) bool { return r.Discovered || r.GVK.Kind == "*" }
	if len(f.crds) > 0 && !plan.Cluster && slices.ContainsFunc(plan.Rules.Requests(), finds) {
		about = append(about, "Kinds that rules do not name are those of --crds.")
	}
	return about, nil
}

// ask asks the cluster that the flags name, or else one that is found and
// answers.
func (f *rbacFlags) ask(cmd *cobra.Command, plan *rbac.Plan, rules *rulebook.Book) ([]string, error) {
	s := f.state
	named := s.kubeconfig != "" || s.apiserver != ""
	config, err := s.cluster()
	if errors.Is(err, source.ErrNoCluster) {
		return nil, nil
	}
	if err == nil && plan.ConfigMaps {
		plan.Rules, err = f.withConfigMaps(cmd, config, plan, rules)
	}
	if err == nil {
		err = askCluster(cmd.Context(), config, plan)
	}
	switch {
	case err == nil:
		return []string{"Kinds are those that the cluster " + config.Host + " serves at present."}, nil
	case named:
		return nil, fmt.Errorf("%w (--offline does without the cluster)", err)
	}
	_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "warning: going on without a cluster: %v\n", err)
	return nil, nil
}

// patience is how long a cluster may take to answer.
const patience = 15 * time.Second

// withConfigMaps returns the rules with those of the cluster's ConfigMaps. Those
// that are refused, which would not be used, are warned of.
func (f *rbacFlags) withConfigMaps(cmd *cobra.Command, config *rest.Config, plan *rbac.Plan, rules *rulebook.Book) (*rule.Set, error) {
	configMaps, err := source.NewConfigMaps(config, f.state.rules.configMaps, plan.ConfigMapNamespaces, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), patience)
	defer cancel()
	set := plan.Rules
	err = configMaps.Watch(ctx, func(all []source.ConfigMap) {
		defer cancel()
		changed, verdicts := rules.ConfigMaps(unitsOf(all))
		for _, v := range verdicts {
			if v.Err != nil {
				_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "warning: the rules of %s are refused and left out: %v\n", v.About(), v.Err)
			}
		}
		if changed != nil {
			set = changed
		}
	})
	return set, errors.Join(err, configMaps.Synced(ctx))
}

// askCluster fills in what a cluster serves, and what its objects refer to where
// they decide about that.
func askCluster(ctx context.Context, config *rest.Config, plan *rbac.Plan) error {
	log := slog.New(slog.DiscardHandler)
	st := store.New(plan.Rules, store.Options{Log: log})
	cluster, err := source.NewCluster(source.ClusterConfig{
		REST: config, Set: plan.Rules, Store: st, Log: log, Namespaces: plan.Namespaces,
	})
	if err != nil {
		return err
	}
	if slices.ContainsFunc(plan.Rules.Requests(), func(r rule.Request) bool { return r.Lookup && (r.GVK == rule.GVK{} || r.GVK.Kind == "*") }) {
		// What an object refers to may refer to more.
		for before := -1; before < len(plan.LookedUp); {
			before = len(plan.LookedUp)
			cluster.Scrape(ctx)
			plan.LookedUp = st.Wanted()
		}
	}
	served, err := cluster.Served(ctx)
	if err != nil {
		return err
	}
	for _, k := range st.Status() {
		if k.Err != "" {
			return fmt.Errorf("objects decide about permissions, and those of %s cannot be read: %s", k.GVK, k.Err)
		}
	}
	plan.Cluster = true
	for _, k := range served {
		plan.Kinds = append(plan.Kinds, rbac.Kind{Served: k.Served, Resource: k.Resource, Watchable: k.Watchable})
	}
	return nil
}
