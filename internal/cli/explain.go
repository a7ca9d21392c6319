package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubevitals/kubevitals/internal/explain"
	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/source"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

// explainFlags are the flags of the command explain.
type explainFlags struct {
	eval        evalFlags
	allow, deny []string
}

// define adds the flags to a set.
func (f *explainFlags) define(flags *pflag.FlagSet) {
	f.eval.defineNow(flags, "(default the current time)")
	flags.StringSliceVar(&f.allow, "metric-allowlist", nil, "explain as if only families were served in whose names one of these `regexps` is found")
	flags.StringSliceVar(&f.deny, "metric-denylist", nil, "explain as if families were left out in whose names one of these `regexps` is found")
}

func newExplain() *cobra.Command {
	var flags explainFlags
	cmd := &cobra.Command{
		Use:   "explain SERIES FILE|DIR|-...",
		Short: "Say why a series exists, or why it does not",
		Long: `Say which rule gives a series for which object, where each label and the value
come from; or, if there is no such series, what kept the rules from giving it.

SERIES is the name of a family, or a selector as in PromQL, with the operators
=, !=, =~ and !~. Of a family, all objects are explained; of a selector, the
series that match. The exit code is 0 if a series matches. If none does it is 1,
and the nearest explanation is printed all the same.

Objects are read as "kubevitals eval" reads them, and evaluated as a server would.`,
		Example: `  kubevitals explain 'gatewayapi_httproute_status_parents_conditions{type="Accepted"}' routes.yaml

  kubectl get backups -A -o yaml | kubevitals explain backup_phase --rules rules.yaml -`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return errors.New("explain needs a series and objects: family{label=\"value\"}, then files or folders, or - for stdin")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runExplain(cmd, &flags, args[0], args[1:]) },
	}
	flags.eval.rules.add(cmd)
	flags.define(cmd.Flags())
	return cmd
}

var errNoSeries = errors.New("no series matches")

func runExplain(cmd *cobra.Command, flags *explainFlags, series string, paths []string) error {
	sel, err := explain.ParseSelector(series)
	if err != nil {
		return err
	}
	f := &flags.eval.rules
	if f.Keep, err = keep(flags.allow, flags.deny); err != nil {
		return err
	}
	set, err := f.Load(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	all, err := f.everything()
	if err != nil {
		all = set // a group that is off does not fit to the others
	}
	objects, readErr := source.ReadObjects(paths, cmd.InOrStdin())
	evaluation := flags.eval.evaluation()
	e := explain.New(sel, set, objects, explain.Options{Enabled: f.Enable, Now: evaluation.now})
	evaluation.tracer = e
	result, err := evaluation.run(set, objects)
	if err != nil {
		return errors.Join(err, readErr)
	}
	families, err := result.gather(exposition.Text)
	if err == nil {
		err = e.Match(families)
	}
	if err != nil {
		return errors.Join(err, readErr)
	}
	if _, err := fmt.Fprint(cmd.OutOrStdout(), e.Text(all)); err != nil {
		return err
	}
	if !e.Found() {
		return errors.Join(readErr, errNoSeries)
	}
	return readErr
}

// everything compiles the rules with what flags switch off.
func (f *ruleFlags) everything() (*rule.Set, error) {
	wide := f.Config
	wide.Keep, wide.EnableAll = nil, true
	return wide.Load(io.Discard)
}
