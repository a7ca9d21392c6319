package cel

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"
)

// Expression is a compiled expression. It is immutable and safe for concurrent
// use.
type Expression struct {
	program cel.Program
	names   []string
	loops   bool // its length does not bound it, so the context does
	reads   []int
	paths   [][]string
	direct  direct // or nil
}

// Reads returns the slots of the variables the expression reads, ascending.
func (x *Expression) Reads() []int { return slices.Clone(x.reads) }

// Paths returns what the expression reads of its variables, each as a variable's
// name and fields; "[]" stands for the elements of a list. A path ends where a
// step is not known before evaluation.
func (x *Expression) Paths() [][]string {
	out := make([][]string, len(x.paths))
	for i, p := range x.paths {
		out[i] = slices.Clone(p)
	}
	return out
}

// Eval evaluates the expression. vars are the values of the variables by slot,
// of the kinds JSON gives; nil is an absent variable. The result is of the same
// kinds, or a time.Time or time.Duration; nil is absent. It may share memory
// with vars and must not be changed.
//
// The context is asked for its Done channel only where the expression loops. An
// evaluation it stopped returns ErrBudget.
func (x *Expression) Eval(ctx context.Context, vars []any) (out any, err error) {
	if len(vars) < len(x.names) {
		return nil, fmt.Errorf("the expression was compiled for %d variables and got %d: give a value, or nil, for each", len(x.names), len(vars))
	}
	if x.direct != nil {
		if v, ok := x.direct(vars); ok {
			return v, nil
		}
	}
	a := activations.Get().(*activation)
	a.names, a.slots, a.vars = x.names, x.reads, vars
	defer func() {
		a.vars, a.made = nil, 0
		activations.Put(a)
		if r := recover(); r != nil {
			out, err = nil, fmt.Errorf("the expression failed inside CEL: %s", oneLine(fmt.Sprint(r)))
		}
	}()
	var v ref.Val
	if x.loops {
		a.budget.Context = ctx
		v, _, err = x.program.ContextEval(&a.budget, a)
		a.budget.Context = nil
	} else {
		v, _, err = x.program.Eval(&a.frame)
	}
	if err != nil {
		return nil, evalError(err)
	}
	return toNative(v)
}

var activations = sync.Pool{New: func() any {
	a := new(activation)
	a.frame.Activation = a
	return a
}}

// activation gives CEL the variables of one evaluation.
type activation struct {
	names  []string
	slots  []int // of the variables that are read
	vars   []any
	budget budget
	frame  interpreter.ExecutionFrame // where nothing is interrupted
	made   int                        // bytes of large texts and lists made so far
}

// self is the name under which the nodes of an expression find the activation.
// No expression can contain it.
const self = "@activation"

// ResolveName returns the value of a variable.
func (a *activation) ResolveName(name string) (any, bool) {
	for _, i := range a.slots {
		if a.names[i] == name {
			return a.vars[i], true
		}
	}
	if name == self {
		return a, true
	}
	return nil, false
}

// Parent returns nil: there are no other variables.
func (a *activation) Parent() cel.Activation { return nil }

// budget is the caller's context as CEL sees it. CEL derives a context from it
// for asynchronous functions, of which there are none; Value and AfterFunc keep
// that from starting a goroutine or registering with the caller's context.
type budget struct{ context.Context }

// Value returns nil, so that no parent is found.
func (*budget) Value(any) any { return nil }

// AfterFunc calls nothing: CEL itself looks at Done.
func (*budget) AfterFunc(func()) func() bool { return stopNothing }

func stopNothing() bool { return true }
