// Package scan reads what a pod answers to a scrape, strictly and without making
// a copy: it says where in the body the samples of which family are. What it
// accepts, Prometheus' own parsers accept with the same samples.
//
// A body is all or nothing: the first line that is not valid fails it.
package scan
