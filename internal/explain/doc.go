// Package explain says why a series exists, or why it does not: which rule gives
// it for which object, where each label and the value come from; or what kept the
// rules from giving it.
//
// An [Explanation] is a [rule.Tracer]: it watches the same evaluation as a server
// runs, and is shown the families that come out of it.
package explain
