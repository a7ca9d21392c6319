package pods_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"github.com/kubevitals/kubevitals/test/podtest"
)

// parse reads an exposition with every parser that there is for its format, all
// of which must accept it, and returns its series. No two may be the same, and
// all must have the labels of a pod.
func parse(text []byte, contentType, format string) (map[string]float64, error) {
	if err := parseExpfmt(text, format); err != nil {
		return nil, err
	}
	series, err := parseTextparse(text, contentType)
	if err != nil {
		return nil, err
	}
	out := make(map[string]float64, len(series))
	for _, s := range series {
		if s.labels[podLabel] == "" || s.labels[namespaceLabel] == "" {
			return nil, fmt.Errorf("%s has no pod", s.key())
		}
		if _, double := out[s.key()]; double {
			return nil, fmt.Errorf("%s is there twice", s.key())
		}
		out[s.key()] = s.value
	}
	return out, nil
}

// parseExpfmt parses by the library that most other tools use. It has no parser
// for OpenMetrics.
func parseExpfmt(text []byte, format string) error {
	switch format {
	case podtest.Text:
		parser := expfmt.NewTextParser(model.UTF8Validation)
		if _, err := parser.TextToMetricFamilies(bytes.NewReader(text)); err != nil {
			return fmt.Errorf("expfmt: %w", err)
		}
	case podtest.Protobuf:
		decoder := expfmt.NewDecoder(bytes.NewReader(text), expfmt.NewFormat(expfmt.TypeProtoDelim)+"; escaping=allow-utf-8")
		seen := make(map[string]bool)
		for {
			var f dto.MetricFamily
			err := decoder.Decode(&f)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("expfmt: %w", err)
			}
			if seen[f.GetName()] {
				return fmt.Errorf("family %q is there twice", f.GetName())
			}
			seen[f.GetName()] = true
		}
	}
	return nil
}

// sample is a series with its value.
type sample struct {
	name   string
	labels map[string]string
	value  float64
}

func (s *sample) key() string { return key(s.name, s.labels) }

// key writes a name and labels in one way.
func key(name string, l map[string]string) string {
	var b strings.Builder
	b.WriteString(strconv.Quote(name))
	for _, k := range slices.Sorted(maps.Keys(l)) {
		fmt.Fprintf(&b, ",%q=%q", k, l[k])
	}
	return b.String()
}

// parseTextparse parses as Prometheus does. A native histogram is a series whose
// name ends in "(native)" and whose value is the count.
func parseTextparse(text []byte, contentType string) ([]sample, error) {
	p, err := textparse.New(text, contentType, labels.NewSymbolTable(),
		textparse.ParserOptions{KeepClassicOnClassicAndNativeHistograms: true})
	if err != nil {
		return nil, fmt.Errorf("textparse: %w", err)
	}
	var out []sample
	var l labels.Labels
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("textparse: %w", err)
		}
		switch entry {
		case textparse.EntrySeries:
			_, _, v := p.Series()
			p.Labels(&l)
			out = append(out, sampleOf(l, "", v))
		case textparse.EntryHistogram:
			_, _, h, f := p.Histogram()
			p.Labels(&l)
			out = append(out, sampleOf(l, "(native)", count(h, f)))
		default:
			continue
		}
		if name, double := l.HasDuplicateLabelNames(); double {
			return nil, fmt.Errorf("textparse: label %q is there twice in %s", name, l)
		}
		if !l.IsValid(model.UTF8Validation) {
			return nil, fmt.Errorf("textparse: %s is not valid", l)
		}
	}
}

func count(h *histogram.Histogram, f *histogram.FloatHistogram) float64 {
	if h != nil {
		return float64(h.Count)
	}
	return f.Count
}

// sampleOf makes a sample. The values of le and quantile are the shortest ones, as
// Prometheus writes them in one way only if the series has the type for it.
func sampleOf(l labels.Labels, suffix string, v float64) sample {
	s := sample{name: l.Get("__name__") + suffix, labels: make(map[string]string), value: v}
	l.Range(func(l labels.Label) {
		if l.Name == "__name__" || l.Value == "" { // a label without a value is none
			return
		}
		s.labels[l.Name] = l.Value
		if f, err := strconv.ParseFloat(l.Value, 64); err == nil && (l.Name == "le" || l.Name == "quantile") {
			s.labels[l.Name] = strconv.FormatFloat(f, 'g', -1, 64)
		}
	})
	return s
}
