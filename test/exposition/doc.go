// Package exposition holds the encoders of the operator package against those
// of Prometheus: everything that they write is decoded by Prometheus' parsers
// and compared with what its own libraries write of the same data. Everything
// is in its test files.
package exposition
