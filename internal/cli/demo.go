package cli

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubevitals/kubevitals/internal/engine"
	"github.com/kubevitals/kubevitals/internal/rulebook"
	"github.com/kubevitals/kubevitals/internal/source"
	"github.com/kubevitals/kubevitals/internal/store"
	"github.com/kubevitals/kubevitals/operator"
)

//go:embed demo/cluster.yaml
var demoCluster []byte

func newDemo() *cobra.Command {
	var serve serveFlags
	var every time.Duration
	rules := ruleFlags{Config: rulebook.Config{Catalogs: rulebook.DefaultCatalogs}}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it work, without a cluster",
		Long: `Serve the metrics of a sample cluster: a shop with healthy and broken gateways and
routes. One object changes every few seconds, so that the metrics move.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return demo(cmd, &serve, &rules, every) },
	}
	serve.add(cmd)
	cmd.Flags().DurationVar(&every, "every", 5*time.Second, "how often an object changes; 0 for never")
	return cmd
}

func demo(cmd *cobra.Command, serve *serveFlags, rules *ruleFlags, every time.Duration) error {
	log, err := serve.logger(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	set, err := rules.Load(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	objects, err := source.ReadObjects([]string{"-"}, bytes.NewReader(demoCluster))
	if err != nil {
		return fmt.Errorf("reading the sample cluster: %w", err)
	}
	e := &engine.Engine{Set: set, Store: store.New(set, store.Options{Log: log}), Ready: engine.AtOnce}
	files := &source.Files{Set: set, Store: e.Store, Log: log}
	files.Put(objects, 0)
	e.Err = files.Err
	if every > 0 {
		e.Run = demoChanges(cmd.OutOrStdout(), files, objects, every)
	}
	s := newState(e, "A sample cluster", log)
	servers, err := serve.open(cmd.Context(), log, new(stateFlags).cluster)
	if err != nil {
		return err
	}
	s.register(servers)
	demoTour(cmd.OutOrStdout(), servers.url, serve.secure.curl(), len(objects))
	return servers.run(cmd.Context())
}

func demoTour(w io.Writer, url, curl string, objects int) {
	_, _ = fmt.Fprintf(w, `%[1]s

A sample cluster of %[2]d objects is served there; stop with Ctrl-C. What to look at:

  which listeners are broken
    %[3]s %[1]s/metrics | grep -E 'listeners_conditions.*type="(Programmed|ResolvedRefs)"} 0'
  which routes a gateway does not accept, or that lead nowhere
    %[3]s %[1]s/metrics | grep -E 'route_status_parents_conditions.*type="(Accepted|ResolvedRefs)"} 0'
  which routes are attached to nothing, those that no controller has looked at included
    %[3]s %[1]s/metrics | grep -E 'route_parent_attached.* 0$'
  which routes have an AuthPolicy
    %[3]s %[1]s/metrics | grep AuthPolicyAffected
  what is read, and how well
    %[1]s

`, url, objects, curl)
}

// demoChange is something that happens in the sample cluster.
type demoChange struct {
	kind, namespace, name string
	what                  string
	apply                 func(object map[string]any)
}

var demoScript = []demoChange{
	{"HTTPRoute", "payments", "checkout", "its backend is found", setRouteCondition("ResolvedRefs", "True", "ResolvedRefs")},
	{"DNSHealthCheckProbe", "gateway-system", "shop-public-api-203-0-113-11", "is healthy", setHealthy(true)},
	{"HTTPRoute", "shop", "storefront", "is not accepted any more", setRouteCondition("Accepted", "False", "NotAllowedByListeners")},
	{"HTTPRoute", "payments", "checkout", "its backend is gone", setRouteCondition("ResolvedRefs", "False", "BackendNotFound")},
	{"DNSHealthCheckProbe", "gateway-system", "shop-public-api-203-0-113-11", "is not healthy", setHealthy(false)},
	{"HTTPRoute", "shop", "storefront", "is accepted again", setRouteCondition("Accepted", "True", "Accepted")},
}

// demoChanges plays the script over and over.
func demoChanges(w io.Writer, files *source.Files, objects []map[string]any, every time.Duration) operator.TaskFunc {
	return func(ctx context.Context) error {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
			c := demoScript[i%len(demoScript)]
			for _, o := range objects {
				metadata, _ := o["metadata"].(map[string]any)
				if o["kind"] == c.kind && metadata["namespace"] == c.namespace && metadata["name"] == c.name {
					c.apply(o)
				}
			}
			files.Put(objects, 0)
			_, _ = fmt.Fprintf(w, "%s  %s %s/%s: %s\n", time.Now().Format(time.TimeOnly), c.kind, c.namespace, c.name, c.what)
		}
	}
}

// setRouteCondition sets a condition of all parents of a route that have it.
func setRouteCondition(typ, status, reason string) func(map[string]any) {
	return func(object map[string]any) {
		routeStatus, _ := object["status"].(map[string]any)
		parents, _ := routeStatus["parents"].([]any)
		for _, p := range parents {
			parent, _ := p.(map[string]any)
			conditions, _ := parent["conditions"].([]any)
			for _, c := range conditions {
				if condition, ok := c.(map[string]any); ok && condition["type"] == typ {
					condition["status"], condition["reason"] = status, reason
					condition["lastTransitionTime"] = time.Now().UTC().Format(time.RFC3339)
				}
			}
		}
	}
}

func setHealthy(healthy bool) func(map[string]any) {
	return func(object map[string]any) {
		if status, ok := object["status"].(map[string]any); ok {
			status["healthy"] = healthy
		}
	}
}
