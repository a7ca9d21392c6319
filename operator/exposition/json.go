package exposition

import (
	"encoding/json"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// JSON writes expositions as JSON (RFC 8259): an array of families, each with
// its samples, as in
//
//	[{"name":"up","type":"gauge","samples":[{"labels":{"job":"a"},"value":1}]}]
//
// A number that JSON cannot express is a string: "NaN", "+Inf" or "-Inf". Times
// are RFC 3339. It leaves out native histograms. The zero value is ready to use.
type JSON struct{}

// ContentType returns the media type of JSON, whatever the request accepts.
func (JSON) ContentType(string) string { return "application/json" }

// Encode writes the families, one after the other.
func (JSON) Encode(w io.Writer, _ string, families []metric.Family) error {
	sep := []byte("[")
	for i := range families {
		data, err := json.Marshal(newJSONFamily(&families[i]))
		if err != nil {
			return err
		}
		if _, err := w.Write(append(sep, data...)); err != nil {
			return err
		}
		sep = []byte(",\n")
	}
	end := "]\n"
	if len(families) == 0 {
		end = "[]\n"
	}
	_, err := io.WriteString(w, end)
	return err
}

type jsonFamily struct {
	Name    string       `json:"name"`
	Type    string       `json:"type"`
	Help    string       `json:"help,omitempty"`
	Unit    string       `json:"unit,omitempty"`
	Samples []jsonSample `json:"samples"`
}

type jsonSample struct {
	Labels    jsonLabels     `json:"labels"`
	Value     *jsonNumber    `json:"value,omitempty"`
	Count     *jsonNumber    `json:"count,omitempty"`
	Sum       *jsonNumber    `json:"sum,omitempty"`
	Buckets   []jsonBucket   `json:"buckets,omitempty"`
	Quantiles []jsonQuantile `json:"quantiles,omitempty"`
	Exemplar  *jsonExemplar  `json:"exemplar,omitempty"`
	Created   *time.Time     `json:"created,omitempty"`
	Time      *time.Time     `json:"time,omitempty"`
}

type jsonBucket struct {
	UpperBound jsonNumber    `json:"upperBound"`
	Count      jsonNumber    `json:"count"`
	Exemplar   *jsonExemplar `json:"exemplar,omitempty"`
}

type jsonQuantile struct {
	Quantile jsonNumber `json:"quantile"`
	Value    jsonNumber `json:"value"`
}

type jsonExemplar struct {
	Labels jsonLabels `json:"labels"`
	Value  jsonNumber `json:"value"`
	Time   *time.Time `json:"time,omitempty"`
}

func newJSONFamily(f *metric.Family) jsonFamily {
	out := jsonFamily{
		Name: f.Name, Type: f.Type.String(), Help: f.Help, Unit: f.Unit,
		Samples: make([]jsonSample, len(f.Samples)),
	}
	for i := range f.Samples {
		out.Samples[i] = newJSONSample(&f.Samples[i])
	}
	return out
}

func newJSONSample(s *metric.Sample) jsonSample {
	out := jsonSample{
		Labels: jsonLabels(s.Labels), Exemplar: newJSONExemplar(s.Exemplar),
		Created: jsonTime(s.Created), Time: jsonTime(s.Time),
	}
	number := func(v float64) *jsonNumber { n := jsonNumber(v); return &n }
	switch {
	case s.Histogram != nil:
		out.Count, out.Sum = number(s.Histogram.Count), number(s.Histogram.Sum)
		for _, b := range s.Histogram.Buckets {
			out.Buckets = append(out.Buckets, jsonBucket{jsonNumber(b.UpperBound), jsonNumber(b.Count), newJSONExemplar(b.Exemplar)})
		}
	case s.Summary != nil:
		out.Count, out.Sum = number(s.Summary.Count), number(s.Summary.Sum)
		for _, q := range s.Summary.Quantiles {
			out.Quantiles = append(out.Quantiles, jsonQuantile{jsonNumber(q.Quantile), jsonNumber(q.Value)})
		}
	default:
		out.Value = number(s.Value)
	}
	return out
}

func newJSONExemplar(e *metric.Exemplar) *jsonExemplar {
	if e == nil {
		return nil
	}
	return &jsonExemplar{Labels: jsonLabels(e.Labels), Value: jsonNumber(e.Value), Time: jsonTime(e.Time)}
}

func jsonTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// jsonNumber is a float64 that need not be finite.
type jsonNumber float64

// MarshalJSON writes the number, or the name that Prometheus has for it.
func (n jsonNumber) MarshalJSON() ([]byte, error) {
	v := float64(n)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.AppendQuote(nil, string(AppendValue(nil, v))), nil
	}
	return json.Marshal(v)
}

// jsonLabels are labels as an object, in their order.
type jsonLabels []metric.Label

// MarshalJSON writes an object.
func (ls jsonLabels) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, l := range ls {
		if i > 0 {
			out = append(out, ',')
		}
		for j, s := range []string{l.Name, l.Value} {
			data, err := json.Marshal(s)
			if err != nil {
				return nil, err
			}
			out = append(out, data...)
			if j == 0 {
				out = append(out, ':')
			}
		}
	}
	return append(out, '}'), nil
}
