package cel

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/interpreter"
)

var (
	// ErrBudget is the error of an evaluation its context stopped.
	ErrBudget = errors.New("the evaluation was stopped because its time is used up: loop over less, or raise the budget")
	// ErrCost is the error of an evaluation the cost limit stopped.
	ErrCost = errors.New("the evaluation was stopped because it reached the cost limit: loop over less, or raise the limit")
)

// errAbsent is what the nodes of this package return for what is not there. It
// has a node id because CEL writes one into errors without.
var errAbsent = types.NewErrWithNodeID(1, "absent").(*types.Err)

// Error is what is wrong with an expression.
type Error struct {
	// Offset is where, in bytes from the start of the source.
	Offset int
	// Message is one line; several errors are joined with "; ".
	Message string
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// absentMessages are the beginnings of the messages with which CEL reports that
// something is not there. It has no error values for them.
var absentMessages = []string{
	"no such key: ",         // a map has no such key; anything selected from null or a scalar
	"no such field",         // an object of a library has no such field
	"no such attribute",     // a variable has no value
	"index out of bounds: ", // indexing a list of the object
	"index '",               // indexing a list the expression made: index '3' out of range in list size '1'
	"got 'types.Null', expected iterable type",         // a loop over null
	"unsupported comprehension range type: types.Null", // a loop with two variables over null
	"optional.none() dereference",                      // value() of an empty optional
}

// isAbsent reports whether an error says only that something is not there.
func isAbsent(err error) bool {
	if errors.Is(err, error(errAbsent)) {
		return true
	}
	message := err.Error()
	for _, prefix := range absentMessages {
		if strings.HasPrefix(message, prefix) {
			return true
		}
	}
	return false
}

// evalError turns what CEL returned into an error of this package, nil if it
// says that something is absent.
func evalError(err error) error {
	var cancelled interpreter.EvalCancelledError
	switch {
	case errors.Is(err, interpreter.InterruptError{}):
		return ErrBudget
	case errors.As(err, &cancelled) && cancelled.Cause == interpreter.CostLimitExceeded:
		return ErrCost
	case isAbsent(err):
		return nil
	}
	return errors.New(oneLine(err.Error()))
}

// issuesError describes what the parser and the checker found.
func issuesError(source string, issues *cel.Issues) *Error {
	e := &Error{}
	var messages []string
	for i, issue := range issues.Errors() {
		if i == 0 {
			e.Offset = byteOffset(source, issue.Location.Line(), issue.Location.Column())
		}
		message := strings.ReplaceAll(issue.Message, " (in container '')", "")
		message, _, _ = strings.Cut(message, " expecting {") // every token that could stand there
		messages = append(messages, oneLine(message))
	}
	e.Message = strings.Join(messages, "; ")
	return e
}

// programError describes what planning found, such as a constant regular
// expression that does not compile.
func programError(source string, tree *ast.AST, err error) *Error {
	e := &Error{Message: oneLine(err.Error())}
	var node *types.Err
	var planned *planError
	var id int64
	switch {
	case errors.As(err, &planned):
		id = planned.id
	case errors.As(err, &node):
		id = node.NodeID()
	default:
		return e
	}
	at := tree.SourceInfo().GetStartLocation(id)
	e.Offset = byteOffset(source, at.Line(), at.Column())
	return e
}

// byteOffset converts CEL's line, from 1, and column, from 0 in code points.
func byteOffset(source string, line, column int) int {
	offset := 0
	for ; line > 1; line-- {
		next := strings.IndexByte(source[offset:], '\n')
		if next < 0 {
			break
		}
		offset += next + 1
	}
	for ; column > 0 && offset < len(source); column-- {
		_, size := utf8.DecodeRuneInString(source[offset:])
		offset += size
	}
	return offset
}

// oneLine folds a message into one line of bounded length.
func oneLine(s string) string {
	const limit = 300
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return s
}
