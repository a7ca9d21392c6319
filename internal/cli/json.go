package cli

import (
	"encoding/json"
	"io"
	"math"
	"strconv"

	"github.com/kubevitals/kubevitals/operator/exposition"
)

// jsonFamily is a metric family as "eval --format json" prints it.
type jsonFamily struct {
	Name    string       `json:"name"`
	Help    string       `json:"help"`
	Type    string       `json:"type"`
	Samples []jsonSample `json:"samples"`
}

type jsonSample struct {
	Labels map[string]string `json:"labels"`
	Value  jsonNumber        `json:"value"`
}

// jsonNumber is a number, or a string for those that JSON does not have.
type jsonNumber float64

// MarshalJSON writes NaN and the infinities as strings.
func (n jsonNumber) MarshalJSON() ([]byte, error) {
	v := float64(n)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.AppendQuote(nil, string(exposition.AppendValue(nil, v))), nil
	}
	return json.Marshal(v)
}

func writeJSON(w io.Writer, families []exposition.Rendered) error {
	out := make([]jsonFamily, 0, len(families))
	for _, r := range families {
		f := jsonFamily{Name: r.Name, Help: r.Help, Type: r.Type.String()}
		for _, c := range r.Chunks {
			lines, err := c.Append(nil)
			if err != nil {
				return err
			}
			samples, err := exposition.ParseSamples(r.Name, lines)
			if err != nil {
				return err
			}
			for _, s := range samples {
				labels := make(map[string]string, len(s.Labels))
				for _, l := range s.Labels {
					labels[l.Name] = l.Value
				}
				f.Samples = append(f.Samples, jsonSample{labels, jsonNumber(s.Value)})
			}
		}
		out = append(out, f)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out)
}
