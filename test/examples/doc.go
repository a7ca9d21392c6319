// Package examples runs the programs of the module examples against a real API
// server, built with today's versions of Kubernetes' modules and with older
// ones.
package examples
