package cel

import (
	"maps"
	"slices"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
)

// walker finds what an expression reads.
type walker struct {
	names []string
	// variables are the slots of the identifiers that are variables, by
	// expression id.
	variables map[int64]int
	loops     bool
	paths     [][]string
}

// binding is a name that a comprehension introduces, and the path it stands
// for; nil is a value without a path.
type binding struct {
	name  string
	path  []string
	outer *binding
}

func walk(e ast.Expr, names []string) *walker {
	w := &walker{names: names, variables: make(map[int64]int)}
	w.visit(e, nil)
	return w
}

// visit walks e and records the paths it reads.
func (w *walker) visit(e ast.Expr, scope *binding) {
	if path, ok := w.chain(e, scope); ok {
		if path != nil {
			w.paths = append(w.paths, path)
		}
		return
	}
	switch e.Kind() {
	case ast.CallKind:
		call := e.AsCall()
		if call.IsMemberFunction() {
			w.visit(call.Target(), scope)
		}
		if call.FunctionName() == kstatusName && len(call.Args()) == 1 {
			if path, ok := w.chain(call.Args()[0], scope); ok && path != nil {
				// The whole object, but for what no status depends on.
				for _, field := range kstatusPaths {
					w.paths = append(w.paths, append(slices.Clone(path), field...))
				}
				return
			}
		}
		w.visitAll(call.Args(), scope)
	case ast.SelectKind:
		w.visit(e.AsSelect().Operand(), scope)
	case ast.ListKind:
		w.visitAll(e.AsList().Elements(), scope)
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			w.visit(entry.AsMapEntry().Key(), scope)
			w.visit(entry.AsMapEntry().Value(), scope)
		}
	case ast.StructKind:
		for _, field := range e.AsStruct().Fields() {
			w.visit(field.AsStructField().Value(), scope)
		}
	case ast.ComprehensionKind:
		w.comprehension(e.AsComprehension(), scope)
	}
}

func (w *walker) visitAll(list []ast.Expr, scope *binding) {
	for _, e := range list {
		w.visit(e, scope)
	}
}

// comprehension walks a loop, whose variables are the elements of its range, or
// a cel.bind, which CEL writes as a loop over nothing.
func (w *walker) comprehension(c ast.ComprehensionExpr, scope *binding) {
	w.loops = true
	w.visit(c.IterRange(), scope)
	over, _ := w.chain(c.IterRange(), scope)
	var element []string
	if over != nil {
		element = append(slices.Clone(over), "[]")
	}
	accu := &binding{name: c.AccuVar(), outer: scope}
	w.visit(c.AccuInit(), scope)
	if bound := c.IterRange(); bound.Kind() == ast.ListKind && bound.AsList().Size() == 0 {
		accu.path, _ = w.chain(c.AccuInit(), scope)
	}
	inner := &binding{name: c.IterVar(), path: element, outer: accu}
	if c.HasIterVar2() {
		inner.path = nil // the index or key
		inner = &binding{name: c.IterVar2(), path: element, outer: inner}
	}
	w.visit(c.LoopCondition(), inner)
	w.visit(c.LoopStep(), inner)
	w.visit(c.Result(), accu)
}

// chain returns the path e stands for if e is an identifier with steps. The path
// of a loop variable without one is nil.
func (w *walker) chain(e ast.Expr, scope *binding) ([]string, bool) {
	switch e.Kind() {
	case ast.IdentKind:
		return w.ident(e, scope)
	case ast.SelectKind:
		return w.step(e.AsSelect().Operand(), e.AsSelect().FieldName(), scope)
	case ast.CallKind:
		call := e.AsCall()
		if len(call.Args()) != 2 {
			return nil, false
		}
		switch call.FunctionName() {
		case operators.OptSelect, operators.Index, operators.OptIndex:
		default:
			return nil, false
		}
		literal := call.Args()[1]
		if literal.Kind() != ast.LiteralKind {
			return nil, false
		}
		switch key := literal.AsLiteral().(type) {
		case types.String:
			return w.step(call.Args()[0], string(key), scope)
		case types.Int:
			return w.step(call.Args()[0], "[]", scope)
		}
	}
	return nil, false
}

func (w *walker) step(operand ast.Expr, name string, scope *binding) ([]string, bool) {
	path, ok := w.chain(operand, scope)
	if !ok || path == nil {
		return nil, ok
	}
	return append(slices.Clone(path), name), true
}

func (w *walker) ident(e ast.Expr, scope *binding) ([]string, bool) {
	name := e.AsIdent()
	for b := scope; b != nil; b = b.outer {
		if b.name == name {
			return b.path, true
		}
	}
	slot := slices.Index(w.names, name)
	if slot < 0 {
		return nil, true // the name of a type
	}
	w.variables[e.ID()] = slot
	return []string{name}, true
}

// slots returns the slots read, ascending.
func (w *walker) slots() []int {
	return slices.Compact(slices.Sorted(maps.Values(w.variables)))
}

// sortedPaths returns the paths in order, each once.
func (w *walker) sortedPaths() [][]string {
	slices.SortFunc(w.paths, slices.Compare)
	return slices.CompactFunc(w.paths, slices.Equal)
}

// indexExprs returns all expressions below e by their id.
func indexExprs(e ast.Expr) map[int64]ast.Expr {
	out := make(map[int64]ast.Expr)
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) { out[e.ID()] = e }))
	return out
}
