package cel

import (
	"math"
	"strings"

	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/interpreter"
)

const (
	// maxText bounds the text a function makes, in bytes.
	maxText = 1 << 20
	// maxElements bounds the lists a function makes.
	maxElements = 1 << 18
	// maxMade bounds the large texts and lists one evaluation makes, in bytes.
	maxMade = 1 << 26
	// large is the size from which texts and lists count for maxMade.
	large = 1 << 12
	// maxSteps bounds what one call does that CEL does not interrupt.
	maxSteps = 1 << 24
	// maxCompared bounds the lists and maps one call compares, as weighed.
	maxCompared = 1 << 24
	// scalarWeight is what a value weighs besides the bytes of its text.
	scalarWeight = 16
)

// guard checks the arguments of a call; nil lets it run. Arguments of types the
// function does not take pass: the function itself refuses them.
type guard func(id int64, args []ref.Val) ref.Val

// guards are the functions that, given large arguments, make much larger results
// or take time out of proportion, by the name CEL has for them.
var guards = map[string]guard{
	"replace":         checkReplace,
	"join":            checkJoin,
	"format":          checkWeight("format", maxText),
	"split":           checkSplit,
	"indexOf":         checkIndexOf("indexOf"),
	"lastIndexOf":     checkIndexOf("lastIndexOf"),
	"sets.contains":   checkSets("sets.contains"),
	"sets.equivalent": checkSets("sets.equivalent"),
	"sets.intersects": checkSets("sets.intersects"),
	"base64.encode":   checkWeight("base64.encode", maxText),
	"json.encode":     checkWeight("json.encode", maxText),
	"strings.quote":   checkWeight("strings.quote", maxText),
	"quantity":        checkQuantity("quantity"),
	"isQuantity":      checkQuantity("isQuantity"),
}

// charge counts what a call made. It returns the value, or an error if the
// evaluation has made too much or is out of time.
func charge(frame *interpreter.ExecutionFrame, id int64, v ref.Val, bytes int) ref.Val {
	if bytes < large {
		return v
	}
	if frame.CheckInterrupt() {
		return types.WrapErr(interpreter.InterruptError{})
	}
	found, _ := frame.ResolveName(self)
	a, ok := found.(*activation)
	if !ok {
		return v // a constant, evaluated while it is planned
	}
	if a.made += bytes; a.made > maxMade {
		return types.NewErrWithNodeID(id, "the expression makes more than %d MiB of texts and lists: use smaller values", maxMade>>20)
	}
	return v
}

// chargeText counts a text that a call made.
func chargeText(frame *interpreter.ExecutionFrame, id int64, v ref.Val) ref.Val {
	switch s := v.(type) {
	case types.String:
		return charge(frame, id, v, len(s))
	case types.Bytes:
		return charge(frame, id, v, len(s))
	}
	return v
}

// tooMuch is the error of a call that would exceed a limit.
func tooMuch(id int64, name, instead string) ref.Val {
	return types.NewErrWithNodeID(id, "%s: the values are too large: use %s", symbolOf(name), instead)
}

// checkAdd checks the operands of +.
func checkAdd(id int64, left, right ref.Val) ref.Val {
	switch l := left.(type) {
	case types.String:
		if r, ok := right.(types.String); ok && len(l)+len(r) > maxText {
			return tooMuch(id, operators.Add, "a smaller text")
		}
	case types.Bytes:
		if r, ok := right.(types.Bytes); ok && len(l)+len(r) > maxText {
			return tooMuch(id, operators.Add, "fewer bytes")
		}
	case traits.Lister:
		if r, ok := right.(traits.Lister); ok && length(l)+length(r) > maxElements {
			return tooMuch(id, operators.Add, "shorter lists")
		}
	}
	return nil
}

func checkReplace(id int64, args []ref.Val) ref.Val {
	s, ok := args[0].(types.String)
	old, okOld := args[1].(types.String)
	if len(args) < 3 || !ok || !okOld {
		return nil
	}
	with, ok := args[2].(types.String)
	if !ok || len(with) <= len(old) {
		return nil
	}
	n := strings.Count(string(s), string(old))
	if len(args) == 4 {
		if limit, ok := args[3].(types.Int); ok && limit >= 0 {
			n = int(min(int64(n), int64(limit)))
		}
	}
	if len(s)+n*(len(with)-len(old)) > maxText {
		return tooMuch(id, "replace", "a smaller text")
	}
	return nil
}

func checkJoin(id int64, args []ref.Val) ref.Val {
	l, ok := args[0].(traits.Lister)
	if !ok {
		return nil
	}
	size := 0
	if len(args) == 2 {
		separator, _ := args[1].(types.String)
		size = length(l) * len(separator)
	}
	for it := l.Iterator(); it.HasNext() == types.True && size <= maxText; {
		s, _ := it.Next().(types.String)
		size += len(s)
	}
	if size > maxText {
		return tooMuch(id, "join", "a smaller text")
	}
	return nil
}

