// Package lint checks rules for what compiles, but will not do what its author
// means: fields that no object has, labels with values without end, names that
// Prometheus frowns at, and what the legacy dialect does differently from what it
// looks like.
//
// [Check] takes rules as package rulebook has found them, and kinds with their
// schemas. It reads nothing itself.
package lint
