package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/kubevitals/kubevitals/internal/pods"
	"github.com/kubevitals/kubevitals/internal/pods/aggregate"
	"github.com/kubevitals/kubevitals/internal/pods/fetch"
	"github.com/kubevitals/kubevitals/internal/pods/merge"
	"github.com/kubevitals/kubevitals/internal/pods/relabel"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// client returns what makes the requests, as the flags say.
func (f *askFlags) client(hop string) (*fetch.Client, error) {
	if f.concurrency < 1 {
		return nil, fmt.Errorf("--concurrency %d: expected at least 1", f.concurrency)
	}
	const most = 1<<31 - 1
	if f.body > most || f.wire > most {
		return nil, fmt.Errorf("--body-size-limit %s, --wire-size-limit %s: expected less than 2Gi", &f.body, &f.wire)
	}
	if least := 3*f.body + f.wire; f.budget < least { // what fetch.New wants
		return nil, fmt.Errorf("--budget %s: expected at least %s, which is three times --body-size-limit %s and --wire-size-limit %s: give more, or lower those", &f.budget, &least, &f.body, &f.wire)
	}
	return fetch.New(fetch.Options{
		BodyLimit: int64(f.body), WireLimit: int64(f.wire), Budget: int64(f.budget), Concurrency: f.concurrency,
		Compression: f.compression, UserAgent: userAgent(), Hop: hop,
	})
}

// besides is what this process needs besides the budget: its programs, what it
// knows of pods, and the buffers of connections.
const besides = 64 << 20

// warn says in the log that the budget is too large for the container. root is
// where the file system begins.
func (f *askFlags) warn(root string, log *slog.Logger) {
	limit, err := cgroupLimit(root)
	if err != nil || limit >= int64(f.budget)+besides {
		return
	}
	of := quantity(limit)
	log.Warn("The container may have less memory than --budget allows for: pods that send much can end it",
		"limit", of.String(), "budget", f.budget.String(), "hint", "raise the limit, or lower --budget")
}

// options returns what becomes of the answers, as the flags say. labels are the names
// of those that targets can have.
func (f *treatFlags) options(timeout time.Duration, labels []string) (o pods.Options, err error) {
	o = pods.Options{
		Timeout: timeout, Fallback: f.fallback, StripTimestamps: !f.timestamps,
		DropInvalidLines: f.invalid == "drop", Reports: f.reports,
		Limits: pods.Limits{
			Families: f.families, Samples: f.samples, Labels: f.labels, LabelNameLength: f.nameLength,
			LabelValueLength: f.valueLength, NativeHistogramBuckets: f.buckets,
		},
	}
	switch f.collisions {
	case "honor":
		o.Collision = merge.Honor
	case "drop":
		o.Collision = merge.Drop
	}
	if len(f.allow)+len(f.deny) > 0 {
		o.Filter = &relabel.Filter{Allow: f.allow, Deny: f.deny}
	}
	err = errors.Join(f.words(), f.limits(), f.filters(), f.rules(&o), f.combined(&o, labels))
	return o, err
}

// words checks the flags that take one of some words.
func (f *treatFlags) words() error {
	return errors.Join(
		oneOf("label-collisions", f.collisions, "rename", "honor", "drop"),
		oneOf("invalid-lines", f.invalid, "fail", "drop"),
		oneOf("fallback-format", f.fallback, append([]string{""}, pods.Fallbacks...)...),
	)
}

func (f *treatFlags) limits() error {
	for _, limit := range []struct {
		flag  string
		value int
	}{
		{"family-limit", f.families}, {"sample-limit", f.samples}, {"label-limit", f.labels}, {"label-name-length-limit", f.nameLength},
		{"label-value-length-limit", f.valueLength}, {"native-histogram-bucket-limit", f.buckets},
	} {
		if limit.value < 0 {
			return fmt.Errorf("--%s %d: expected a number, or 0 for no limit", limit.flag, limit.value)
		}
	}
	return nil
}

// filters checks the patterns of families to keep and to leave out.
func (f *treatFlags) filters() error {
	var errs []error
	for _, pattern := range f.allow {
		errs = append(errs, checkPattern("allow", pattern))
	}
	for _, pattern := range f.deny {
		errs = append(errs, checkPattern("deny", pattern))
	}
	return errors.Join(errs...)
}

// checkPattern refuses a pattern that is meant otherwise than it works: as a regular
// expression, or with blanks around it.
func checkPattern(flag, pattern string) error {
	if pattern == "" {
		return fmt.Errorf("--%s: one of the families has no name", flag)
	}
	odd := func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune("^$()[]{}|\\+?\"'", r)
	}
	if i := strings.IndexFunc(pattern, odd); i >= 0 {
		r, _ := utf8.DecodeRuneInString(pattern[i:])
		return fmt.Errorf("--%s %.100q: no family has %q in its name: a star stands for any characters, and nothing else is special, as this is no regular expression", flag, pattern, r)
	}
	return nil
}

// rules reads the rules of relabelling.
func (f *treatFlags) rules(o *pods.Options) error {
	if f.relabel == "" {
		return nil
	}
	text, err := os.ReadFile(f.relabel)
	if err != nil {
		return fmt.Errorf("--metric-relabel-configs: %w", err)
	}
	configs, err := relabel.ParseConfigs(text)
	if err != nil {
		return fmt.Errorf("--metric-relabel-configs %s: %w", f.relabel, err)
	}
	if len(configs) == 0 {
		return fmt.Errorf("--metric-relabel-configs %s: the file has no rules: write a list of them, or leave the flag out", f.relabel)
	}
	o.Relabel = &relabel.Relabeler{Configs: configs}
	return nil
}

// combined reads what is aggregated. labels are those that targets can have.
func (f *treatFlags) combined(o *pods.Options, labels []string) error {
	if len(f.aggregate) == 0 {
		if len(f.aggregateKeep) > 0 {
			return errors.New("--aggregate-by goes with --aggregate: say which families to combine")
		}
		return nil
	}
	rules, err := aggregate.ParseRules(f.aggregate)
	if err != nil {
		return fmt.Errorf("--aggregate: %w", err)
	}
	if err := checkAggregates(rules); err != nil {
		return err
	}
	for _, name := range f.aggregateKeep {
		if !metric.IsLabelName(name) {
			return fmt.Errorf("--aggregate-by %q: this is no name of a label", name)
		}
		if !slices.Contains(labels, name) {
			return fmt.Errorf("--aggregate-by %q: no target has this label: they can have %s, and what --target-label adds; labels of samples stay in any case", name, strings.Join(labels, ", "))
		}
	}
	o.Aggregate = aggregate.New(aggregate.Options{Rules: rules, Keep: f.aggregateKeep})
	return nil
}

// checkAggregates refuses rules that would have no effect.
func checkAggregates(rules []aggregate.Rule) error {
	ops := make(map[string]aggregate.Op)
	for _, r := range rules {
		if err := checkPattern("aggregate", r.Family); err != nil {
			return err
		}
		if op, twice := ops[r.Family]; twice {
			return fmt.Errorf("--aggregate: there are two rules for %s, %s and %s: the first would count, leave one out", r.Family, op, r.Op)
		}
		ops[r.Family] = r.Op
		name, _, star := strings.Cut(r.Family, "*")
		for found := true; found; {
			if uptime := star && name == "up"; pods.Reserved(name) && !uptime {
				return fmt.Errorf("--aggregate %s=%s: families called up, scrape_* and kubevitals_* are about the targets themselves, and are not combined", r.Family, r.Op)
			}
			name, found = strings.CutPrefix(name, "exported_")
		}
	}
	return nil
}
