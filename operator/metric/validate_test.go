package metric_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/kubevitals/kubevitals/operator/metric"
)

func TestIsName(t *testing.T) {
	f := func(s string, name, label bool) {
		t.Helper()
		if got := metric.IsName(s); got != name {
			t.Errorf("IsName(%q) = %v, want %v", s, got, name)
		}
		if got := metric.IsLabelName(s); got != label {
			t.Errorf("IsLabelName(%q) = %v, want %v", s, got, label)
		}
	}
	f("", false, false)
	f("a", true, true)
	f("A", true, true)
	f("_", true, true)
	f(":", true, false)
	f("a:b", true, false)
	f("up_total", true, true)
	f("Z09", true, true)
	f("a0", true, true)
	f("0a", false, false)
	f("9", false, false)
	f("_0", true, true)
	f("_a", true, true)
	f("__a", true, false)
	f("__", true, false)
	f("a__b", true, true)
	f("__name__", true, false)
	f("a-b", false, false)
	f("a.b", false, false)
	f("a b", false, false)
	f(" a", false, false)
	f("a\n", false, false)
	f("a\x00", false, false)
	f("é", false, false)
	f("aé", false, false)
	f("a\xff", false, false)
	f("[", false, false)
	f("`", false, false)
	f("{", false, false)
	f("@", false, false)
}

