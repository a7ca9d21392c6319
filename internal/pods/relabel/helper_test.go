package relabel_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/kubevitals/kubevitals/internal/pods/relabel"
	"github.com/kubevitals/kubevitals/internal/pods/scan"
	"github.com/kubevitals/kubevitals/operator/exposition"
	"github.com/kubevitals/kubevitals/operator/metric"
)

// scanned makes an exposition of a tidy body by hand: each family has a TYPE
// line or is that of one name.
func scanned(body string, format exposition.Format) *scan.Exposition {
	x := &scan.Exposition{Format: format, Body: []byte(body)}
	index := make(map[string]int32)
	family := func(name string) *scan.Family {
		i, ok := index[name]
		if !ok {
			i = int32(len(x.Families))
			index[name] = i
			x.Families = append(x.Families, scan.Family{Name: []byte(name)})
		}
		return &x.Families[i]
	}
	at, current := uint32(0), ""
	for text := range strings.Lines(body) {
		start := at
		at += uint32(len(text))
		fields := strings.SplitN(strings.TrimSpace(text), " ", 4)
		switch {
		case len(fields) == 4 && fields[0] == "#":
			switch fields[1] {
			case "HELP":
				current = fields[2]
				family(current).Help = []byte(fields[3])
			case "TYPE":
				current = fields[2]
				family(current).Type, _ = metric.ParseType(fields[3])
			case "UNIT":
				family(current).Unit = []byte(fields[3])
			}
		case text[0] == '#', strings.TrimSpace(text) == "":
		default:
			name := text[:strings.IndexAny(text, "{ ")]
			if strings.HasPrefix(name, strings.TrimSuffix(current, "_total")) && current != "" {
				name = current
			}
			family(name)
			x.Extents = append(x.Extents, scan.Extent{Family: index[name], Samples: 1, Start: start, End: at})
			x.Samples++
		}
	}
	return x
}

// apply relabels a body by rules in YAML, and checks what must hold always.
func apply(t *testing.T, r relabel.Relabeler, rules, body string, format exposition.Format, target ...string) relabel.Result {
	t.Helper()
	configs, err := relabel.ParseConfigs([]byte(rules))
	if err != nil {
		t.Fatal(err)
	}
	r.Configs = configs
	x := scanned(body, format)
	got, err := r.Apply(x, metric.Labels(target...))
	if err != nil {
		t.Fatal(err)
	}
	if got.Samples+got.Dropped+got.Invalid != x.Samples {
		t.Errorf("%d samples, %d dropped, %d invalid, of %d", got.Samples, got.Dropped, got.Invalid, x.Samples)
	}
	if (got.Invalid > 0) != (got.Reason != nil) {
		t.Errorf("%d are invalid: %v", got.Invalid, got.Reason)
	}
	if string(x.Body) != body {
		t.Error("the body it was given has changed")
	}
	if format == exposition.Text {
		p := expfmt.NewTextParser(model.UTF8Validation)
		if _, err := p.TextToMetricFamilies(bytes.NewReader(got.Body)); err != nil {
			t.Errorf("not valid: %v\n%s", err, got.Body)
		}
	}
	return got
}
