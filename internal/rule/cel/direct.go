package cel

import (
	"cmp"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
)

// direct evaluates a simple expression without CEL: fields, literals, and
// comparisons, logic and choices of these. Where a value is not what makes it
// simple (a field that is missing, operands of two types) it gives up, and CEL
// decides: so it can only be faster, not different.
type direct func(vars []any) (out any, ok bool)

// directOf returns how to evaluate an expression directly, or nil.
func directOf(e ast.Expr, variables map[int64]int) direct {
	switch e.Kind() {
	case ast.LiteralKind:
		return literal(e)
	case ast.IdentKind, ast.SelectKind:
		return chain(e, variables)
	case ast.CallKind:
		call := e.AsCall()
		args := make([]direct, len(call.Args()))
		for i, arg := range call.Args() {
			if args[i] = directOf(arg, variables); args[i] == nil || call.IsMemberFunction() {
				return nil
			}
		}
		return operation(call.FunctionName(), args)
	}
	return nil
}

func literal(e ast.Expr) direct {
	var v any
	switch l := e.AsLiteral().(type) {
	case types.String:
		v = string(l)
	case types.Bool:
		v = bool(l)
	case types.Int:
		v = int64(l)
	case types.Double:
		v = float64(l)
	default:
		return nil
	}
	return func([]any) (any, bool) { return v, true }
}

// chain is a variable and the fields below it.
func chain(e ast.Expr, variables map[int64]int) direct {
	var fields []string
	for e.Kind() == ast.SelectKind {
		s := e.AsSelect()
		if s.IsTestOnly() {
			return nil
		}
		fields = append(fields, s.FieldName())
		e = s.Operand()
	}
	slot, ok := variables[e.ID()]
	if e.Kind() != ast.IdentKind || !ok || len(fields) == 0 {
		return nil
	}
	return func(vars []any) (any, bool) {
		v := vars[slot]
		for i := len(fields) - 1; i >= 0; i-- {
			m, isMap := v.(map[string]any)
			if !isMap {
				return nil, false
			}
			v = m[fields[i]]
		}
		switch v.(type) {
		case string, bool, int64, float64:
			return v, true
		}
		return nil, false
	}
}

// operation is an operator and its operands.
func operation(name string, args []direct) direct {
	switch name {
	case operators.Equals:
		return compared(args, func(order int) bool { return order == 0 })
	case operators.NotEquals:
		return compared(args, func(order int) bool { return order != 0 })
	case operators.Less:
		return compared(args, func(order int) bool { return order < 0 })
	case operators.LessEquals:
		return compared(args, func(order int) bool { return order <= 0 })
	case operators.Greater:
		return compared(args, func(order int) bool { return order > 0 })
	case operators.GreaterEquals:
		return compared(args, func(order int) bool { return order >= 0 })
	case operators.LogicalNot:
		return func(vars []any) (any, bool) {
			b, ok := truth(args[0], vars)
			return !b, ok
		}
	case operators.LogicalAnd, operators.LogicalOr:
		decides := name == operators.LogicalOr
		return func(vars []any) (any, bool) {
			b, ok := truth(args[0], vars)
			if !ok || b == decides {
				return b, ok
			}
			b, ok = truth(args[1], vars)
			return b, ok
		}
	case operators.Conditional:
		return func(vars []any) (any, bool) {
			b, ok := truth(args[0], vars)
			switch {
			case !ok:
				return nil, false
			case b:
				return args[1](vars)
			default:
				return args[2](vars)
			}
		}
	}
	return nil
}

// truth evaluates to a boolean.
func truth(d direct, vars []any) (b, ok bool) {
	v, ok := d(vars)
	if !ok {
		return false, false
	}
	b, ok = v.(bool)
	return b, ok
}

// compared compares two texts, or two whole numbers.
func compared(args []direct, holds func(order int) bool) direct {
	left, right := args[0], args[1]
	return func(vars []any) (any, bool) {
		l, ok := left(vars)
		if !ok {
			return nil, false
		}
		r, ok := right(vars)
		if !ok {
			return nil, false
		}
		switch l := l.(type) {
		case string:
			r, same := r.(string)
			return same && holds(cmp.Compare(l, r)), same
		case int64:
			r, same := r.(int64)
			return same && holds(cmp.Compare(l, r)), same
		}
		return nil, false
	}
}
