// Package source brings objects to the store: from a cluster that is watched
// ([Cluster.Watch]), from a cluster that is listed anew for each scrape
// ([Cluster.Scrape]), or from files ([Files]).
//
// The three differ in when they look and agree in what they find: for the same
// objects the store holds the same bytes.
package source
