package scan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/operator/exposition"
)

var flagNames = []string{"odd", "stamped", "exemplars", "utf8", "reserved", "created", "native", "unbounded"}

func (f Flags) names() string {
	var out []string
	for i, name := range flagNames {
		if f&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return strings.Join(out, ",")
}

// show writes down all that a scan found: a line per family, and one per extent.
func show(x *Exposition) string {
	var out strings.Builder
	for _, f := range x.Families {
		fmt.Fprintf(&out, "%s %s", f.Name, f.Type)
		if f.Help != nil {
			fmt.Fprintf(&out, " help=%q", f.Help)
		}
		if f.Unit != nil {
			fmt.Fprintf(&out, " unit=%q", f.Unit)
		}
		out.WriteByte('\n')
	}
	for _, e := range x.Extents {
		fmt.Fprintf(&out, "- %s %d", x.Families[e.Family].Name, e.Samples)
		if e.Flags != 0 {
			out.WriteString(" " + e.Flags.names())
		}
		if x.Format != exposition.Protobuf {
			fmt.Fprintf(&out, " %q", x.Body[e.Start:e.End])
		}
		out.WriteByte('\n')
	}
	if x.Duplicates > 0 {
		fmt.Fprintf(&out, "%d of %d twice\n", x.Duplicates, x.Samples)
	}
	return out.String()
}

// scanned scans a body three times with one Exposition, of which the second time
// has a memory and the third one finds it again, and wants the same each time.
func scanned(t testing.TB, format exposition.Format, body string, opts Options) (*Exposition, error) {
	t.Helper()
	x := &Exposition{Format: format}
	err := x.Scan([]byte(body), opts)
	first := show(x)
	opts.Memory = new(Memory)
	for range 2 {
		again := x.Scan([]byte(body), opts)
		if err != nil {
			if again == nil || again.Error() != err.Error() {
				t.Fatalf("%q: %v, and then %v", body, err, again)
			}
			continue
		}
		if again != nil || show(x) != first {
			t.Fatalf("%q: first\n%sthen %v\n%s", body, first, again, show(x))
		}
	}
	return x, err
}
