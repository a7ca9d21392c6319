// Package alerts tests the alerts of the catalog: that Prometheus accepts them, that
// each fires when it should and not when it should not, that the metrics they are
// about exist, and that each has a runbook. Everything is in its test files.
package alerts
