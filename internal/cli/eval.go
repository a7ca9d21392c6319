package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kubevitals/kubevitals/internal/rule"
	"github.com/kubevitals/kubevitals/internal/source"
	"github.com/kubevitals/kubevitals/internal/store"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

func newEval() *cobra.Command {
	var rules ruleFlags
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
		RunE: func(cmd *cobra.Command, args []string) error { return eval(cmd, &rules, format, args) },
	}
	rules.add(cmd)
	cmd.Flags().StringVar(&format, "format", "prometheus", "how to print: prometheus, openmetrics or json")
	fixedValues(cmd, "format", "prometheus", "openmetrics", "json")
	return cmd
}

func eval(cmd *cobra.Command, rules *ruleFlags, format string, args []string) error {
	write, ok := evalFormats[format]
	if !ok {
		return fmt.Errorf("--format %q: expected prometheus, openmetrics or json", format)
	}
	set, err := rules.load(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	s := store.New(set, store.Options{Log: slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))})
	files := &source.Files{Paths: args, Stdin: cmd.InOrStdin(), Set: set, Store: s}
	readErr := files.Load()
	for _, gvk := range slices.SortedFunc(maps.Keys(files.Unmatched()), rule.GVK.Compare) {
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "note: no rule applies to %s (%d objects)\n", gvk, files.Unmatched()[gvk])
	}
	families, err := s.Gather(context.Background(), exposition.Text)
	if err != nil {
		return err
	}
	return errors.Join(write(cmd.OutOrStdout(), families), readErr)
}

var evalFormats = map[string]func(io.Writer, []exposition.Rendered) error{
	"prometheus":  textWriter(exposition.Text),
	"openmetrics": textWriter(exposition.OpenMetrics),
	"json":        writeJSON,
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

func textWriter(f exposition.Format) func(io.Writer, []exposition.Rendered) error {
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
