// Package health says how objects of Kubernetes are: as a whole, by the library
// kstatus, and by each of their conditions, by what is known of which status of
// it is the good one. All functions may be called at the same time, and none of
// them changes what it is given.
package health
