// Package manifest renders the Helm chart of Kubevitals with Helm's own engine: what
// is printed is what "helm template" prints for the same values.
package manifest
