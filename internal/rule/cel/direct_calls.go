package cel

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
)

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
		return logic(args, name == operators.LogicalOr)
	case operators.Conditional:
		return choice(args)
	case operators.Add, operators.Subtract, operators.Multiply, operators.Divide:
		return arithmetic(name, args)
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

// logic is && or ||; decides is the value of the first operand that decides it.
func logic(args []direct, decides bool) direct {
	return func(vars []any) (any, bool) {
		b, ok := truth(args[0], vars)
		if !ok || b == decides {
			return b, ok
		}
		b, ok = truth(args[1], vars)
		return b, ok
	}
}

func choice(args []direct) direct {
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

// pair evaluates two operands.
func pair(args []direct, vars []any) (l, r any, ok bool) {
	if l, ok = args[0](vars); !ok {
		return nil, nil, false
	}
	r, ok = args[1](vars)
	return l, r, ok
}

// compared compares two texts, or two whole numbers.
func compared(args []direct, holds func(order int) bool) direct {
	return func(vars []any) (any, bool) {
		l, r, ok := pair(args, vars)
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

// arithmetic calculates with two numbers of one type. Whole numbers must be small
// enough not to overflow.
func arithmetic(operator string, args []direct) direct {
	return func(vars []any) (any, bool) {
		l, r, ok := pair(args, vars)
		if !ok {
			return nil, false
		}
		switch l := l.(type) {
		case float64:
			r, same := r.(float64)
			return calculate(operator, l, r), same
		case int64:
			r, same := r.(int64)
			if !same || l != int64(int32(l)) || r != int64(int32(r)) || r == 0 && operator == operators.Divide {
				return nil, false
			}
			return calculate(operator, l, r), true
		}
		return nil, false
	}
}

func calculate[T int64 | float64](operator string, l, r T) T {
	switch operator {
	case operators.Add:
		return l + r
	case operators.Subtract:
		return l - r
	case operators.Multiply:
		return l * r
	default:
		return l / r
	}
}

// function is a function of scalars.
func function(name string, args []direct) direct {
	switch {
	case name == "startsWith" && len(args) == 2:
		return ofTexts(args, strings.HasPrefix)
	case name == "endsWith" && len(args) == 2:
		return ofTexts(args, strings.HasSuffix)
	case name == "contains" && len(args) == 2:
		return ofTexts(args, strings.Contains)
	case name == "double" && len(args) == 1:
		return func(vars []any) (any, bool) {
			v, _ := args[0](vars)
			switch v := v.(type) {
			case int64:
				return float64(v), true
			case float64:
				return v, true
			}
			return nil, false
		}
	}
	return nil
}

func ofTexts(args []direct, holds func(s, part string) bool) direct {
	return func(vars []any) (any, bool) {
		l, r, ok := pair(args, vars)
		if !ok {
			return nil, false
		}
		s, isText := l.(string)
		part, also := r.(string)
		if !isText || !also {
			return nil, false
		}
		return holds(s, part), true
	}
}

// member is in with a list of texts or of whole numbers.
func member(element direct, list ast.Expr, variables map[int64]int) direct {
	if c, ok := chainOf(list, variables); ok && c.optional == 0 && element != nil {
		return memberOf(element, c)
	}
	if element == nil || list.Kind() != ast.ListKind || list.AsList().Size() == 0 {
		return nil
	}
	texts, numbers := []string(nil), []int64(nil)
	for _, e := range list.AsList().Elements() {
		switch v := literalValue(e).(type) {
		case string:
			texts = append(texts, v)
		case int64:
			numbers = append(numbers, v)
		default:
			return nil
		}
	}
	if len(texts) > 0 && len(numbers) > 0 || len(list.AsList().OptionalIndices()) > 0 {
		return nil
	}
	return func(vars []any) (any, bool) {
		v, ok := element(vars)
		if !ok {
			return nil, false
		}
		switch v := v.(type) {
		case string:
			return slices.Contains(texts, v), numbers == nil
		case int64:
			return slices.Contains(numbers, v), texts == nil
		}
		return nil, false
	}
}

// memberOf is a text in a short list of texts.
func memberOf(element direct, list chain) direct {
	return func(vars []any) (any, bool) {
		want, ok := textOf(element, vars)
		all, isList := list.walk(vars).([]any)
		if !ok || !isList || len(all) > maxTexts {
			return nil, false
		}
		for _, v := range all {
			s, isText := v.(string)
			switch {
			case !isText:
				return nil, false
			case s == want:
				return true, true
			}
		}
		return false, true
	}
}

// maxTexts bounds the lists that are looked through without CEL.
const maxTexts = 100

// orValue is a chain with optional steps, or another value where it leads to
// nothing.
func orValue(args []ast.Expr, variables map[int64]int) direct {
	c, ok := chainOf(args[0], variables)
	other := directOf(args[1], variables)
	if !ok || c.optional == 0 || other == nil {
		return nil
	}
	return func(vars []any) (any, bool) {
		switch v := c.walk(vars); v.(type) {
		case nothing:
			return other(vars)
		case string, bool, int64, float64:
			return v, true
		}
		return nil, false
	}
}

// size is the length of what a chain leads to.
func size(args []ast.Expr, variables map[int64]int) direct {
	if len(args) != 1 {
		return nil
	}
	c, ok := chainOf(args[0], variables)
	if !ok || c.optional > 0 {
		return nil
	}
	return func(vars []any) (any, bool) {
		switch v := c.walk(vars).(type) {
		case string:
			return int64(utf8.RuneCountInString(v)), true
		case []any:
			return int64(len(v)), true
		case map[string]any:
			return int64(len(v)), true
		}
		return nil, false
	}
}

// matches is a constant regular expression.
func matches(text direct, source ast.Expr) direct {
	s, isText := literalValue(source).(string)
	if text == nil || !isText {
		return nil
	}
	re, err := regexp.Compile(s)
	if err != nil {
		return nil
	}
	longest := maxSteps / max(1, min(patternSize(s), math.MaxInt32))
	return func(vars []any) (any, bool) {
		v, ok := text(vars)
		if !ok {
			return nil, false
		}
		s, isText := v.(string)
		if !isText || len(s) > longest {
			return nil, false
		}
		return re.MatchString(s), true
	}
}
