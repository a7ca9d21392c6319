// Package otlp holds what is pushed by OTLP against what is scraped: in Prometheus'
// own database, and in the receiver of the OpenTelemetry Collector.
package otlp
