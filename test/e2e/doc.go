// Package e2e tests the kubevitals binary from outside: as a process, against a
// real API server, and scraped by a real Prometheus. Everything is in its test
// files.
package e2e
