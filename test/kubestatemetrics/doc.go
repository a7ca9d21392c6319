// Package kubestatemetrics holds the legacy dialect of the rule language
// against kube-state-metrics itself: both get the same configuration and the
// same object, and the series that they make of it are compared. What differs
// on purpose is listed in docs/custom-resource-state.md and, as a predicate
// each, in exempt_test.go. Everything is in its test files.
package kubestatemetrics
