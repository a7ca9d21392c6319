package pods

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"github.com/kubevitals/kubevitals/internal/pods/scan"
	"github.com/kubevitals/kubevitals/operator/exposition"
)

func newParser(format exposition.Format, body []byte) textparse.Parser {
	symbols := labels.NewSymbolTable()
	switch format {
	case exposition.OpenMetrics:
		return textparse.NewOpenMetricsParser(body, symbols)
	case exposition.Protobuf:
		return textparse.NewProtobufParser(body, false, false, false, false, symbols)
	default:
		return textparse.NewPromParser(body, symbols, false)
	}
}

// sample is what Prometheus reads of a series: its text as it identifies it, and
// everything that is stored.
type sample struct{ series, stored string }

// parsed is what Prometheus reads in a body, and what it would append: names
// that it does not store fail.
func parsed(format exposition.Format, body []byte) (out []sample, err error) {
	p := newParser(format, bytes.Clone(body))
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		var series []byte
		var ts *int64
		var value string
		switch entry {
		case textparse.EntrySeries:
			var v float64
			series, ts, v = p.Series()
			value = fmt.Sprintf("%x", math.Float64bits(v))
		case textparse.EntryHistogram:
			s, t, h, fh := p.Histogram()
			series, ts, value = s, t, fmt.Sprint(h, fh)
		default:
			continue
		}
		var l labels.Labels
		p.Labels(&l)
		if name, twice := l.HasDuplicateLabelNames(); twice {
			return nil, fmt.Errorf("the label %q is there twice", name)
		}
		if !l.IsValid(scheme) {
			return nil, fmt.Errorf("not a valid name in %s", l)
		}
		if ts != nil {
			value += fmt.Sprintf(" at %d", *ts)
		}
		out = append(out, sample{strings.TrimLeft(string(series), " \t"), bounds(l) + " " + value})
	}
}

// bounds writes labels with all bounds as numbers: how a parser writes them
// depends on the TYPE line before.
func bounds(l labels.Labels) string {
	b := labels.NewBuilder(l)
	for _, name := range []string{"le", "quantile"} {
		if v, err := strconv.ParseFloat(l.Get(name), 64); err == nil {
			b.Set(name, labels.FormatOpenMetricsFloat(v))
		}
	}
	return b.Labels().String()
}

// forPrometheus takes out of a body what Prometheus refuses and we do not: the
// byte order mark, carriage returns before line breaks, and help that is not
// UTF-8.
func forPrometheus(format exposition.Format, body []byte) []byte {
	if format == exposition.Protobuf {
		return body
	}
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	var out []byte
	for line := range bytes.Lines(body) {
		if text, ok := bytes.CutSuffix(line, []byte("\r\n")); ok {
			line = append(bytes.Clone(text), '\n')
		}
		if bytes.HasPrefix(bytes.TrimLeft(line, " \t"), []byte("#")) && !utf8.Valid(line) && bytes.Contains(line, []byte("HELP")) {
			continue
		}
		out = append(out, line...)
	}
	return out
}

// extents is a body with nothing but the extents of another.
func extents(x *scan.Exposition) []byte {
	var out []byte
	for _, e := range x.Extents {
		part := x.Body[e.Start:e.End]
		if x.Format == exposition.Protobuf {
			part = message(x.Families[e.Family], part)
		}
		out = append(out, part...)
	}
	if x.Format == exposition.OpenMetrics {
		out = append(out, "# EOF\n"...)
	}
	return out
}

// check scans a body, and if it is accepted compares it with what Prometheus
// reads. It returns why it is not.
func check(t *testing.T, format exposition.Format, body []byte) error {
	t.Helper()
	x := scan.Exposition{Format: format}
	if err := x.Scan(body, scan.Options{}); err != nil {
		return err
	}
	given := forPrometheus(format, body)
	if format == exposition.Protobuf {
		given = protobufForPrometheus(t, body)
	}
	all, err := parsed(format, given)
	if err != nil {
		t.Fatalf("%q: accepted, but Prometheus says: %v", body, err)
	}
	var want, got []string
	seen := map[string]bool{}
	for _, s := range all {
		if !seen[s.series] {
			want = append(want, s.stored)
		}
		seen[s.series] = true
	}
	kept, err := parsed(format, forPrometheus(format, extents(&x)))
	if err != nil {
		t.Fatalf("%q: accepted, but Prometheus says of the extents: %v", body, err)
	}
	for _, s := range kept {
		got = append(got, s.stored)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%q: samples:\n%s", body, diff)
	}
	if format == exposition.Protobuf {
		if x.Samples-x.Duplicates != len(want) {
			t.Fatalf("%q: %d samples, want %d", body, x.Samples-x.Duplicates, len(want))
		}
	} else if x.Samples != len(all) || x.Duplicates != len(all)-len(want) {
		t.Fatalf("%q: %d samples, %d twice, want %d and %d", body, x.Samples, x.Duplicates, len(all), len(all)-len(want))
	}
	return nil
}

func TestGenerated(t *testing.T) {
	for _, format := range []exposition.Format{exposition.Text, exposition.OpenMetrics} {
		accepted, refused := 0, 0
		for n := range uint64(3000) {
			g := newGenerator(n, format)
			if err := check(t, format, g.body()); err == nil {
				accepted++
			} else if refused++; !g.corrupt {
				t.Fatalf("%q: %v", g.out, err)
			}
		}
		t.Logf("%v: %d accepted, %d refused", format, accepted, refused)
		if accepted < 1000 || refused < 500 {
			t.Errorf("%v: %d accepted, %d refused: not much was compared", format, accepted, refused)
		}
	}
}

func FuzzDifferential(f *testing.F) {
	for _, format := range []exposition.Format{exposition.Text, exposition.OpenMetrics} {
		for n := range uint64(200) {
			f.Add(newGenerator(n, format).body(), byte(format))
		}
		for _, line := range lines {
			f.Add([]byte(line+"\n"), byte(format))
			f.Add([]byte("a{b=\"c\"} 1\na 1\n"+line+"\na 1\n# EOF\n"), byte(format))
		}
	}
	for n := range uint64(200) {
		f.Add(newMessages(n).body(&testing.T{}), byte(exposition.Protobuf))
	}
	f.Fuzz(func(t *testing.T, body []byte, format byte) {
		_ = check(t, exposition.Format(format%3), body)
	})
}
