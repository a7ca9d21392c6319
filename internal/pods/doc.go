// Package pods serves the metrics of many pods as one exposition: a scrape asks
// all of them at once, and what they answer is merged, labelled and valid,
// whatever they send.
//
// What happens to one target never happens to another: a pod that hangs, lies or
// sends too much has "up 0" and a reason, and all others their samples.
package pods
