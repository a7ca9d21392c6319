package operatortest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kubevitals/kubevitals/operator"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/internal/selfmetric"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// prefix is that of the self-metrics of the Operator which asks what is tested.
const prefix = "operatortest"

// Collector makes a source of a collector, to test it alone.
func Collector(fn operator.CollectorFunc) operator.Source {
	return collector{fn}
}

type collector struct {
	fn operator.CollectorFunc
}

// Families implements [operator.Source].
func (c collector) Families(ctx context.Context) ([]metric.Family, error) {
	op := operator.New(operator.Options{Logger: slog.New(slog.DiscardHandler)})
	op.SelfMetrics("")
	op.Collect("collector", c.fn)
	return op.Families(ctx)
}

// Compare asks a source, such as an Operator, once, and fails the test unless it
// gives the exposition in want, or the families named of it if any is named.
// The test also fails when the source fails, or gives a sample that cannot be
// exposed: one that is invalid, there twice, or of another type than others of
// its family.
//
// want is in Prometheus' text format. White space around its lines, their order
// and empty lines do not matter; without any line that begins with "#", the
// help texts and types do not matter either. The self-metrics of an Operator
// are compared only if they are named.
func Compare(t testing.TB, src operator.Source, want string, names ...string) {
	t.Helper()
	families, problems := ask(t.Context(), src)
	for _, p := range problems {
		t.Error(p)
	}
	var body bytes.Buffer
	w := exposition.NewWriter(&body, exposition.Text, false)
	for _, f := range families {
		if len(names) == 0 && !isSelf(families, f.Name) || slices.Contains(names, f.Name) {
			w.WriteFamily(f)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if d := diff(want, body.String()); d != "" {
		t.Errorf("metrics differ (-want +got):\n%s", d)
	}
}

// ask returns what a source gives, and what is wrong with it.
func ask(ctx context.Context, src operator.Source) (families []metric.Family, problems []string) {
	why := &reasons{why: make(map[string]string)}
	op := operator.New(operator.Options{Logger: slog.New(why)})
	op.SelfMetrics(prefix)
	if c, ok := src.(collector); ok {
		op.Collect("tested", c.fn)
	} else {
		op.AddSource("tested", src)
	}
	all, err := op.Families(ctx)
	if err != nil {
		problems = append(problems, err.Error())
	}
	for _, f := range all {
		if strings.HasSuffix(f.Name, selfmetric.SamplesDropped) {
			problems = append(problems, drops(f, why)...)
		}
		if !strings.HasPrefix(f.Name, prefix+"_") {
			families = append(families, f)
		}
	}
	return families, problems
}

// reasons is a log handler that keeps why samples could not be exposed, by the
// reason in the self-metrics.
type reasons struct {
	mu  sync.Mutex
	why map[string]string
}

// Enabled implements [slog.Handler].
func (*reasons) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs implements [slog.Handler].
func (r *reasons) WithAttrs([]slog.Attr) slog.Handler { return r }

// WithGroup implements [slog.Handler].
func (r *reasons) WithGroup(string) slog.Handler { return r }

// Handle implements [slog.Handler].
func (r *reasons) Handle(_ context.Context, record slog.Record) error {
	var reason, err string
	record.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "reason":
			reason = a.Value.String()
		case "err":
			err = ": " + a.Value.String()
		}
		return true
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.why[reason] = err
	return nil
}

// of returns what was logged about a reason.
func (r *reasons) of(reason string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.why[reason]
}

// drops says which samples an Operator could not expose.
func drops(f metric.Family, why *reasons) (problems []string) {
	for _, s := range f.Samples {
		if s.Value == 0 || len(s.Labels) != 2 || s.Labels[0].Name != "collector" || s.Labels[1].Name != "reason" {
			continue
		}
		detail := ""
		if strings.HasPrefix(f.Name, prefix+"_") {
			detail = why.of(s.Labels[1].Value)
		}
		problems = append(problems, fmt.Sprintf("collector %q: %v samples cannot be exposed: %s%s",
			s.Labels[0].Value, s.Value, s.Labels[1].Value, detail))
	}
	return problems
}

// isSelf reports whether a family is one of an Operator's metrics about itself:
// one that shares its prefix with its collectors' "up".
func isSelf(families []metric.Family, name string) bool {
	return slices.ContainsFunc(families, func(f metric.Family) bool {
		prefix, ok := strings.CutSuffix(f.Name, selfmetric.CollectorUp)
		return ok && selfmetric.Is(name, prefix)
	})
}

// diff returns the lines that only one side has, or nothing.
func diff(want, got string) string {
	comments := slices.ContainsFunc(strings.Split(want, "\n"), func(line string) bool {
		return strings.HasPrefix(strings.TrimSpace(line), "#")
	})
	rest := make(map[string]int)
	for _, line := range lines(got, comments) {
		rest[line]++
	}
	var b strings.Builder
	for _, line := range lines(want, comments) {
		if rest[line] == 0 {
			fmt.Fprintf(&b, "- %s\n", line)
			continue
		}
		rest[line]--
	}
	for _, line := range lines(got, comments) {
		if rest[line] > 0 {
			fmt.Fprintf(&b, "+ %s\n", line)
			rest[line]--
		}
	}
	return b.String()
}

func lines(text string, comments bool) (out []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && (comments || line[0] != '#') {
			out = append(out, line)
		}
	}
	return out
}
