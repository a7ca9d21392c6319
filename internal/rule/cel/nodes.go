package cel

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/google/cel-go/common/functions"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/interpreter"
)

const noOverload = "no such overload"

// watched runs a node as it is. Where that says that the operation does not fit
// its operands and one of them is null, the result is absent.
type watched struct {
	interpreter.InterpretableV2
	function, overload string
	args               []interpreter.InterpretableV2
}

func (n *watched) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	v := n.InterpretableV2.Exec(frame)
	if types.IsError(v) {
		return explain(v, frame, n.ID(), n.function, n.args)
	}
	return chargeText(frame, n.ID(), v)
}

func (n *watched) Eval(vars interpreter.Activation) ref.Val { return n.Exec(interpreter.AsFrame(vars)) }
func (n *watched) Function() string                         { return n.function }
func (n *watched) OverloadID() string                       { return n.overload }
func (n *watched) Args() []interpreter.InterpretableV2      { return n.args }

// fieldOperand reads a field below a variable without CEL's attributes, if it is
// there and a scalar.
type fieldOperand struct {
	interpreter.InterpretableV2
	direct direct
}

func (n *fieldOperand) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	if a, ok := frame.Activation.(*activation); ok { // not within a loop
		if v, ok := n.direct(a.vars); ok {
			switch v := v.(type) {
			case string:
				return types.String(v)
			case int64:
				return types.Int(v)
			case float64:
				return types.Double(v)
			case bool:
				return types.Bool(v)
			}
		}
	}
	return n.InterpretableV2.Exec(frame)
}

func (n *fieldOperand) Eval(vars interpreter.Activation) ref.Val {
	return n.Exec(interpreter.AsFrame(vars))
}

// watchedChoice is a choice, c ? a : b, that is absent where its condition is
// null. CEL has it select fields from the choice, so it stays an attribute.
type watchedChoice struct {
	interpreter.InterpretableAttribute
	args []interpreter.InterpretableV2 // the condition
}

func (n *watchedChoice) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	return explain(n.InterpretableAttribute.Exec(frame), frame, n.ID(), operators.Conditional, n.args)
}

func (n *watchedChoice) Eval(vars interpreter.Activation) ref.Val {
	return n.Exec(interpreter.AsFrame(vars))
}

// explain replaces the error a node returned if it says that its operation does
// not fit its operands, which CEL does without naming either. It evaluates the
// operands again to see what they are.
func explain(v ref.Val, frame *interpreter.ExecutionFrame, id int64, function string, operands []interpreter.InterpretableV2) ref.Val {
	err, failed := v.(*types.Err)
	if !failed || err.NodeID() != id && err.NodeID() != 0 || !strings.HasPrefix(err.String(), noOverload) {
		return v
	}
	args := make([]ref.Val, len(operands))
	for i, operand := range operands {
		args[i] = operand.Exec(frame)
		if failed, ok := args[i].(*types.Err); ok {
			return failed
		}
	}
	return mismatch(id, function, args)
}

// mismatch is the error of an operation that does not fit its operands.
func mismatch(id int64, function string, args []ref.Val) ref.Val {
	kinds := make([]string, len(args))
	for i, arg := range args {
		switch arg {
		case types.NullValue:
			return errAbsent
		case types.OptionalNone:
			kinds[i] = "optional"
		default:
			kinds[i] = arg.Type().TypeName()
		}
	}
	text := strings.Join(kinds, ", ")
	symbol := symbolOf(function)
	switch {
	case function == operators.Conditional:
		text += " ? ... : ..."
	case symbol != function && len(kinds) == 2:
		text = kinds[0] + " " + symbol + " " + kinds[1]
	case symbol != function:
		text = symbol + text
	default:
		text = function + "(" + text + ")"
	}
	return types.NewErrWithNodeID(id, "%s: %s", noOverload, text)
}

// symbolOf returns an operator as it is written, or the name of a function.
func symbolOf(function string) string {
	if symbol, _ := operators.FindReverse(function); symbol != "" {
		return symbol
	}
	return function
}

// base is a call that evaluates its arguments itself.
type base struct {
	id                 int64
	function, overload string
	args               []interpreter.InterpretableV2
}

func baseOf(c interpreter.InterpretableCall) base {
	return base{id: c.ID(), function: c.Function(), overload: c.OverloadID(), args: c.Args()}
}

func (n *base) ID() int64                           { return n.id }
func (n *base) Function() string                    { return n.function }
func (n *base) OverloadID() string                  { return n.overload }
func (n *base) Args() []interpreter.InterpretableV2 { return n.args }

// comparison is ==, != or in over values that may be lists or maps, or a
// variable that may be absent.
type comparison struct {
	base
	left, right bool // the side is a variable: if it is null, the result is absent
}

func (n *comparison) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	l := n.args[0].Exec(frame)
	r := n.args[1].Exec(frame)
	if types.IsUnknownOrError(l) {
		return l
	}
	if types.IsUnknownOrError(r) {
		return r
	}
	if n.left && l == types.NullValue || n.right && r == types.NullValue {
		return errAbsent
	}
	if aggregate(l) && (aggregate(r) || n.function == operators.In) {
		if frame.CheckInterrupt() {
			return types.WrapErr(interpreter.InterruptError{})
		}
		if weigh(l, maxCompared) < 0 || weigh(r, maxCompared) < 0 {
			return tooMuch(n.id, symbolOf(n.function), "smaller values")
		}
	}
	switch n.function {
	case operators.Equals:
		return types.Equal(l, r)
	case operators.NotEquals:
		return types.Bool(types.Equal(l, r) != types.True)
	}
	container, ok := r.(traits.Container)
	if !ok {
		return mismatch(n.id, n.function, []ref.Val{l, r})
	}
	return types.LabelErrNode(n.id, container.Contains(l))
}

