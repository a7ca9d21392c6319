package kopf

import (
	"fmt"
	"strconv"
	"time"

	"github.com/kubevitals/kubevitals/operator/metric"
)

var (
	valueDesc = metric.Desc{Name: "kopf_probe_value", Help: "Numbers and bools that the probes of the kopf operator return."}
	infoDesc  = metric.Desc{Name: "kopf_probe_info", Help: "Strings that the probes of the kopf operator return, where asked for.", Type: metric.Info}
	timeDesc  = metric.Desc{Name: "kopf_probe_timestamp_seconds", Help: "Times that the probes of the kopf operator return, where asked for, since 1970.", Unit: "seconds", Type: metric.Gauge}
)

// mapping turns the probes of one answer into samples.
type mapping struct {
	*reader
	*builder
	taken map[string]bool // paths of values that rules have taken, from the probe on
}

// families turns the probes of an answer into families. What cannot be is left
// out, and is in the error. Rules come first and envelopes before what has no
// type, so that of two types of one family, and of too many samples, it is
// always the same that stays.
func (r *reader) families(probes map[string]any) ([]metric.Family, error) {
	m := mapping{r, &builder{most: r.maxValues, families: make(map[string]*building)}, make(map[string]bool)}
	for i := range r.rules {
		if v, ok := probes[r.rules[i].probe]; ok {
			m.rule(&r.rules[i], v)
		}
	}
	ids := sortedKeys(probes)
	for _, id := range ids {
		if v, ok := (step{key: envelopeKey}).of(probes[id]); ok {
			m.envelope(id, v)
		}
	}
	for _, id := range ids {
		m.walk(path{{key: id}}, probes[id])
	}
	return m.finish()
}

// rule adds what a rule finds in the value of its probe.
func (m *mapping) rule(r *rule, value any) {
	r.path.find(value, nil, m.maxItems, func(at path, found any) {
		switch {
		case found == nil:
			return
		case at.size() > maxLabel:
			m.problem("%s: %v", r.place, errLongPath)
			return
		}
		s, err := r.sample(value, at, found)
		if err == nil {
			err = m.add(r.desc, s)
		}
		if err != nil {
			m.problem("%s: at $%s: %v", r.place, dotted(at), err)
			return
		}
		m.taken[append(path{{key: r.probe}}, at...).String()] = true
	})
}

// dotted writes a path as it follows a dollar sign.
func dotted(p path) string {
	s := p.String()
	if s == "" || s[0] == '[' {
		return s
	}
	return "." + s
}

// walk adds the values without a type, by their path from the probe on.
func (m *mapping) walk(at path, v any) {
	if at.size() > maxLabel {
		m.problem("%.100s...: %v", at, errLongPath)
		return
	}
	switch v := v.(type) {
	case number, bool:
		if f, err := numberOf(v); err == nil && !m.taken[at.String()] {
			m.value(valueDesc, at, f)
		}
	case string:
		m.text(at, v)
	default:
		children(v, m.maxItems, func(s step, x any) {
			if isEnvelope := len(at) == 1 && s.key == envelopeKey; !isEnvelope {
				m.walk(append(at, s), x)
			}
		})
	}
}

func (m *mapping) text(at path, text string) {
	if covered, _ := at.coveredBy(m.info); covered {
		m.value(infoDesc, at, 1, metric.Label{Name: "value", Value: text})
	}
	covered, exactly := at.coveredBy(m.timestamps)
	if !covered {
		return
	}
	seconds, err := secondsOf(text)
	switch {
	case err == nil:
		m.value(timeDesc, at, seconds)
	case exactly:
		m.problem("%s, one of Timestamps: %v", at, err)
	}
}

// value adds a sample of one of the families that have the labels probe and path.
func (m *mapping) value(d metric.Desc, at path, v float64, more ...metric.Label) {
	labels := append(metric.Labels("path", at[1:].String(), "probe", at[0].key), more...)
	if err := m.add(d, metric.Sample{Labels: labels, Value: v}); err != nil {
		m.problem("%s: %v", at, err)
	}
}

// numberOf returns the value of a number or a bool, or the seconds since 1970 of
// a string.
func numberOf(v any) (float64, error) {
	switch v := v.(type) {
	case number:
		return v.float(), nil
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case string:
		seconds, err := secondsOf(v)
		if err != nil {
			err = fmt.Errorf("it is a string, and %w", err)
		}
		return seconds, err
	}
	return 0, fmt.Errorf("it is %s, not a number", kindOf(v))
}

// secondsOf returns the seconds since 1970 of an RFC 3339 time.
func secondsOf(text string) (float64, error) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, fmt.Errorf("%.60q is no RFC 3339 time such as 2019-11-07T18:03:52+00:00; in Python, use datetime.now(timezone.utc).isoformat()", text)
	}
	return float64(t.UnixMicro()) / 1e6, nil
}

// textOf returns a scalar as a label has it: numbers as they were written.
func textOf(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case number:
		return string(v), nil
	case bool:
		return strconv.FormatBool(v), nil
	}
	return "", fmt.Errorf("it is %s, not a string, number or bool", kindOf(v))
}

// kindOf returns what a value is, in words.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a bool"
	case number:
		return "a number"
	case string:
		return "a string"
	case []any:
		return "a list"
	default:
		return "an object"
	}
}
