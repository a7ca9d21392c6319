package relabel_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/internal/pods/relabel"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// TestRoom: what a body needs is asked for before it is there, and a no ends it.
func TestRoom(t *testing.T) {
	var lines, families, apart strings.Builder
	apart.WriteString("# TYPE h histogram\n")
	for i := range 50_000 {
		fmt.Fprintf(&lines, "a{x=\"%d\"} 1\n", i)
		fmt.Fprintf(&apart, "h_sum{x=\"%d\"} 1\n", i)
		if i < 5000 {
			fmt.Fprintf(&families, "a{x=\"%d\"} 1\n", i)
		}
	}
	for _, c := range []struct {
		name, rules, body string
		least             func(body int) int
	}{
		{"lines", "", lines.String(), func(n int) int { return 2 * n }},
		{"families", "[{source_labels: [x], target_label: __name__, replacement: m$1}]", families.String(), func(n int) int { return n + 5000*400 }},
		{"a family taken apart", "[{regex: x, target_label: le, replacement: x}]", apart.String(), func(n int) int { return 2 * n }},
	} {
		t.Run(c.name, func(t *testing.T) {
			configs, err := relabel.ParseConfigs([]byte(c.rules))
			if err != nil {
				t.Fatal(err)
			}
			r := relabel.Relabeler{Configs: configs}
			x := scanned(t, c.body, exposition.Text)
			target := metric.Labels("pod", strings.Repeat("p", 50))
			asked := 0
			got, err := r.Apply(x, target, func(n int) error { asked += n; return nil })
			if err != nil {
				t.Fatal(err)
			}
			if least := c.least(len(got.Body)); asked < least || cap(got.Body) > len(got.Body)+100 {
				t.Errorf("%d bytes were asked for, and not %d; the body has %d, and room for %d", asked, least, len(got.Body), cap(got.Body))
			}
			full := errors.New("no more")
			for _, most := range []int{0, asked / 2, asked - 1} {
				left := most
				if _, err := r.Apply(x, target, func(n int) error {
					if left -= n; left < 0 {
						return full
					}
					return nil
				}); !errors.Is(err, full) {
					t.Errorf("with %d bytes: %v", most, err)
				}
			}
		})
	}
}
