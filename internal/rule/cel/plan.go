package cel

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/functions"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/interpreter"
)

// maxPattern bounds the instructions of a regular expression.
const maxPattern = 2000

// plan replaces nodes of one expression while CEL plans it: calls that can grow
// without bound get a check of their arguments, and all others learn to tell
// that null is absent from that an operation does not fit its operands.
type plan struct {
	ops       map[string]*functions.Overload
	exprs     map[int64]ast.Expr
	variables map[int64]int
	nodes     map[int64]interpreter.InterpretableV2
	heavy     int              // calls that may take long with large arguments
	fields    map[int64]direct // operands of calls that are fields
}

// planError is an expression that can be parsed and not be planned.
type planError struct {
	id      int64
	message string
}

func (e *planError) Error() string { return e.message }

// decorate is called for each node after those below it.
func (p *plan) decorate(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	id := i.ID()
	out, err := p.replace(id, i)
	if err != nil {
		return nil, err
	}
	if p.nodes == nil {
		p.nodes = make(map[int64]interpreter.InterpretableV2)
	}
	p.nodes[id] = out
	return out, nil
}

func (p *plan) replace(id int64, i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	if call, ok := i.(interpreter.InterpretableCall); ok {
		return p.call(call)
	}
	if d := p.fields[id]; d != nil {
		return &fieldOperand{InterpretableV2: i, direct: d}, nil
	}
	e := p.exprs[id]
	if e == nil || e.Kind() != ast.CallKind {
		return i, nil
	}
	switch name := e.AsCall().FunctionName(); name {
	case operators.LogicalAnd, operators.LogicalOr:
		return &watched{InterpretableV2: i, function: name, args: p.args(e.AsCall().Args())}, nil
	case operators.Conditional:
		if choice, ok := i.(interpreter.InterpretableAttribute); ok {
			return &watchedChoice{InterpretableAttribute: choice, args: p.args(e.AsCall().Args()[:1])}, nil
		}
	}
	return i, nil
}

func (p *plan) args(exprs []ast.Expr) []interpreter.InterpretableV2 {
	out := make([]interpreter.InterpretableV2, 0, len(exprs))
	for _, e := range exprs {
		if node := p.nodes[e.ID()]; node != nil {
			out = append(out, node)
		}
	}
	return out
}

func (p *plan) call(c interpreter.InterpretableCall) (interpreter.InterpretableV2, error) {
	name, args := c.Function(), c.Args()
	switch name {
	case "matches", "find", "findAll":
		p.heavy++
		return p.pattern(c)
	case operators.Add:
		return &addition{base: baseOf(c)}, nil
	case operators.Equals, operators.NotEquals:
		if scalar(args[0]) || scalar(args[1]) {
			if !p.bare(args[0]) && !p.bare(args[1]) {
				return c, nil
			}
		}
		return p.comparison(c), nil
	case operators.In:
		return p.comparison(c), nil
	}
	if check, ok := guards[name]; ok {
		p.heavy++
		return &guarded{base: baseOf(c), check: check, op: p.ops[name]}, nil
	}
	return &watched{InterpretableV2: c, function: name, overload: c.OverloadID(), args: args}, nil
}

func (p *plan) comparison(c interpreter.InterpretableCall) interpreter.InterpretableV2 {
	args := c.Args()
	if !scalar(args[0]) && !scalar(args[1]) {
		p.heavy++
	}
	n := &comparison{base: baseOf(c), left: p.bare(args[0]), right: p.bare(args[1])}
	if null(args[0]) || null(args[1]) {
		n.left, n.right = false, false
	}
	if n.left && n.function == operators.In {
		n.overload = "" // or CEL replaces the call where the list is constant
	}
	return n
}

// bare reports whether a node is a variable and nothing more.
func (p *plan) bare(i interpreter.InterpretableV2) bool {
	e := p.exprs[i.ID()]
	if e == nil || e.Kind() != ast.IdentKind {
		return false
	}
	_, ok := p.variables[e.ID()]
	return ok
}

// scalar reports whether a node is a constant that is no list or map.
func scalar(i interpreter.InterpretableV2) bool {
	c, ok := i.(interpreter.InterpretableConst)
	return ok && !aggregate(c.Value())
}

func null(i interpreter.InterpretableV2) bool {
	c, ok := i.(interpreter.InterpretableConst)
	return ok && c.Value() == types.NullValue
}

// pattern compiles the constant regular expression of a call.
func (p *plan) pattern(c interpreter.InterpretableCall) (interpreter.InterpretableV2, error) {
	constant, ok := c.Args()[1].(interpreter.InterpretableConst)
	if !ok {
		return nil, &planError{c.ID(), fmt.Sprintf("%s: the regular expression is not constant: write it as a string literal", c.Function())}
	}
	source, ok := constant.Value().(types.String)
	if !ok {
		return nil, &planError{c.ID(), fmt.Sprintf("%s: the regular expression is not a string", c.Function())}
	}
	re, err := regexp.Compile(string(source))
	if err != nil {
		return nil, &planError{constant.ID(), strings.TrimPrefix(err.Error(), "error parsing regexp: ") + ": not a regular expression"}
	}
	size := patternSize(string(source))
	if size > maxPattern {
		return nil, &planError{constant.ID(), fmt.Sprintf("the regular expression compiles to %d instructions, more than %d: repeat less in it", size, maxPattern)}
	}
	return &pattern{base: baseOf(c), re: re, size: size}, nil
}

// patternSize returns the number of instructions of a valid regular expression.
func patternSize(source string) int {
	parsed, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return 0
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0
	}
	return len(program.Inst)
}
