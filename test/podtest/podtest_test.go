package podtest

import (
	"bytes"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// TestStandard tests that the standard body is what measurements say it is.
func TestStandard(t *testing.T) {
	body := Standard(Text)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	samples := 0
	for line := range bytes.Lines(body) {
		if line[0] != '#' {
			samples++
		}
	}
	if len(families) != 216 || samples < 9500 || samples > 10500 || len(body) < 1_000_000 || len(body) > 1_060_000 {
		t.Errorf("the body has %d families, %d samples, %d bytes", len(families), samples, len(body))
	}
	if !bytes.Equal(body, encodings(registry{counters: 150, gauges: 50, histograms: 12, summaries: 4, series: 30})[Text]) {
		t.Error("the body is another one when it is made again")
	}
}
