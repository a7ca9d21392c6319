package pods_test

import (
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/internal/pods"
	"github.com/kubevitals/kubevitals/internal/pods/merge"
	"github.com/kubevitals/kubevitals/internal/pods/relabel"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// TestCollisionsMakeDuplicates: of samples of a pod that are the same once their
// labels have made way for those of the target the first is kept, and the others
// are counted.
func TestCollisionsMakeDuplicates(t *testing.T) {
	for _, c := range []struct {
		name      string
		collision merge.Collision
		body      string
		want      []string // lines with a, in their order
		counts    []string
	}{
		{"dropped", merge.Drop, "a{pod=\"x\",q=\"1\"} 1\na{pod=\"y\",q=\"1\"} 2\na{q=\"1\"} 3\na{q=\"2\",pod=\"x\"} 4\n# TYPE b gauge\na{pod=\"\",q=\"2\"} 5\n",
			[]string{`a{pod="p0",q="1"} 1`, `a{pod="p0",q="2"} 4`}, []string{`scrape_samples_scraped{pod="p0"} 5`, `scrape_samples_duplicate{pod="p0"} 3`, `scrape_samples_post_metric_relabeling{pod="p0"} 2`}},
		{"the first has none", merge.Drop, "a 1\na{pod=\"x\"} 2\n", []string{`a{pod="p0"} 1`}, []string{`scrape_samples_duplicate{pod="p0"} 1`}},
		{"beside ones that are the same as sent", merge.Drop, "a{pod=\"x\"} 1\na{pod=\"x\"} 2\na{pod=\"y\"} 3\n", []string{`a{pod="p0"} 1`}, []string{`scrape_samples_duplicate{pod="p0"} 2`}},
		{"honoured", merge.Honor, "a{pod=\"p0\"} 1\na{pod=\"x\"} 2\na 3\n", []string{`a{pod="p0"} 1`, `a{pod="x"} 2`}, []string{`scrape_samples_duplicate{pod="p0"} 1`}},
		{"renamed", merge.Rename, "a{pod=\"x\"} 1\na{exported_pod=\"x\"} 2\na{exported_pod=\"y\"} 3\n",
			[]string{`a{pod="p0",exported_pod="x"} 1`, `a{pod="p0",exported_pod="y"} 3`}, []string{`scrape_samples_duplicate{pod="p0"} 1`}},
		{"none", merge.Drop, "a{pod=\"x\",q=\"1\"} 1\na{pod=\"x\",q=\"2\"} 2\n", []string{`a{pod="p0",q="1"} 1`, `a{pod="p0",q="2"} 2`}, []string{`scrape_samples_duplicate{pod="p0"} 0`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, _ := part(t, answers(t, always(c.body)), func(o *pods.Options) { o.Collision = c.collision })
			for range 2 { // the second time it remembers
				out := scrape(t, p, exposition.Text)
				var got []string
				for line := range strings.Lines(out) {
					if strings.HasPrefix(line, "a{") {
						got = append(got, strings.TrimSpace(line))
					}
				}
				if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
					t.Errorf("%q", got)
				}
				wants(t, out, append(c.counts, `up{pod="p0"} 1`)...)
			}
		})
	}
}

// TestCollisionsInRecords is the same for protobuf, in which a sample can be as many
// as a histogram has series.
func TestCollisionsInRecords(t *testing.T) {
	targets := answers(t, always(""))
	answersRecords(t, &targets[0], metric.Family{Desc: metric.Desc{Name: "h", Type: metric.Histogram}, Samples: []metric.Sample{
		{Labels: metric.Labels("pod", "x"), Histogram: &metric.HistogramValue{Count: 1, Sum: 1}},
		{Labels: metric.Labels("pod", "y"), Histogram: &metric.HistogramValue{Count: 2, Sum: 2}},
	}})
	p, _ := part(t, targets, func(o *pods.Options) { o.Collision = merge.Drop })
	out := scrape(t, p, exposition.Text)
	wants(t, out, `up{pod="p0"} 1`, `h_count{pod="p0"} 1`, `scrape_samples_scraped{pod="p0"} 6`, `scrape_samples_duplicate{pod="p0"} 3`)
	if strings.Contains(out, `h_count{pod="p0"} 2`) {
		t.Error(out)
	}
}

// TestRelabellingMakesDuplicates: those that rules make count as well.
func TestRelabellingMakesDuplicates(t *testing.T) {
	configs, err := relabel.ParseConfigs([]byte("- {regex: q, action: labeldrop}"))
	if err != nil {
		t.Fatal(err)
	}
	p, _ := part(t, answers(t, always("a{q=\"1\"} 1\na{q=\"2\"} 2\na{q=\"2\"} 3\n")), func(o *pods.Options) {
		o.Relabel = &relabel.Relabeler{Configs: configs}
	})
	wants(t, scrape(t, p, exposition.Text), `up{pod="p0"} 1`, `a{pod="p0"} 1`,
		`scrape_samples_scraped{pod="p0"} 3`, `scrape_samples_duplicate{pod="p0"} 2`, `scrape_samples_post_metric_relabeling{pod="p0"} 1`)
}
