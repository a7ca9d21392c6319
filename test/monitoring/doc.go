// Package monitoring evaluates what Kubevitals ships for those who watch: each query
// of each panel of the dashboards, and each expression of the alerts. Prometheus'
// own scraper, database and query engine do it, on real kubevitals processes whose
// objects are broken in many ways; what must come out is computed from the objects,
// not from the metrics. Everything is in its test files.
//
// The folder grafana makes a JSON Schema of Grafana's own types.
package monitoring
