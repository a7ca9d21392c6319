// Package probe reads the answers of kopf operators to liveness probes as metrics,
// for pods that have nothing else: those with the annotation
// "kubevitals.io/format: kopf-probe". What the names and labels are is described
// in package operator/kopf, whose mapping without options this is.
package probe
