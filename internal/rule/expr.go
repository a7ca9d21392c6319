package rule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// exprSpec is an expression as it is written, or a list of which the first
// present one counts.
type exprSpec struct {
	alternatives []*yaml.Node
}

func (e exprSpec) empty() bool { return len(e.alternatives) == 0 }

// expr reads an expression: a scalar or a list of scalars.
func (r Reporter) expr(n *yaml.Node) exprSpec {
	if n.Kind != yaml.SequenceNode {
		n = &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{n}, Line: n.Line, Column: n.Column}
	}
	var e exprSpec
	r.Each(n, func(item *yaml.Node) {
		if item.Kind != yaml.ScalarNode || item.Value == "" {
			r.Errorf(item, "expected an expression, found %s", kindName(item))
			return
		}
		e.alternatives = append(e.alternatives, item)
	})
	return e
}

// expr is a compiled expression list: the first alternative that is present.
type expr []alternative

// alternative is a literal, a variable and the steps from it, or anything else
// that an [Expression] computes.
type alternative struct {
	source   string
	at       Position
	literal  any
	slot     int
	path     Path
	plain    bool       // it is a variable and a path, and nothing else
	legacy   LegacyPath // instead of path, of a labelsFromPath
	computed Expression // instead of path
}

// Expression is a compiled expression that is no plain path. It is immutable
// and shared.
type Expression interface {
	// Eval returns the value for some variables, by their slots: what JSON
	// gives, a [time.Time] or a [time.Duration], or nil when it is absent. An
	// expression that is stopped returns an [ErrBudget].
	Eval(ctx context.Context, vars []any) (any, error)
	// Reads returns the slots of the variables that it reads.
	Reads() []int
	// Paths returns the chains of fields that it reads, each from the name of
	// a variable; "[]" is any element.
	Paths() [][]string
}

// eval returns the value of the expression, or nil when all alternatives are
// absent.
func (e expr) eval(c *Context) (any, error) {
	if len(e) == 1 && e[0].plain {
		return e[0].path.Walk(c.vars[e[0].slot]), nil // the usual case
	}
	for i := range e {
		if v, err := e[i].eval(c); v != nil || err != nil {
			return v, err
		}
	}
	return nil, nil
}

// plainField is a field of a variable: what most labels are. The zero value is
// none.
type plainField struct {
	slot int
	key  string
}

// field returns the expression as a field of a variable, if it is one.
func (e expr) field() (f plainField) {
	if len(e) == 1 && e[0].plain && len(e[0].path) == 1 && e[0].path[0].kind == stepField {
		f = plainField{e[0].slot, e[0].path[0].key}
	}
	return f
}

// text returns the field if it is a text.
func (f *plainField) text(c *Context) (s string, ok bool) {
	if f.key == "" {
		return "", false
	}
	m, _ := c.vars[f.slot].(map[string]any)
	s, ok = m[f.key].(string)
	return s, ok
}

func (a *alternative) eval(c *Context) (any, error) {
	switch {
	case a.literal != nil:
		return a.literal, nil
	case a.computed != nil:
		v, err := a.computed.Eval(&c.budget, c.vars)
		if err != nil {
			return nil, &expressionError{a.source, err}
		}
		return v, nil
	case a.legacy != nil:
		return a.legacy.Walk(c.vars[a.slot]), nil
	default:
		return a.path.Walk(c.vars[a.slot]), nil
	}
}

// reads returns the slots of the variables that an expression reads.
func (e expr) reads() []int {
	var out []int
	for i := range e {
		switch {
		case e[i].literal != nil:
		case e[i].computed != nil:
			out = append(out, e[i].computed.Reads()...)
		default:
			out = append(out, e[i].slot)
		}
	}
	return out
}

// constant returns the text of an expression that is a literal.
func (e expr) constant() (string, bool) {
	if len(e) == 0 || e[0].literal == nil {
		return "", false
	}
	return text(e[0].literal)
}

// names are the variables in scope: the slot of a name is its index.
type names []string

// Slots of the variables that are always there. A variable whose name is empty
// cannot be named.
const (
	slotObject = iota
	slotGVK
	slotParam
	firstScope
)

// expressions compiles what is no plain path.
type expressions func(source string, names []string) (Expression, error)

// compile turns an expression into its executable form.
func (c *compiler) compile(r Reporter, e exprSpec, scope names) expr {
	out := make(expr, 0, len(e.alternatives))
	for _, n := range e.alternatives {
		a, offset, err := parseAlternative(n.Value, scope, c.opts.Expression)
		if err == nil {
			err = c.checkParameter(&a)
		}
		if err != nil {
			at := *n
			if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 && !strings.Contains(n.Value[:min(offset, len(n.Value))], "\n") {
				at.Column += offset
				if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
					at.Column++
				}
			}
			r.Errorf(&at, "expression %q: %v", n.Value, err)
			continue
		}
		a.source, a.at = n.Value, Position{File: r.file, Line: n.Line, Column: n.Column}
		out = append(out, a)
	}
	return out
}

