// Package client sends OpenTelemetry metrics to one receiver, by gRPC or as
// protobuf over HTTP.
//
// It does one request at a time for who asks, and says of a failure what it is
// good for: to try again, and when; to send less at once; or not at all. Queues,
// intervals and retries are the caller's.
package client
