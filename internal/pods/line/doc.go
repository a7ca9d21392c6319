// Package line takes single sample lines of Prometheus' text format and of
// OpenMetrics apart, and writes them in their canonical form. It is for the paths
// that have to look at each label; what only passes through is not parsed twice.
//
// It is made for lines that package scan has accepted: it understands everything
// that is allowed there, and does not check again what was checked. Whatever it
// is given, it does not panic. Nothing in it is shared, but one [Line] is not safe
// for concurrent use.
package line
