// Package queries evaluates the queries of the dashboards and alerts that are in
// use for the Gateway API and Kuadrant: Prometheus' own scraper, database and
// query engine against a kubevitals process that serves the sample cluster.
// Everything is in its test files.
package queries
