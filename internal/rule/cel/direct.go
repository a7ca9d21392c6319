package cel

import (
	"math"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
)

// direct evaluates a simple expression without CEL: fields, literals, and
// comparisons, logic, choices, arithmetic and the usual functions of these. Where
// a value is not what makes it simple (a field that is missing, operands of two
// types, a number that overflows) it gives up, and CEL decides: so it can only be
// faster, not different.
type direct func(vars []any) (out any, ok bool)

// directOf returns how to evaluate an expression directly, or nil.
func directOf(e ast.Expr, variables map[int64]int) direct {
	switch e.Kind() {
	case ast.LiteralKind:
		return literal(e)
	case ast.IdentKind:
		return nil // as it is, it can be large: CEL hands it on
	case ast.SelectKind:
		if e.AsSelect().IsTestOnly() {
			return present(e, variables)
		}
		return field(e, variables)
	case ast.CallKind:
		call := e.AsCall()
		args := call.Args()
		if call.IsMemberFunction() {
			args = append([]ast.Expr{call.Target()}, args...)
		}
		return directCall(e, call.FunctionName(), args, variables)
	}
	return nil
}

// directCall is a call of an operator or a function. The target of a member call
// is its first argument.
func directCall(e ast.Expr, name string, args []ast.Expr, variables map[int64]int) direct {
	switch name {
	case "orValue":
		return orValue(args, variables)
	case operators.Index:
		return field(e, variables)
	case operators.In:
		return member(directOf(args[0], variables), args[1], variables)
	case "size":
		return size(args, variables)
	case "matches":
		return matches(directOf(args[0], variables), args[1])
	case kstatusName, polarityName, healthyName:
		return directHealth(name, args, variables)
	}
	operands := make([]direct, len(args))
	for i, arg := range args {
		if operands[i] = directOf(arg, variables); operands[i] == nil {
			return nil
		}
	}
	if d := operation(name, operands); d != nil {
		return d
	}
	return function(name, operands)
}

func literal(e ast.Expr) direct {
	v := literalValue(e)
	if v == nil {
		return nil
	}
	return func([]any) (any, bool) { return v, true }
}

// literalValue returns a literal that JSON has too, or nil.
func literalValue(e ast.Expr) any {
	if e.Kind() != ast.LiteralKind {
		return nil
	}
	switch l := e.AsLiteral().(type) {
	case types.String:
		return string(l)
	case types.Bool:
		return bool(l)
	case types.Int:
		return int64(l)
	case types.Double:
		return float64(l)
	}
	return nil
}

// chain is a variable and the steps below it, last step first.
type chain struct {
	slot     int
	steps    []chainStep
	optional int // how many steps may find nothing: those from the first .?field on
}

// chainStep is the value of a key, or an element of a list.
type chainStep struct {
	key   string
	index int
	list  bool
}

// chainOf returns an expression as a chain.
func chainOf(e ast.Expr, variables map[int64]int) (c chain, ok bool) {
	for {
		switch e.Kind() {
		case ast.IdentKind:
			c.slot, ok = variables[e.ID()]
			return c, ok
		case ast.SelectKind:
			s := e.AsSelect()
			if s.IsTestOnly() {
				return c, false
			}
			c.steps = append(c.steps, chainStep{key: s.FieldName()})
			e = s.Operand()
		case ast.CallKind:
			call := e.AsCall()
			optional := call.FunctionName() == operators.OptSelect
			if !optional && call.FunctionName() != operators.Index {
				return c, false
			}
			switch key := literalValue(call.Args()[1]).(type) {
			case string:
				if optional {
					c.optional = len(c.steps) + 1
				}
				c.steps = append(c.steps, chainStep{key: key})
			case int64:
				if key < 0 || key > math.MaxInt32 {
					return c, false
				}
				c.steps = append(c.steps, chainStep{index: int(key), list: true})
			default:
				return c, false
			}
			e = call.Args()[0]
		default:
			return c, false
		}
	}
}

// walk returns what the chain leads to. It returns nothing known when a step
// cannot be taken, or finds no key and is optional.
func (c *chain) walk(vars []any) any {
	v := vars[c.slot]
	for i := len(c.steps) - 1; i >= 0; i-- {
		s := &c.steps[i]
		if s.list {
			list, isList := v.([]any)
			if !isList || s.index >= len(list) {
				return nil
			}
			v = list[s.index]
			continue
		}
		m, isMap := v.(map[string]any)
		if !isMap {
			return nil
		}
		if v = m[s.key]; v == nil && i < c.optional {
			if _, null := m[s.key]; null {
				return nil
			}
			return nothing{}
		}
	}
	return v
}

// nothing is what a chain with an optional step leads to when a key is missing.
type nothing struct{}

// field is a chain that leads to a scalar.
func field(e ast.Expr, variables map[int64]int) direct {
	c, ok := chainOf(e, variables)
	if !ok || c.optional > 0 {
		return nil
	}
	return func(vars []any) (any, bool) {
		switch v := c.walk(vars); v.(type) {
		case string, bool, int64, float64:
			return v, true
		}
		return nil, false
	}
}

// operandFields returns the fields that are operands of functions and operators,
// by their ids. What CEL selects from, or chooses, it wants as an attribute.
func operandFields(exprs map[int64]ast.Expr, variables map[int64]int) map[int64]direct {
	out := make(map[int64]direct)
	add := func(e ast.Expr) {
		if e.Kind() == ast.SelectKind && !e.AsSelect().IsTestOnly() {
			if d := field(e, variables); d != nil {
				out[e.ID()] = d
			}
		}
	}
	for _, e := range exprs {
		if e.Kind() != ast.CallKind {
			continue
		}
		call := e.AsCall()
		switch call.FunctionName() {
		case operators.Index, operators.OptIndex, operators.OptSelect, operators.Conditional:
			continue
		}
		if call.IsMemberFunction() {
			add(call.Target())
		}
		for _, arg := range call.Args() {
			add(arg)
		}
	}
	return out
}

// present is has(chain).
func present(e ast.Expr, variables map[int64]int) direct {
	c, ok := chainOf(e.AsSelect().Operand(), variables)
	if !ok || c.optional > 0 {
		return nil
	}
	key := e.AsSelect().FieldName()
	return func(vars []any) (any, bool) {
		m, isMap := c.walk(vars).(map[string]any)
		_, has := m[key]
		return has, isMap
	}
}
