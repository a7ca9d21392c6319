// Package crs compiles the legacy dialect of the rule language: the "each"
// blocks of kube-state-metrics' CustomResourceStateMetrics, with the semantics
// that their users rely on, quirks included. Where kube-state-metrics would
// write an invalid exposition (a label name that starts with a digit, the same
// series twice, a random winner between colliding names), the result here is
// valid and deterministic; docs/custom-resource-state.md lists the differences.
package crs
