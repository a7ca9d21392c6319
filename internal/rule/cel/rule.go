package cel

import (
	"context"
	"errors"
	"fmt"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// unnamed is what a slot without a name is called: nobody can write it.
const unnamed = "@none"

// Compiler returns the function that [rule.CompileOptions] takes as Expression.
func (e *Env) Compiler() func(source string, names []string) (rule.Expression, error) {
	return func(source string, names []string) (rule.Expression, error) {
		named := make([]string, len(names))
		for i, name := range names {
			if named[i] = name; name == "" {
				named[i] = fmt.Sprintf("%s%d", unnamed, i)
			}
		}
		x, err := e.Compile(source, named)
		if err != nil {
			return nil, err
		}
		return bounded{x}, nil
	}
}

// bounded says with the error of package rule that an expression was stopped.
type bounded struct{ *Expression }

// Eval evaluates the expression.
func (b bounded) Eval(ctx context.Context, vars []any) (any, error) {
	v, err := b.Expression.Eval(ctx, vars)
	if err != nil && errors.Is(err, ErrBudget) {
		return nil, fmt.Errorf("%w: %w", rule.ErrBudget, err)
	}
	return v, err
}

// At returns where the error is, in bytes from the start of the source.
func (e *Error) At() int { return e.Offset }
