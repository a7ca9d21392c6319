package explain

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kubevitals/kubevitals/operator/metric"
)

// Selector says which series are asked about, as PromQL does: a name, and
// conditions on labels.
type Selector struct {
	text     string
	name     string // may be empty
	matchers []matcher
}

// matcher is a condition on a label.
type matcher struct {
	label, op, value string
	re               *regexp.Regexp
}

// nameLabel stands for the name of the family.
const nameLabel = "__name__"

// ParseSelector reads name{label="value",...} with the operators =, !=, =~ and
// !~.
func ParseSelector(text string) (*Selector, error) {
	p := &selectorParser{rest: strings.TrimSpace(text)}
	s := &Selector{text: p.rest}
	s.name = p.word()
	if err := p.matchers(s); err != nil {
		return nil, fmt.Errorf("series %q: %w", text, err)
	}
	if s.name == "" && len(s.matchers) == 0 {
		return nil, fmt.Errorf("series %q: name a family, or labels: family{label=\"value\"}", text)
	}
	return s, nil
}

// selectorParser holds what is left to read.
type selectorParser struct{ rest string }

var nameCharacters = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*`)

// word reads a name, which may not be there.
func (p *selectorParser) word() string {
	word := nameCharacters.FindString(p.rest)
	p.rest = strings.TrimSpace(p.rest[len(word):])
	return word
}

// take reads a fixed text if it is there.
func (p *selectorParser) take(text string) bool {
	rest, ok := strings.CutPrefix(p.rest, text)
	if ok {
		p.rest = strings.TrimSpace(rest)
	}
	return ok
}

func (p *selectorParser) matchers(s *Selector) error {
	if p.rest == "" {
		return nil
	}
	if !p.take("{") {
		return fmt.Errorf("a series is written family{label=\"value\"}, found %q", p.rest)
	}
	for !p.take("}") {
		m, err := p.matcher()
		if err != nil {
			return err
		}
		s.matchers = append(s.matchers, m)
		if !p.take(",") && !strings.HasPrefix(p.rest, "}") {
			return fmt.Errorf("expected a comma or a closing brace, found %q", p.rest)
		}
	}
	if p.rest != "" {
		return fmt.Errorf("unexpected %q behind the closing brace: a series is one selector, not an expression", p.rest)
	}
	return nil
}

func (p *selectorParser) matcher() (m matcher, err error) {
	if m.label = p.word(); m.label == "" {
		return m, fmt.Errorf("expected the name of a label, found %q", p.rest)
	}
	for _, op := range []string{"=~", "!~", "!=", "="} {
		if p.take(op) {
			m.op = op
			break
		}
	}
	if m.op == "" {
		return m, fmt.Errorf("expected =, !=, =~ or !~ behind %s, found %q", m.label, p.rest)
	}
	if m.value, err = p.quoted(); err != nil {
		return m, fmt.Errorf("label %s: %w", m.label, err)
	}
	if strings.HasSuffix(m.op, "~") {
		if _, err := regexp.Compile(m.value); err != nil {
			return m, fmt.Errorf("label %s: %q is not a regular expression (RE2): %w", m.label, m.value, err)
		}
		if m.re, err = regexp.Compile("^(?s:" + m.value + ")$"); err != nil {
			return m, fmt.Errorf("label %s: %q is not a regular expression (RE2): %w", m.label, m.value, err)
		}
	}
	return m, nil
}

// quoted reads a text in double quotes, single quotes or backticks.
func (p *selectorParser) quoted() (string, error) {
	if p.rest == "" || !strings.Contains("\"'`", p.rest[:1]) {
		return "", fmt.Errorf("expected a value in quotes, found %q", p.rest)
	}
	quote := p.rest[0]
	end := 1
	for end < len(p.rest) && p.rest[end] != quote {
		if p.rest[end] == '\\' && quote != '`' {
			end++
		}
		end++
	}
	if end >= len(p.rest) {
		return "", errors.New("the quotes are not closed")
	}
	inner := p.rest[1:end]
	p.rest = strings.TrimSpace(p.rest[end+1:])
	if quote == '`' {
		return inner, nil
	}
	var out strings.Builder
	for inner != "" {
		r, multibyte, tail, err := strconv.UnquoteChar(inner, quote)
		if err != nil {
			return "", errors.New("the quotes hold an escape that is none")
		}
		if multibyte {
			out.WriteRune(r)
		} else {
			out.WriteByte(byte(r))
		}
		inner = tail
	}
	return out.String(), nil
}

// family reports whether the selector is about a family.
func (s *Selector) family(d *metric.Desc) bool {
	if s.name != "" && !slices.Contains(seriesNames(d), s.name) {
		return false
	}
	return !slices.ContainsFunc(s.matchers, func(m matcher) bool { return m.label == nameLabel && !m.matches(d.Name) })
}

// seriesNames are the names that series of a family may have.
func seriesNames(d *metric.Desc) []string {
	names := []string{d.Name}
	if d.Type == metric.Histogram || d.Type == metric.GaugeHistogram {
		names = append(names, d.Name+"_bucket", d.Name+"_count", d.Name+"_sum")
	}
	return names
}

// conditions are the matchers on labels that samples of a family have.
func (s *Selector) conditions(d *metric.Desc) []matcher {
	return slices.DeleteFunc(slices.Clone(s.matchers), func(m matcher) bool {
		return m.label == nameLabel || m.label == "le" && len(seriesNames(d)) > 1
	})
}

func (m *matcher) matches(value string) bool {
	switch m.op {
	case "=":
		return value == m.value
	case "!=":
		return value != m.value
	case "=~":
		return m.re.MatchString(value)
	default:
		return !m.re.MatchString(value)
	}
}

// differs says how a label differs from what is asked for.
func (m *matcher) differs(value string) string {
	is := fmt.Sprintf("%s is %q", m.label, value)
	if value == "" {
		is = "there is no label " + m.label
	}
	if m.op == "=" {
		return fmt.Sprintf("%s, you asked for %q", is, m.value)
	}
	return fmt.Sprintf("%s, you asked for %s%q", is, m.op, m.value)
}
