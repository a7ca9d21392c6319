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

	"github.com/kubevitals/kubevitals/internal/rule"
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
	f := &lintFlags{rules: ruleFlags{noDefaults: true}}
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
		RunE: func(cmd *cobra.Command, args []string) error { return f.lint(cmd, args) },
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

func (f *lintFlags) lint(cmd *cobra.Command, args []string) error {
	write, ok := lintFormats[f.format]
	switch {
	case !ok:
		return fmt.Errorf("--format %q: expected text, json or github", f.format)
	case f.kubeconfig != "" && !f.cluster:
		return errors.New("--kubeconfig goes with --cluster")
	}
	f.rules.files = slices.Concat(args, f.rules.files)
	if len(f.rules.files)+len(f.rules.catalogs) == 0 && f.rules.legacy == "" {
		return errors.New("lint needs rules: name files or folders, or give --rules, --catalog or --custom-resource-state-config-file")
	}
	l := &linter{}
	if err := l.load(f.rules); err != nil {
		return err
	}
	l.checkText()
	if l.set != nil {
		readings := l.set.Readings()
		kinds, err := f.kinds(cmd.Context(), l.set, readings)
		if err != nil {
			return err
		}
		l.checkMetrics(readings)
		if len(f.crds) > 0 || f.cluster {
			l.checkFields(readings, kinds)
		}
		l.metrics = len(readings)
		if f.series {
			l.series = estimate(readings, kinds)
		}
	}
	l.finish()
	if err := write(cmd.OutOrStdout(), l); err != nil {
		return err
	}
	return l.outcome(cmd.OutOrStdout(), f)
}

// outcome returns an error with the counts when the check has failed, and else
// writes them, for people.
func (l *linter) outcome(w io.Writer, f *lintFlags) error {
	switch {
	case l.count(severityError) > 0, f.strict && l.count(severityWarning) > 0:
		return errors.New(l.counts())
	case f.format == "text":
		_, err := fmt.Fprintln(w, "ok   ", l.counts())
		return err
	}
	return nil
}

// clusterLimit is how long the schemas of a cluster may take.
const clusterLimit = 2 * time.Minute

// kinds returns the kinds whose schemas the flags give. One of --crds goes before
// the same of a cluster.
func (f *lintFlags) kinds(ctx context.Context, set *rule.Set, readings []rule.Reading) ([]source.KindSchema, error) {
	kinds, err := source.CRDSchemas(f.crds)
	if err != nil {
		return nil, fmt.Errorf("--crds: %w", err)
	}
	if !f.cluster {
		return kinds, nil
	}
	config, err := clusterConfig(f.kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("--cluster: %w", err)
	}
	cluster, err := source.NewCluster(source.ClusterConfig{
		REST: config, Set: set, Store: store.New(set, store.Options{}), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, fmt.Errorf("--cluster: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, clusterLimit)
	defer cancel()
	served, err := cluster.Schemas(ctx, func(group string) bool {
		return slices.ContainsFunc(readings, func(r rule.Reading) bool { return r.Discovered || r.GVK.Group == group })
	})
	if err != nil {
		return nil, fmt.Errorf("--cluster: %w", err)
	}
	own := len(kinds)
	for _, k := range served {
		if !slices.ContainsFunc(kinds[:own], func(o source.KindSchema) bool { return o.Group == k.Group && o.Kind == k.Kind }) {
			kinds = append(kinds, k)
		}
	}
	return kinds, nil
}
