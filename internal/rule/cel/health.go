package cel

import (
	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"

	"github.com/kubevitals/kubevitals/internal/health"
)

// The functions about the health of objects.
const (
	// kstatusName is kstatus(object), what kstatus says of the object.
	kstatusName = "kstatus"
	// polarityName is polarity(gvk, type), which status of a condition of a kind is
	// the good one.
	polarityName = "polarity"
	// healthyName is healthy(polarity, status): 1, 0 or -1, absent for a condition
	// of which no status is good or bad.
	healthyName = "healthy"
)

// kstatusPaths is what kstatus reads of an object, as far as one can tell:
// besides the status the spec of some built-in kinds.
var kstatusPaths = [][]string{{"metadata", "deletionTimestamp"}, {"metadata", "generation"}, {"status"}}

// healthLibrary declares the functions.
func healthLibrary() []cel.EnvOption {
	dyn := cel.DynType
	return []cel.EnvOption{
		cel.Function(kstatusName, cel.Overload("kstatus_object", []*cel.Type{dyn}, dyn, cel.UnaryBinding(func(object ref.Val) ref.Val {
			v, ok := nativeOf(object).(map[string]any)
			if !ok {
				return types.MaybeNoSuchOverloadErr(object)
			}
			return refOf(kstatus(v))
		}))),
		cel.Function(polarityName, cel.Overload("polarity_gvk_type", []*cel.Type{dyn, dyn}, dyn, cel.BinaryBinding(func(gvk, conditionType ref.Val) ref.Val {
			kind, ok := nativeOf(gvk).(map[string]any)
			t, isText := conditionType.(types.String)
			if !ok || !isText {
				return types.MaybeNoSuchOverloadErr(conditionType)
			}
			return refOf(polarity(kind, string(t)))
		}))),
		cel.Function(healthyName, cel.Overload("healthy_polarity_status", []*cel.Type{dyn, dyn}, dyn, cel.BinaryBinding(func(p, status ref.Val) ref.Val {
			of, ok := p.(types.String)
			if b, isBool := status.(types.Bool); isBool {
				status = b.ConvertToType(types.StringType)
			}
			s, isText := status.(types.String)
			if !ok || !isText {
				return types.MaybeNoSuchOverloadErr(status)
			}
			return refOf(healthy(string(of), string(s)))
		}))),
	}
}

// kstatus returns the state of an object, or nil.
func kstatus(object map[string]any) any {
	if state := health.Status(object); state != "" {
		return state
	}
	return nil
}

func polarity(gvk map[string]any, conditionType string) any {
	group, _ := gvk["group"].(string)
	kind, _ := gvk["kind"].(string)
	return string(health.PolarityOf(group, kind, conditionType))
}

// healthy returns the verdict about a condition, or nil.
func healthy(p, status string) any {
	if verdict, ok := health.Verdict(health.Polarity(p), status); ok {
		return int64(verdict)
	}
	return nil
}

// refOf is the value of one of these functions in CEL.
func refOf(v any) ref.Val {
	switch v := v.(type) {
	case string:
		return types.String(v)
	case int64:
		return types.Int(v)
	}
	return errAbsent
}

// directHealth is a call of one of these functions. What is nil or of another
// type is left to CEL, which says that it is absent, or an error.
func directHealth(name string, args []ast.Expr, variables map[int64]int) direct {
	switch {
	case name == kstatusName && len(args) == 1:
		return onMap(args[0], variables, func(_ []any, object map[string]any) (any, bool) { v := kstatus(object); return v, true })
	case name == polarityName && len(args) == 2:
		if of := directOf(args[1], variables); of != nil {
			return onMap(args[0], variables, func(vars []any, gvk map[string]any) (any, bool) {
				t, ok := textOf(of, vars)
				return polarity(gvk, t), ok
			})
		}
	case name == healthyName && len(args) == 2:
		of, status := directOf(args[0], variables), directOf(args[1], variables)
		if of == nil || status == nil {
			return nil
		}
		return func(vars []any) (any, bool) {
			p, ok := textOf(of, vars)
			s, okToo := textOf(status, vars)
			return healthy(p, s), ok && okToo
		}
	}
	return nil
}

// onMap calls a function with the map that a chain leads to.
func onMap(e ast.Expr, variables map[int64]int, fn func(vars []any, m map[string]any) (any, bool)) direct {
	c, ok := chainOf(e, variables)
	if !ok || c.optional > 0 {
		return nil
	}
	return func(vars []any) (any, bool) {
		if m, ok := c.walk(vars).(map[string]any); ok {
			return fn(vars, m)
		}
		return nil, false
	}
}

func textOf(d direct, vars []any) (string, bool) {
	v, _ := d(vars)
	s, ok := v.(string)
	return s, ok
}
