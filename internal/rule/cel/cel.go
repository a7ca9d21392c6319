// Package cel compiles and evaluates the expressions of rules, which are CEL
// with the libraries Kubernetes users know from admission policies.
//
// An expression is compiled once, when its rule is loaded. Evaluating it
// compiles nothing, and what it may cost is bounded: by its length where it has
// no loop, by the caller's context where it has one, and by a limit on the size
// of every value it makes.
//
// What an expression does not find is absent: reading a missing key or field, an
// index out of range, or anything below null gives nil and is no error.
//
// CEL compares int with double and has no arithmetic over both. Numbers of
// JSON are one or the other as they were written, so an expression that
// calculates with a field says which it wants: double(object.spec.weight) / 2.0.
// Two literals of different types, 1 == 1.0, are refused when compiled.
package cel

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/functions"
	"github.com/google/cel-go/ext"
	"k8s.io/apiserver/pkg/cel/library"
)

const (
	// maxSource bounds an expression in bytes, and with it the work of an
	// expression without loops.
	maxSource = 4096
	// maxScopes bounds the environments kept, one for each list of names.
	maxScopes = 256
	// maxHeavy is the number of calls of guarded functions beyond which an
	// expression without loops is bounded by the context too.
	maxHeavy = 8
)

// Options bound what expressions may cost.
type Options struct {
	// CostLimit stops an evaluation of an expression deterministically beyond
	// this many CEL cost units. 0 is no limit.
	CostLimit uint64
}

// Env compiles expressions. It is safe for concurrent use.
type Env struct {
	base  *cel.Env
	limit uint64
	// ops are the functions of the libraries whose arguments are checked before
	// they run, by function name.
	ops map[string]*functions.Overload

	mu     sync.Mutex
	scopes map[string]*cel.Env // by the names joined; guarded by mu
}

// New makes an environment with the libraries of expressions.
func New(opts Options) (*Env, error) {
	base, err := cel.NewEnv(append(healthLibrary(),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.OptionalTypes(),
		ext.Strings(), ext.Math(), ext.Bindings(), ext.TwoVarComprehensions(), ext.Encoders(), ext.Sets(),
		library.Quantity(), library.Regex(), library.Lists(), library.URLs(),
		library.IP(), library.CIDR(), library.Format(), library.SemverLib(),
	)...)
	if err != nil {
		return nil, fmt.Errorf("assembling the CEL libraries: %w", err)
	}
	e := &Env{base: base, limit: opts.CostLimit, ops: make(map[string]*functions.Overload), scopes: make(map[string]*cel.Env)}
	return e, e.collectOps()
}

// collectOps keeps the implementations of the guarded functions.
func (e *Env) collectOps() error {
	for name, decl := range e.base.Functions() {
		if _, guarded := guards[name]; !guarded {
			continue
		}
		bindings, err := decl.Bindings()
		if err != nil {
			return fmt.Errorf("reading the CEL function %s: %w", name, err)
		}
		for _, b := range bindings {
			if b.Operator == name {
				e.ops[name] = b
			}
		}
	}
	for name := range guards {
		if e.ops[name] == nil {
			return fmt.Errorf("the CEL function %s, whose arguments are to be checked, does not exist in these libraries", name)
		}
	}
	return nil
}

// Compile compiles an expression that may read the variables called names. The
// slot of a variable is its index in names; all are of type dyn. An error is of
// type *Error.
func (e *Env) Compile(source string, names []string) (x *Expression, err error) {
	defer func() {
		if r := recover(); r != nil {
			x, err = nil, &Error{Message: fmt.Sprintf("the expression cannot be compiled: %v", r)}
		}
	}()
	if len(source) > maxSource {
		return nil, &Error{Offset: maxSource, Message: fmt.Sprintf("the expression is %d bytes long, more than %d: split it", len(source), maxSource)}
	}
	env, err := e.scope(names)
	if err != nil {
		return nil, err
	}
	checked, issues := env.Compile(source)
	if issues.Err() != nil {
		return nil, issuesError(source, issues)
	}
	tree := checked.NativeRep()
	w := walk(tree.Expr(), names)
	p := &plan{ops: e.ops, exprs: indexExprs(tree.Expr()), variables: w.variables}
	if e.limit == 0 {
		p.fields = operandFields(p.exprs, w.variables)
	}
	program, err := env.Program(checked, e.programOptions(p)...)
	if err != nil {
		return nil, programError(source, tree, err)
	}
	x = &Expression{
		program: program, names: slices.Clone(names), loops: w.loops || p.heavy > maxHeavy,
		reads: w.slots(), paths: w.sortedPaths(),
	}
	if e.limit == 0 { // only CEL counts costs
		x.direct = directOf(tree.Expr(), w.variables)
	}
	return x, nil
}

func (e *Env) programOptions(p *plan) []cel.ProgramOption {
	opts := []cel.ProgramOption{
		cel.EvalOptions(cel.OptOptimize), cel.CustomDecoratorV2(p.decorate), cel.InterruptCheckFrequency(1),
	}
	if e.limit > 0 {
		opts = append(opts, cel.CostLimit(e.limit))
	}
	return opts
}

// scope returns the environment in which names are declared.
func (e *Env) scope(names []string) (*cel.Env, error) {
	key := strings.Join(names, "\x00")
	e.mu.Lock()
	defer e.mu.Unlock()
	if env, ok := e.scopes[key]; ok {
		return env, nil
	}
	vars := make([]cel.EnvOption, len(names))
	for i, name := range names {
		vars[i] = cel.Variable(name, cel.DynType)
	}
	env, err := e.base.Extend(vars...)
	if err != nil {
		return nil, &Error{Message: "declaring the variables: " + oneLine(err.Error())}
	}
	if len(e.scopes) >= maxScopes {
		clear(e.scopes)
	}
	e.scopes[key] = env
	return env, nil
}
