// Package metric is the data model that every part of Kubevitals shares: a
// [Family] has a name, a type and a help text, and holds [Sample] values that
// differ by their labels.
//
// The vocabulary is that of Prometheus and OpenMetrics. The package depends on
// nothing and holds no state; all its functions are safe for concurrent use.
package metric
