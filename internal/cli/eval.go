package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubevitals/kubevitals/internal/source"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// evalFlags are the flags that say how objects are evaluated.
type evalFlags struct {
	rules ruleFlags
	now   time.Time // zero for the current time
}

// defineNow adds the flag --now to a set; usage ends in its default.
func (f *evalFlags) defineNow(flags *pflag.FlagSet, usage string) {
	flags.Func("now", "the `time` at which ages are computed, such as 2026-01-01T00:00:00Z "+usage, func(text string) error {
		now, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return errors.New("expected a time such as 2026-01-01T00:00:00Z")
		}
		f.now = now
		return nil
	})
}

// evaluation returns how to evaluate.
func (f *evalFlags) evaluation() evaluation {
	e := evaluation{now: f.now, budget: f.rules.budget}
	if e.now.IsZero() {
		e.now = time.Now()
	}
	return e
}

func newEval() *cobra.Command {
	var flags evalFlags
	var format string
	cmd := &cobra.Command{
		Use:   "eval FILE|DIR|-...",
		Short: "Print the metrics of objects in files",
		Long: `Print the metrics that rules give for objects in files, without a cluster.

Manifests are read as well as what "kubectl get -o yaml" prints. The version of
an object counts as served.`,
		Example: `  kubectl get httproutes -A -o yaml | kubevitals eval -

  kubevitals eval --rules my-rules.yaml --format json testdata/`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("eval needs objects: name files or folders, or - for stdin")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return eval(cmd, &flags, format, args) },
	}
	flags.rules.add(cmd)
	flags.defineNow(cmd.Flags(), "(default the current time)")
	cmd.Flags().StringVar(&format, "format", "prometheus", "how to print: prometheus, openmetrics or json")
	fixedValues(cmd, "format", "prometheus", "openmetrics", "json")
	return cmd
}

func eval(cmd *cobra.Command, flags *evalFlags, format string, args []string) error {
	write, ok := evalFormats[format]
	if !ok {
		return fmt.Errorf("--format %q: expected prometheus, openmetrics or json", format)
	}
	set, err := flags.rules.Load(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	objects, readErr := source.ReadObjects(args, cmd.InOrStdin())
	result, err := flags.evaluation().run(set, objects)
	if err != nil {
		return errors.Join(err, readErr)
	}
	for _, line := range slices.Concat(result.problems, result.notes) {
		_, _ = fmt.Fprintln(cmd.ErrOrStderr(), line)
	}
	return errors.Join(write(cmd.OutOrStdout(), result), readErr)
}

var evalFormats = map[string]func(io.Writer, evaluated) error{
	"prometheus":  writer(exposition.Text, writeText(exposition.Text)),
	"openmetrics": writer(exposition.OpenMetrics, writeText(exposition.OpenMetrics)),
	"json":        writer(exposition.Text, writeJSON),
}

// writer gathers families in a format and writes them.
func writer(f exposition.Format, write func(io.Writer, []exposition.Rendered) error) func(io.Writer, evaluated) error {
	return func(w io.Writer, e evaluated) error {
		families, err := e.gather(f)
		if err != nil {
			return err
		}
		return write(w, families)
	}
}

func writeJSON(w io.Writer, families []exposition.Rendered) error {
	out := make([]metric.Family, len(families))
	for i, r := range families {
		var err error
		if out[i], err = r.Parse(exposition.Text); err != nil {
			return err
		}
	}
	return exposition.JSON{}.Encode(w, "", out)
}

func writeText(f exposition.Format) func(io.Writer, []exposition.Rendered) error {
	return func(w io.Writer, families []exposition.Rendered) error {
		descs := make([]*metric.Desc, len(families))
		for i := range families {
			descs[i] = &families[i].Desc
		}
		exposition.Disambiguate(f, descs)
		x := exposition.NewWriter(w, f, false)
		for _, r := range families {
			x.WriteRendered(r)
		}
		return x.Close()
	}
}