func checkSplit(id int64, args []ref.Val) ref.Val {
	s, ok := args[0].(types.String)
	if !ok || len(args) < 2 || len(s) <= maxElements {
		return nil
	}
	separator, ok := args[1].(types.String)
	if ok && strings.Count(string(s), string(separator)) >= maxElements {
		return tooMuch(id, "split", "a smaller text")
	}
	return nil
}

// checkIndexOf bounds the search in a text, for which CEL compares at each place,
// and the comparisons with the elements of a list.
func checkIndexOf(name string) guard {
	weight := checkWeight(name, maxCompared)
	return func(id int64, args []ref.Val) ref.Val {
		s, ok := args[0].(types.String)
		if !ok {
			return weight(id, args)
		}
		part, ok := args[1].(types.String)
		if ok && len(part) <= len(s) && product(len(s)-len(part)+1, len(part)) > maxSteps {
			return tooMuch(id, name, "a smaller text")
		}
		return nil
	}
}

// checkSets bounds the comparisons of each element with each.
func checkSets(name string) guard {
	return func(id int64, args []ref.Val) ref.Val {
		l, okL := args[0].(traits.Lister)
		r, okR := args[1].(traits.Lister)
		if !okL || !okR {
			return nil
		}
		left, right := weigh(l, maxCompared), weigh(r, maxCompared)
		if left < 0 || right < 0 || min(product(maxCompared-left, length(r)), product(maxCompared-right, length(l))) > maxSteps {
			return tooMuch(id, name, "shorter lists")
		}
		return nil
	}
}

// checkWeight bounds all arguments together.
func checkWeight(name string, limit int) guard {
	return func(id int64, args []ref.Val) ref.Val {
		left := limit
		for _, arg := range args {
			if left = weigh(arg, left); left < 0 {
				return tooMuch(id, name, "smaller values")
			}
		}
		return nil
	}
}

// checkQuantity bounds the text of a quantity, whose exponent would otherwise be
// written out in digits.
func checkQuantity(name string) guard {
	return func(id int64, args []ref.Val) ref.Val {
		s, ok := args[0].(types.String)
		if !ok {
			return nil
		}
		exponent := strings.TrimLeft(string(s[strings.LastIndexAny(string(s), "eE")+1:]), "+-0")
		if len(s) > 100 || strings.ContainsAny(string(s), "eE") && len(exponent) > 3 {
			return types.NewErrWithNodeID(id, "%s: %s... is too long for a quantity", name, strings.ToValidUTF8(string(s[:min(len(s), 20)]), ""))
		}
		return nil
	}
}

func length(l traits.Lister) int {
	n, _ := l.Size().(types.Int)
	return int(n)
}

// product multiplies without overflow.
func product(a, b int) int {
	if a > 0 && b > math.MaxInt/a {
		return math.MaxInt
	}
	return a * b
}

// aggregate reports whether a value is a list or a map.
func aggregate(v ref.Val) bool {
	switch v.(type) {
	case traits.Lister, traits.Mapper:
		return true
	}
	return false
}

// weigh returns what is left of a limit after the weight of a value with all it
// holds; it stops below zero. A value that is reached twice weighs twice.
func weigh(v ref.Val, left int) int {
	left -= scalarWeight
	switch v := v.(type) {
	case types.String:
		return left - len(v)
	case types.Bytes:
		return left - len(v)
	case *types.Optional:
		if v.HasValue() && left >= 0 {
			return weigh(v.GetValue(), left)
		}
	case traits.Mapper:
		if native := nativeOf(v); native != nil {
			return weighNative(native, left)
		}
		for it := v.Iterator(); left >= 0 && it.HasNext() == types.True; {
			key := it.Next()
			left = weigh(v.Get(key), weigh(key, left))
		}
	case traits.Lister:
		if native := nativeOf(v); native != nil {
			return weighNative(native, left)
		}
		for it := v.Iterator(); left >= 0 && it.HasNext() == types.True; {
			left = weigh(it.Next(), left)
		}
	}
	return left
}

// weighNative weighs values of a variable without converting them for CEL.
func weighNative(v any, left int) int {
	left -= scalarWeight
	switch v := v.(type) {
	case string:
		return left - len(v)
	case []any:
		for _, element := range v {
			if left = weighNative(element, left); left < 0 {
				return left
			}
		}
	case map[string]any:
		for key, element := range v {
			if left = weighNative(element, left-len(key)); left < 0 {
				return left
			}
		}
	case []string:
		for _, s := range v {
			left -= scalarWeight + len(s)
		}
	case []ref.Val:
		for _, element := range v {
			if left = weigh(element, left); left < 0 {
				return left
			}
		}
	case map[ref.Val]ref.Val:
		for key, element := range v {
			if left = weigh(element, weigh(key, left)); left < 0 {
				return left
			}
		}
	}
	return left
}