func (n *comparison) Eval(vars interpreter.Activation) ref.Val {
	return n.Exec(interpreter.AsFrame(vars))
}

// addition is + with a bound on the size of its result.
type addition struct{ base }

func (n *addition) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	l := n.args[0].Exec(frame)
	if types.IsUnknownOrError(l) {
		return l // a loop that makes a list ends its work at the first error
	}
	r := n.args[1].Exec(frame)
	if types.IsUnknownOrError(r) {
		return r
	}
	if err := checkAdd(n.id, l, r); err != nil {
		return err
	}
	adder, ok := l.(traits.Adder)
	if !ok {
		return mismatch(n.id, n.function, []ref.Val{l, r})
	}
	v := adder.Add(r)
	if err, failed := v.(*types.Err); failed {
		if strings.HasPrefix(err.String(), noOverload) {
			return mismatch(n.id, n.function, []ref.Val{l, r})
		}
		return types.LabelErrNode(n.id, v)
	}
	return chargeText(frame, n.id, v)
}

func (n *addition) Eval(vars interpreter.Activation) ref.Val {
	return n.Exec(interpreter.AsFrame(vars))
}

// guarded is a call of a function whose arguments, or result, are checked for
// their size.
type guarded struct {
	base
	check guard
	op    *functions.Overload
}

func (n *guarded) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	var room [4]ref.Val
	args := room[:0]
	for _, arg := range n.args {
		v := arg.Exec(frame)
		if types.IsUnknownOrError(v) {
			return v
		}
		args = append(args, v)
	}
	if frame.CheckInterrupt() {
		return types.WrapErr(interpreter.InterruptError{})
	}
	if err := n.check(n.id, args); err != nil {
		return err
	}
	v := n.invoke(args)
	if err, ok := v.(*types.Err); ok {
		if strings.HasPrefix(err.String(), noOverload) {
			return mismatch(n.id, n.function, args)
		}
		return types.LabelErrNode(n.id, v)
	}
	if s, ok := v.(types.String); ok && len(s) > maxText {
		return tooMuch(n.id, n.function, "a smaller text")
	}
	if l, ok := v.(traits.Lister); ok && n.function == "split" {
		return charge(frame, n.id, v, length(l)*scalarWeight)
	}
	return chargeText(frame, n.id, v)
}

// invoke calls the function, whose overloads check their arguments' types.
func (n *guarded) invoke(args []ref.Val) ref.Val {
	if n.op.OperandTrait != 0 && !args[0].Type().HasTrait(n.op.OperandTrait) {
		return types.NewErrWithNodeID(n.id, noOverload)
	}
	switch {
	case len(args) == 1 && n.op.Unary != nil:
		return n.op.Unary(args[0])
	case len(args) == 2 && n.op.Binary != nil:
		return n.op.Binary(args[0], args[1])
	case n.op.Function != nil:
		return n.op.Function(args...)
	}
	return types.NewErrWithNodeID(n.id, noOverload)
}

func (n *guarded) Eval(vars interpreter.Activation) ref.Val { return n.Exec(interpreter.AsFrame(vars)) }

// pattern is matches, find or findAll with a regular expression compiled before.
type pattern struct {
	base
	re   *regexp.Regexp
	size int
}

// Function hides the call from CEL's own replacement of these functions.
func (n *pattern) Function() string { return "@" + n.function }

func (n *pattern) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	v := n.args[0].Exec(frame)
	if types.IsUnknownOrError(v) {
		return v
	}
	n.args[1].Exec(frame) // CEL counts the cost of calls by their arguments
	s, ok := v.(types.String)
	if !ok {
		return mismatch(n.id, n.function, []ref.Val{v})
	}
	if frame.CheckInterrupt() {
		return types.WrapErr(interpreter.InterruptError{})
	}
	if len(s)*n.size > maxSteps {
		return types.NewErrWithNodeID(n.id, "%s: the text of %d bytes is too long for the regular expression: match a part of it", n.function, len(s))
	}
	switch n.function {
	case "matches":
		return types.Bool(n.re.MatchString(string(s)))
	case "find":
		return types.String(n.re.FindString(string(s)))
	}
	return n.findAll(frame, string(s))
}

// findAll takes the number of matches as an optional third argument.
func (n *pattern) findAll(frame *interpreter.ExecutionFrame, s string) ref.Val {
	limit := maxElements + 1
	if len(n.args) == 3 {
		v := n.args[2].Exec(frame)
		if types.IsUnknownOrError(v) {
			return v
		}
		count, ok := v.(types.Int)
		if !ok {
			return mismatch(n.id, n.function, []ref.Val{types.String(s), types.String(""), v})
		}
		if count >= 0 && int64(count) < int64(limit) {
			limit = int(count)
		}
	}
	found := n.re.FindAllString(s, limit)
	if len(found) > maxElements {
		return tooMuch(n.id, n.function, fmt.Sprintf("at most %d elements", maxElements))
	}
	return charge(frame, n.id, types.NewStringList(types.DefaultTypeAdapter, found), len(found)*scalarWeight)
}

func (n *pattern) Eval(vars interpreter.Activation) ref.Val { return n.Exec(interpreter.AsFrame(vars)) }
