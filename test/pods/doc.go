// Package pods holds the pods part against Prometheus: what our scanner of
// exposition bodies accepts, Prometheus' parsers accept with the same samples.
// Everything is in its test files.
package pods