func TestIsUTF8Name(t *testing.T) {
	f := func(s string, name, label bool) {
		t.Helper()
		if got := metric.IsUTF8Name(s); got != name {
			t.Errorf("IsUTF8Name(%q) = %v, want %v", s, got, name)
		}
		if got := metric.IsUTF8LabelName(s); got != label {
			t.Errorf("IsUTF8LabelName(%q) = %v, want %v", s, got, label)
		}
	}
	f("", false, false)
	f("a", true, true)
	f("0", true, true)
	f(" ", true, true)
	f("\n", true, true)
	f("\x00", true, true)
	f(`a"b\`, true, true)
	f("a.b/c-d:e", true, true)
	f("日本", true, true)
	f("\ufffd", true, true)
	f("_a", true, true)
	f("_", true, true)
	f("._a", true, true)
	f("__a", true, false)
	f("__", true, false)
	f("__日本", true, false)
	f("a\xff", false, false)
	f("\xed\xa0\x80", false, false) // a surrogate
}

func TestSanitizeLabelName(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := metric.SanitizeLabelName(in); got != want {
			t.Errorf("SanitizeLabelName(%q) = %q, want %q", in, got, want)
		}
	}
	f("", "_")
	f("a", "a")
	f("aZ_9", "aZ_9")
	f("_a", "_a")
	f("__a", "_a")
	f("_____a", "_a")
	f("__", "_")
	f("_", "_")
	f("a__b", "a__b")
	f("0", "_0")
	f("0a", "_0a")
	f("__0", "_0")
	f("-", "_")
	f("--", "_")
	f("-0", "_0")
	f("a:b", "a_b")
	f("a-b.c/d", "a_b_c_d")
	f("app.kubernetes.io/name", "app_kubernetes_io_name")
	f("é", "_")
	f("éa", "_a")
	f("aéb", "a_b") // a character of two bytes is one underscore
	f("日本", "_")
	f("a\xff\xfeb", "a__b")
	f("\xff0", "_0")
}

func TestSanitizeLabelNameDoesNotAllocateForValidNames(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { metric.SanitizeLabelName("a_valid_name") }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// wantErr fails the test unless err is nil for an empty want, or contains it.
func wantErr(t *testing.T, what string, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: %v, want no error", what, err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("%s: error %v, want one with %q", what, err, want)
	}
}

func TestDescValidate(t *testing.T) {
	for _, c := range []struct {
		name string
		desc metric.Desc
		want string
	}{
		{"name only", metric.Desc{Name: "a"}, ""},
		{"all set", metric.Desc{Name: "a_seconds", Help: "Ü.", Unit: "seconds", Type: metric.Gauge}, ""},
		{"zero", metric.Desc{}, `metric name ""`},
		{"name of UTF-8", metric.Desc{Name: "http.server/Zürich"}, ""},
		{"name not UTF-8", metric.Desc{Name: "a\xff"}, "metric name"},
		{"help not UTF-8", metric.Desc{Name: "a", Help: "b\xff"}, "help of a is not valid UTF-8"},
		{"help of several lines", metric.Desc{Name: "a", Help: "b\nc"}, ""},
		{"unit before total", metric.Desc{Name: "a_seconds_total", Unit: "seconds", Type: metric.Counter}, ""},
		{"unit is total", metric.Desc{Name: "a_total", Unit: "total"}, `does not end in its unit "total"`},
		{"unit missing", metric.Desc{Name: "a", Unit: "seconds"}, "metric name a does not end in its unit"},
		{"unit without underscore", metric.Desc{Name: "aseconds", Unit: "seconds"}, "does not end in its unit"},
		{"name is the unit", metric.Desc{Name: "seconds", Unit: "seconds"}, "does not end in its unit"},
		{"unit in the middle", metric.Desc{Name: "a_seconds_b", Unit: "seconds"}, "does not end in its unit"},
		{"unit behind a dot", metric.Desc{Name: "http.server.seconds", Unit: "seconds"}, ""},
		{"unit behind a dot, before total", metric.Desc{Name: "http.server.seconds_total", Unit: "seconds"}, ""},
		{"unit behind a slash", metric.Desc{Name: "http/seconds", Unit: "seconds"}, "does not end in its unit"},
		{"unit with a dot", metric.Desc{Name: "a.k8s.cores", Unit: "k8s.cores"}, ""},
		{"unit before a total behind a dot", metric.Desc{Name: "a.seconds.total", Unit: "seconds"}, "does not end in its unit"},
		{"unit of two words", metric.Desc{Name: "a_meters_per_second", Unit: "meters_per_second"}, ""},
	} {
		wantErr(t, c.name, c.desc.Validate(), c.want)
	}
}

func TestSampleValidate(t *testing.T) {
	for _, c := range []struct {
		name   string
		typ    metric.Type
		sample metric.Sample
		want   string
	}{
		{"no labels", metric.Gauge, metric.Sample{Value: 1}, ""},
		{"sorted labels", metric.Gauge, metric.Sample{Labels: metric.Labels("b", "", "a", "Ü\n\"\\")}, ""},
		{"unsorted labels", metric.Gauge, metric.Sample{Labels: []metric.Label{{"b", ""}, {"a", ""}}}, `label "a" is there twice, or labels are not sorted`},
		{"label twice", metric.Gauge, metric.Sample{Labels: metric.Labels("a", "1", "a", "2")}, `label "a" is there twice`},
		{"label name empty", metric.Gauge, metric.Sample{Labels: metric.Labels("", "1")}, `label name ""`},
		{"label name of UTF-8", metric.Gauge, metric.Sample{Labels: metric.Labels("a:b", "1", "k8s.io/ü", "2")}, ""},
		{"label name reserved", metric.Gauge, metric.Sample{Labels: metric.Labels("__name__", "1")}, `label name "__name__"`},
		{"last label bad", metric.Gauge, metric.Sample{Labels: metric.Labels("a", "1", "b\xff", "1")}, `label name "b\xff"`},
		{"value not UTF-8", metric.Gauge, metric.Sample{Labels: metric.Labels("a", "\xff")}, `value of label "a" is not valid UTF-8`},
		{"gauge negative", metric.Gauge, metric.Sample{Value: -1}, ""},
		{"gauge NaN", metric.Gauge, metric.Sample{Value: nan}, ""},
		{"unknown -Inf", metric.Unknown, metric.Sample{Value: -inf}, ""},
		{"counter 0", metric.Counter, metric.Sample{}, ""},
		{"counter -0", metric.Counter, metric.Sample{Value: math.Copysign(0, -1)}, ""},
		{"counter +Inf", metric.Counter, metric.Sample{Value: inf}, ""},
		{"counter negative", metric.Counter, metric.Sample{Value: -1}, "counter has the value -1"},
		{"counter tiny negative", metric.Counter, metric.Sample{Value: -math.SmallestNonzeroFloat64}, "counter has the value"},
		{"counter -Inf", metric.Counter, metric.Sample{Value: -inf}, "counter has the value -Inf"},
		{"counter NaN", metric.Counter, metric.Sample{Value: nan}, "counter has the value NaN"},
		{"info 1", metric.Info, metric.Sample{Value: 1}, ""},
		{"info 0", metric.Info, metric.Sample{}, "info has the value 0"},
		{"info NaN", metric.Info, metric.Sample{Value: nan}, "info has the value NaN"},
		{"info almost 1", metric.Info, metric.Sample{Value: math.Nextafter(1, 2)}, "info has the value 1.0000000000000002"},
		{"state set 0", metric.StateSet, metric.Sample{}, ""},
		{"state set 1", metric.StateSet, metric.Sample{Value: 1}, ""},
		{"state set 2", metric.StateSet, metric.Sample{Value: 2}, "stateset has the value 2"},
		{"state set 0.5", metric.StateSet, metric.Sample{Value: 0.5}, "stateset has the value 0.5"},
		{"state set NaN", metric.StateSet, metric.Sample{Value: nan}, "stateset has the value NaN"},
	} {
		wantErr(t, c.name, c.sample.Validate(c.typ), c.want)
	}
}

// goodTimes are unknown, or of the years 1970 to 9999 as UTC has them.
func goodTimes() []time.Time {
	west, east := time.FixedZone("", -12*3600), time.FixedZone("", 14*3600)
	return []time.Time{
		{}, time.Time{}.In(east),
		time.Unix(0, 0), time.Unix(0, 1).In(west), time.Unix(1.7e9, 123), // 1969 by the clock on the wall
		time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC).In(east), // the year 10000 there
	}
}

// badTimes are next to the good ones, and far from them.
func badTimes() []time.Time {
	west, east := time.FixedZone("", -12*3600), time.FixedZone("", 14*3600)
	return []time.Time{
		time.Time{}.Add(1), time.Time{}.Add(-1),
		time.Unix(0, -1), time.Unix(0, -1).In(east), // 1970 by the clock on the wall
		time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC).In(west), // the year 9999 there
		time.Unix(1<<60, 0), time.Unix(-1<<60, 0),
	}
}

// TestSampleValidateTime checks both times of samples of every type.
func TestSampleValidateTime(t *testing.T) {
	f := func(at time.Time, want string) {
		t.Helper()
		for typ := metric.Unknown; typ <= metric.Summary; typ++ {
			s := metric.Sample{Value: 1}
			switch typ {
			case metric.Histogram, metric.GaugeHistogram:
				s.Histogram = new(metric.HistogramValue)
			case metric.Summary:
				s.Summary = new(metric.SummaryValue)
			}
			late, created := s, s
			late.Time, created.Created = at, at
			wantErr(t, typ.String()+" at "+at.String(), late.Validate(typ), want)
			wantErr(t, typ.String()+" since "+at.String(), created.Validate(typ), want)
		}
	}
	for _, at := range goodTimes() {
		f(at, "")
	}
	for _, at := range badTimes() {
		f(at, "time is not of the years 1970 to 9999")
	}
}

// TestExemplarOfEveryType: an exemplar is looked at wherever it is.
func TestExemplarOfEveryType(t *testing.T) {
	bad := &metric.Exemplar{Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}
	for typ := metric.Unknown; typ <= metric.Summary; typ++ {
		s := metric.Sample{Value: 1, Exemplar: bad}
		switch typ {
		case metric.Histogram, metric.GaugeHistogram:
			s.Histogram = new(metric.HistogramValue)
		case metric.Summary:
			s.Summary = new(metric.SummaryValue)
		}
		wantErr(t, typ.String(), s.Validate(typ), "exemplar: time")
	}
}
