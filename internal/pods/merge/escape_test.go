package merge

import (
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// Names of labels are escaped on the way, where others are copied as they are.
func TestEscaped(t *testing.T) {
	record := func(labels ...string) metric.Family {
		return metric.Family{Desc: metric.Desc{Name: "a", Type: metric.Gauge}, Samples: []metric.Sample{{Labels: metric.Labels(labels...), Value: 1}}}
	}
	pods := []pod{
		text("p1", `a{x="1"} 1`), text("p2", `a{"x.y"="2"} 2`), open("p3", `a{"x.y"="3",x_y="4"} 3`), text("p4", `a{"p.od"="5"} 4`),
		records("p5", record("x.y", "6")), records("p6", record("po.d", "7", "po_d", "8")),
	}
	for _, format := range []exposition.Format{exposition.Text, exposition.OpenMetrics, exposition.Protobuf} {
		var m Merger
		families, _ := m.Families(sources(t, pods...), Options{Format: format})
		if len(families) != 1 || !families[0].UTF8 || families[0].Escaped == nil {
			t.Fatalf("format %d: %+v", format, families)
		}
		plain := families[0]
		plain.Lines, plain.UTF8 = plain.Escaped(exposition.Underscores), false
		got, err := plain.Parse(format)
		if err != nil {
			t.Fatalf("format %d: %v", format, err)
		}
		var out []string
		for _, s := range got.Samples {
			var labels []string
			metric.SortLabels(s.Labels)
			for _, l := range s.Labels {
				labels = append(labels, l.Name+"="+l.Value)
			}
			out = append(out, strings.Join(labels, ","))
		}
		if got, want := strings.Join(out, " "), "pod=p1,x=1 pod=p2,x_y=2 p_od=5,pod=p4 pod=p5,x_y=6"; got != want {
			t.Errorf("format %d: got %s, want %s", format, got, want)
		}
		if out := written(t, format, families); format != exposition.Protobuf && !strings.Contains(out, `"x.y"="2"`) {
			t.Errorf("format %d: without the names of the pods:\n%s", format, out)
		}
	}
}

// TestEscapedApart: so it is in families that are taken apart.
func TestEscapedApart(t *testing.T) {
	for _, format := range []exposition.Format{exposition.Text, exposition.OpenMetrics, exposition.Protobuf} {
		families, stats := new(Merger).Families(sources(t,
			text("p1", "# TYPE h summary", `h_sum{"x.y"="1"} 1`, `h_count{"x.y"="1"} 2`),
			open("p2", "# TYPE h summary", `h_sum{"x.y"="1",x_y="2"} 1`, `h_count{z="1"} 2`),
			text("p3", "# TYPE h_sum gauge", "h_sum 3")), Options{Format: format})
		if len(families) != 2 || len(stats.Untyped) != 1 {
			t.Fatalf("format %d: %d families, %+v", format, len(families), stats)
		}
		var out []string
		for _, r := range families {
			if r.UTF8 {
				r.Lines, r.UTF8 = r.Escaped(exposition.Underscores), false
			}
			got, err := r.Parse(format)
			if err != nil {
				t.Fatalf("format %d: %v", format, err)
			}
			for _, s := range got.Samples {
				metric.SortLabels(s.Labels)
				out = append(out, string(exposition.AppendSample(nil, got.Name, s.Labels, s.Value)))
			}
		}
		want := `h_count{pod="p1",x_y="1"} 2
h_count{pod="p2",z="1"} 2
h_sum{pod="p1",x_y="1"} 1
h_sum{pod="p3"} 3
`
		if got := strings.Join(out, ""); got != want {
			t.Errorf("format %d: got\n%swant\n%s", format, got, want)
		}
	}
}
