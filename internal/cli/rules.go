package cli

import (
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubevitals/kubevitals/catalog"
	"github.com/kubevitals/kubevitals/internal/rulebook"
)

// ruleFlags are the flags that say what to measure.
type ruleFlags struct {
	rulebook.Config
	budget time.Duration

	configMaps          string // label selector; only of the command state
	configMapNamespaces []string
}

// define adds the flags to a set.
func (f *ruleFlags) define(flags *pflag.FlagSet) {
	flags.StringSliceVar(&f.Catalogs, "catalog", nil,
		"built-in rules to use: "+strings.Join(catalog.Names(), ", ")+" (default, without any rules: "+strings.Join(rulebook.DefaultCatalogs, ", ")+")")
	flags.StringArrayVar(&f.Paths, "rules", nil, "rule file, or folder of them, to use: MetricRules or CustomResourceStateMetrics (repeatable)")
	flags.StringVar(&f.Legacy, "custom-resource-state-config-file", "", "CustomResourceStateMetrics file to use, read as kube-state-metrics reads it")
	flags.StringSliceVar(&f.Enable, "enable", nil, "opt-in groups of the rules to switch on")
	flags.StringArrayVar(&f.Params, "param", nil, "value for a parameter of a rule document, DOCUMENT.NAME=VALUE[,VALUE...] (repeatable)")
	flags.Uint64Var(&f.CELCost, "cel-cost-limit", 0, "what one evaluation of a CEL expression may cost, for rules that are not trusted (default: no limit but the time)")
	flags.DurationVar(&f.budget, "cel-budget", 250*time.Millisecond, "how long the expressions of one metric may take for one object")
}

// add adds the flags to a command, with what completes them.
func (f *ruleFlags) add(cmd *cobra.Command) {
	f.define(cmd.Flags())
	fixedValues(cmd, "catalog", catalog.Names()...)
	for _, flag := range []string{"rules", "custom-resource-state-config-file"} {
		if err := cmd.MarkFlagFilename(flag, "yaml", "yml", "json"); err != nil {
			panic("BUG: " + err.Error())
		}
	}
}

// addConfigMaps adds the flags for rules in the cluster.
func (f *ruleFlags) addConfigMaps(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.configMaps, "rules-configmaps", "", "label selector of ConfigMaps with rule files to use, such as kubevitals.io/rules=true")
	flags.StringSliceVar(&f.configMapNamespaces, "rules-configmaps-namespaces", nil, "namespaces of these ConfigMaps (default: --namespaces, or all)")
}

// book returns a book of the rules, those in ConfigMaps included.
func (f *ruleFlags) book(log *slog.Logger) *rulebook.Book {
	f.ConfigMaps = f.configMaps != ""
	return rulebook.New(f.Config, log)
}
