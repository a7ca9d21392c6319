package kopf_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/operator/kopf"
	"github.com/kubevitals/kubevitals/operator/metric"
)

const endpoint = "http://operator:8080/healthz"

// transport answers requests without a network.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answering is a client whose requests take a quarter of a second.
func answering(body func() string) *http.Client {
	return &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) {
		time.Sleep(250 * time.Millisecond)
		return response(body()), nil
	})}
}

func response(body string) *http.Response {
	return &http.Response{
		StatusCode: http.StatusOK,
		Header:     http.Header{"Content-Type": {"application/json; charset=utf-8"}},
		Body:       io.NopCloser(strings.NewReader(body)),
	}
}

// newSource returns a source of options that must be right. The URL and a
// client may be missing if the test does not ask.
func newSource(t *testing.T, o kopf.Options) *kopf.Source {
	t.Helper()
	o.URL = cmp.Or(o.URL, endpoint)
	s, err := kopf.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// read returns the text of what a source of options gives for a body.
func read(t *testing.T, o kopf.Options, body string) string {
	t.Helper()
	o.Client = answering(func() string { return body })
	families, err := newSource(t, o).Families(t.Context())
	wantValid(t, families)
	return text(families, err)
}

// text renders families in a format of this test's own: unlike those of
// scrapers it has everything that a family can have.
func text(families []metric.Family, err error) string {
	var b strings.Builder
	for _, f := range families {
		fmt.Fprintf(&b, "# %s %s", f.Name, f.Type)
		if f.Unit != "" {
			fmt.Fprintf(&b, " in %s", f.Unit)
		}
		if f.Help != "" && !strings.HasPrefix(f.Name, "kopf_probe_") {
			fmt.Fprintf(&b, ": %s", f.Help)
		}
		b.WriteByte('\n')
		for _, s := range f.Samples {
			b.WriteString(f.Name)
			for i, l := range s.Labels {
				fmt.Fprintf(&b, "%c%s=%q", "{,"[min(i, 1)], l.Name, l.Value)
			}
			if len(s.Labels) > 0 {
				b.WriteByte('}')
			}
			writeValue(&b, s)
			b.WriteByte('\n')
		}
	}
	if err != nil {
		for line := range strings.Lines(err.Error() + "\n") {
			b.WriteString("! " + line)
		}
	}
	return b.String()
}

func writeValue(b *strings.Builder, s metric.Sample) {
	g := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	switch {
	case s.Histogram != nil:
		for _, x := range s.Histogram.Buckets {
			fmt.Fprintf(b, " %s:%s", g(x.UpperBound), g(x.Count))
		}
		fmt.Fprintf(b, " sum %s count %s", g(s.Histogram.Sum), g(s.Histogram.Count))
	case s.Summary != nil:
		for _, x := range s.Summary.Quantiles {
			fmt.Fprintf(b, " %s:%s", g(x.Quantile), g(x.Value))
		}
		fmt.Fprintf(b, " sum %s count %s", g(s.Summary.Sum), g(s.Summary.Count))
	default:
		b.WriteString(" " + g(s.Value))
	}
	if !s.Time.IsZero() {
		b.WriteString(" @ " + s.Time.Format(time.RFC3339Nano))
	}
}

// wantValid checks what holds for all families that a source gives.
func wantValid(t *testing.T, families []metric.Family) {
	t.Helper()
	for i, f := range families {
		if err := f.Validate(); err != nil {
			t.Error(err)
		}
		if i > 0 && families[i-1].Name >= f.Name {
			t.Errorf("family %s comes after %s", f.Name, families[i-1].Name)
		}
		if len(f.Samples) == 0 {
			t.Errorf("family %s is empty", f.Name)
		}
		for j, s := range f.Samples {
			if err := s.Validate(f.Type); err != nil {
				t.Errorf("%s: %v", f.Name, err)
			}
			if j > 0 && metric.CompareLabels(f.Samples[j-1].Labels, s.Labels) >= 0 {
				t.Errorf("%s: %v comes after %v", f.Name, s.Labels, f.Samples[j-1].Labels)
			}
			for _, l := range s.Labels {
				if l.Value == "" {
					t.Errorf("%s: label %s is empty", f.Name, l.Name)
				}
			}
		}
	}
}

// value returns the value of the one sample of a family that has no labels.
func value(t *testing.T, families []metric.Family, name string) float64 {
	t.Helper()
	for _, f := range families {
		if f.Name == name && len(f.Samples) == 1 && len(f.Samples[0].Labels) == 0 {
			return f.Samples[0].Value
		}
	}
	t.Fatalf("no sample of %s in\n%s", name, text(families, nil))
	return 0
}

// wantErr fails the test unless an error has all the parts.
func wantErr(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q, want one with %q", err, part)
		}
	}
}

// The operator asks sources so.
var _ interface {
	Families(context.Context) ([]metric.Family, error)
} = (*kopf.Source)(nil)
