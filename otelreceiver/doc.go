// Package otelreceiver is the state part of Kubevitals as a receiver of the
// OpenTelemetry Collector: the state of Kubernetes resources, by the same
// declarative rules as `kubevitals state`, as metrics of a pipeline.
//
// It is thin. Package internal/engine puts the rules to work, and package
// internal/otlp makes metrics of what they give, remembers which series there
// were and ends those that are gone; here the next consumer of the pipeline takes
// the place of an OTLP endpoint.
package otelreceiver
