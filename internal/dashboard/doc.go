// Package dashboard makes the dashboards of the catalogs: short declarations of
// panels in, Grafana's JSON out. What it makes is in catalog/<family>/dashboards,
// written by "make generate"; no program imports it.
package dashboard
