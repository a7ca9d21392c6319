package rule

import (
	"github.com/kubevitals/kubevitals/operator/metric"
)

// Sink takes what evaluating an object gives.
type Sink interface {
	// Sample takes a sample of a metric. Labels are sorted by name and belong
	// to the caller again on return.
	Sample(m *Metric, labels []metric.Label, value float64)
	// State takes the state of something whose changes a metric counts. Labels
	// tell it from others of the object. since is when the state began, in
	// Unix seconds, or NaN when the object does not say.
	State(m *Metric, labels []metric.Label, state string, since float64)
	// Problem takes a reason why a sample is missing.
	Problem(p Problem)
}

// Problem is why a sample that a rule asks for could not be made.
type Problem struct {
	// Family is the number of the family.
	Family int
	// Reason is one of [Reasons].
	Reason string
	// Err says more.
	Err error
}

// The reasons of a [Problem].
const (
	ReasonBudget     = "budget"     // an expression took too long
	ReasonConflict   = "conflict"   // a sample before has the same labels and another value
	ReasonDuplicate  = "duplicate"  // a sample before is the same
	ReasonExpression = "expression" // an expression failed
	ReasonLabel      = "label"
	ReasonLimit      = "limit"
	ReasonScope      = "scope"
	ReasonState      = "state"
	ReasonUnlisted   = "unlisted_state" // the sample is made all the same
	ReasonValue      = "value"
)

// Reasons are all reasons of a [Problem].
var Reasons = []string{ReasonBudget, ReasonConflict, ReasonDuplicate, ReasonExpression, ReasonLabel, ReasonLimit, ReasonScope, ReasonState, ReasonUnlisted, ReasonValue}
