// Package podtest runs pods for tests: real HTTP servers, each at a loopback
// address of its own, that answer scrapes in every way in which a pod may, good
// and bad. It also has bodies as client_golang makes them.
package podtest
