// Package pipeline reads MetricPipelines of Kyma's telemetry module
// (telemetry.kyma-project.io), from files or from a cluster: whether they switch
// the catalog kyma on, by spec.input.kyma, and where spec.output.otlp says to push.
// It knows nothing of what is done about them.
package pipeline
