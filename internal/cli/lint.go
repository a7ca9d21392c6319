package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubevitals/kubevitals/internal/lint"
	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/rulebook"
	"github.com/kubevitals/kubevitals/internal/source"
	"github.com/kubevitals/kubevitals/internal/store"
)

// lintFlags are the flags of the command lint.
type lintFlags struct {
	rules      ruleFlags
	crds       []string
	cluster    bool
	kubeconfig string
	strict     bool
	series     bool
	format     string
}

func newLint() *cobra.Command {
	f := &lintFlags{rules: ruleFlags{Config: rulebook.Config{NoDefaults: true}}}
	cmd := &cobra.Command{
		Use:   "lint [FILE|DIR...]",
		Short: "Check rules: errors, fields that do not exist, risky metrics",
		Long: `Check rules, and tell all that is wrong at once. The exit code is 1 if there is an
error, or with --strict a warning. Opt-in groups are checked as well.

With --crds or --cluster, the fields that rules read are looked up in the schemas
of the kinds, so that a path that leads nowhere is found before it is deployed.
docs/linting.md lists what is checked.`,
		Example: `  kubevitals lint --crds crds/ my-rules.yaml

  # in a workflow of GitHub, with annotations
  kubevitals lint --strict --format github rules/

  # how many series an object gives, by the schemas of a cluster
  kubevitals lint --cluster --series --catalog gateway-api`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.rules.add(cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&f.crds, "crds", nil, "file or folder of CustomResourceDefinitions to look fields up in (repeatable)")
	flags.BoolVar(&f.cluster, "cluster", false, "look fields up in the schemas of the cluster")
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig file for --cluster (default $KUBECONFIG, ~/.kube/config, or the pod's ServiceAccount)")
	flags.BoolVar(&f.strict, "strict", false, "fail on warnings, too")
	flags.BoolVar(&f.series, "series", false, "print how many series each metric gives for an object")
	flags.StringVar(&f.format, "format", "text", "how to print: text, json or github (annotations of GitHub Actions)")
	fixedValues(cmd, "format", "text", "json", "github")
	flags.Lookup("catalog").Usage = "built-in rules to check"
	flags.Lookup("enable").Usage = "opt-in groups that must exist; all groups are checked"
	return cmd
}

func (f *lintFlags) run(cmd *cobra.Command, args []string) error {
	write, ok := lintFormats[f.format]
	switch {
	case !ok:
		return fmt.Errorf("--format %q: expected text, json or github", f.format)
	case f.kubeconfig != "" && !f.cluster:
		return errors.New("--kubeconfig goes with --cluster")
	}
	f.rules.Paths = slices.Concat(args, f.rules.Paths)
	if len(f.rules.Paths)+len(f.rules.Catalogs) == 0 && f.rules.Legacy == "" {
		return errors.New("lint needs rules: name files or folders, or give --rules, --catalog or --custom-resource-state-config-file")
	}
	rules, err := f.rules.Survey()
	if err != nil {
		return err
	}
	opts := lint.Options{Fields: len(f.crds) > 0 || f.cluster, Series: f.series}
	if rules.Set != nil {
		if opts.Kinds, err = f.kinds(cmd.Context(), rules.Set); err != nil {
			return err
		}
	}
	report := lint.Check(rules, opts)
	if err := write(report, cmd.OutOrStdout()); err != nil {
		return err
	}
	switch {
	case report.Errors() > 0, f.strict && report.Warnings() > 0:
		return errors.New(report.Counts())
	case f.format == "text":
		_, err = fmt.Fprintln(cmd.OutOrStdout(), "ok   ", report.Counts())
	}
	return err
}

// lintFormats write reports.
var lintFormats = map[string]func(*lint.Report, io.Writer) error{
	"text": (*lint.Report).WriteText, "json": (*lint.Report).WriteJSON, "github": (*lint.Report).WriteGitHub,
}

// clusterLimit is how long the schemas of a cluster may take.
const clusterLimit = 2 * time.Minute

// kinds returns the kinds whose schemas the flags give. One of --crds goes before
// the same of a cluster.
func (f *lintFlags) kinds(ctx context.Context, set *rule.Set) ([]lint.Kind, error) {
	defined, err := source.CRDSchemas(f.crds)
	if err != nil {
		return nil, fmt.Errorf("--crds: %w", err)
	}
	var kinds []lint.Kind
	for _, k := range defined {
		kinds = append(kinds, lint.Kind{Served: k.Served, Schema: k.Schema})
	}
	if !f.cluster {
		return kinds, nil
	}
	served, err := f.clusterSchemas(ctx, set)
	if err != nil {
		return nil, fmt.Errorf("--cluster: %w", err)
	}
	for _, k := range served {
		if !slices.ContainsFunc(defined, func(o source.KindSchema) bool { return o.Group == k.Group && o.Kind == k.Kind }) {
			kinds = append(kinds, lint.Kind{Served: k.Served, Schema: k.Schema})
		}
	}
	return kinds, nil
}

// clusterSchemas returns the kinds that a cluster serves, of the groups that
// rules are about.
func (f *lintFlags) clusterSchemas(ctx context.Context, set *rule.Set) ([]source.KindSchema, error) {
	config, err := clusterConfig(f.kubeconfig)
	if err != nil {
		return nil, err
	}
	cluster, err := source.NewCluster(source.ClusterConfig{
		REST: config, Set: set, Store: store.New(set, store.Options{}), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	readings := set.Readings()
	ctx, cancel := context.WithTimeout(ctx, clusterLimit)
	defer cancel()
	return cluster.Schemas(ctx, func(group string) bool {
		return slices.ContainsFunc(readings, func(r rule.Reading) bool { return r.Discovered || r.GVK.Group == group })
	})
}
