// Package fetch gets one body from one pod: from exactly the address that it is
// told, within limits of time and memory that the pod cannot move, and without
// following it anywhere else.
//
// A [Client] is shared by all requests of a process. It keeps connections open
// for any number of pods, bounds how many requests are in flight, and counts
// every byte that it holds for bodies against one budget. The memory of a body
// that is released serves the next scrape: bodies whose size does not change
// cost no large allocation.
//
// What a pod can do with an answer, and what becomes of it, is in the reasons of
// [Error]. Its text is safe for logs: it has no byte of a body, and what else
// comes from a pod is quoted and cut.
package fetch
