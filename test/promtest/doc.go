// Package promtest is Prometheus as far as tests need it: its own service
// discovery, its own scrape manager and its own database, in the test's process.
// What it stores is what a real Prometheus would have.
package promtest
