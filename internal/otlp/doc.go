// Package otlp pushes everything that an Operator serves to an OpenTelemetry
// receiver.
//
// A [Pusher] takes a snapshot when something has changed, and now and then in any
// case, has package points build it, and sends it by package client chunk after
// chunk. What matters is the state now: nothing is queued, a snapshot is tried
// again only until there is a newer one. Series that have gone are ended at the
// receiver, which a push alone would not do: it is told that they have no value
// any more until it has acknowledged that.
package otlp