// parseAlternative parses a literal, a plain path, or anything else. The offset
// says where in the source an error is.
func parseAlternative(src string, scope names, other expressions) (a alternative, offset int, err error) {
	if literal, ok := parseLiteral(src); ok {
		return alternative{literal: literal}, 0, nil
	}
	name := src[:identifier(src)]
	path, offset, err := parseSteps(src, len(name))
	if name == "" || err != nil {
		a, at, otherErr := compute(src, scope, other)
		if name == "" || otherErr == nil || other != nil && errors.Is(err, errNotPlain) {
			return a, at, otherErr
		}
		return a, offset, err // it was meant to be a path
	}
	slot := slices.Index(scope, name)
	if slot < 0 {
		return a, 0, explainCEL(src, scope, fmt.Errorf("undeclared reference to '%s'", name))
	}
	return alternative{slot: slot, path: path, plain: true}, 0, nil
}

// compute compiles what is no plain path.
func compute(src string, scope names, other expressions) (a alternative, offset int, err error) {
	if other == nil {
		return a, 0, errNotPlain
	}
	a.computed, err = other(src, scope)
	var at interface{ At() int }
	if errors.As(err, &at) {
		offset = at.At()
	}
	if err != nil {
		err = explainCEL(src, scope, err)
	}
	return a, offset, err
}

var errNotPlain = errors.New("not a plain path: a name followed by .field, [\"key\"], [0] or [key=value]")

// parseLiteral parses a CEL literal: a quoted string without escapes, a number,
// true or false.
func parseLiteral(src string) (any, bool) {
	if n := len(src); n >= 2 && (src[0] == '\'' || src[0] == '"') && src[n-1] == src[0] {
		text := src[1 : n-1]
		return text, !strings.ContainsAny(text, string(src[0])+`\`)
	}
	if src == "true" || src == "false" {
		return src == "true", true
	}
	if c := src[0]; c != '-' && (c < '0' || c > '9') {
		return nil, false
	}
	if i, err := strconv.ParseInt(src, 10, 64); err == nil {
		return i, true
	}
	f, err := strconv.ParseFloat(src, 64)
	return f, err == nil
}

// identifier returns the length of the identifier that s starts with.
func identifier(s string) int {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return i
		}
	}
	return len(s)
}

// parseSteps parses the steps of src from index i on.
func parseSteps(src string, i int) (Path, int, error) {
	var path Path
	for i < len(src) {
		switch src[i] {
		case '.':
			n := identifier(src[i+1:])
			if n == 0 {
				return nil, i, stepError(src[i+1:])
			}
			path = append(path, Field(src[i+1:i+1+n]))
			i += 1 + n
		case '[':
			step, n, err := parseBracket(src[i:])
			if err != nil {
				return nil, i, err
			}
			path = append(path, step)
			i += n
		default:
			return nil, i, errNotPlain
		}
	}
	return path, 0, nil
}

func stepError(rest string) error {
	if rest == "" {
		return fmt.Errorf("the path ends in a dot")
	}
	return fmt.Errorf("a field name must match [a-zA-Z_][a-zA-Z0-9_]*: write others as [\"key\"]")
}

// parseBracket parses a step in brackets at the start of s and returns its
// length.
func parseBracket(s string) (Step, int, error) {
	if len(s) > 2 && (s[1] == '"' || s[1] == '\'') {
		end := strings.IndexByte(s[2:], s[1])
		if end < 0 || 2+end+1 >= len(s) || s[2+end+1] != ']' {
			return Step{}, 0, fmt.Errorf("the key is not closed: expected %c]", s[1])
		}
		return Field(s[2 : 2+end]), 2 + end + 2, nil
	}
	end := strings.IndexByte(s, ']')
	if end < 0 {
		return Step{}, 0, fmt.Errorf("the bracket is not closed")
	}
	inner := s[1:end]
	if i, err := strconv.Atoi(inner); err == nil {
		return Index(i), end + 1, nil
	}
	key, value, ok := strings.Cut(inner, "=")
	if text := strings.Trim(value, `"'`); ok && key != "" && len(text)+2 == len(value) && identifier(key) == len(key) {
		return Step{}, 0, fmt.Errorf("[%s]: the value stands without quotes: [%s=%s]", inner, key, text)
	}
	if !ok || key == "" || strings.HasPrefix(value, "=") {
		return Step{}, 0, errNotPlain
	}
	return Match(key, value), end + 1, nil
}
