// Package deploy tests what ships in the folder deploy as users install it: by Helm,
// in a real API server, scraped by a Prometheus that Prometheus Operator configures.
package deploy
