// Package operator is the spine of an exporter or operator: one HTTP server and
// one lifecycle for everything that it measures and does in the background.
//
// An [Operator] is put together before it runs:
//
//   - [Operator.Collect] registers a function that makes metrics while a scrape
//     waits, with a context that carries the scrape's deadline;
//   - [Operator.AddPart] registers a [Part], which owns whole metric families
//     and hands over sample lines that are rendered, even compressed, already;
//   - [Operator.Daemon] registers a function that runs in the background and is
//     restarted when it fails;
//   - [Operator.Check] registers a verdict for /livez or /readyz;
//   - [Operator.Handle] mounts any [net/http.Handler];
//   - [Operator.Expose] mounts the metrics.
//
// [Operator.Run] then listens, starts the daemons, and serves until its context
// ends. On shutdown it first turns unready, then cancels and awaits the daemons
// while the server still answers, and closes the server last. It installs no
// signal handler.
//
// # Isolation
//
// Collectors and parts run concurrently, each in a goroutine of its own. One
// that panics, returns an error, blocks, or emits what cannot be exposed costs
// only its own samples; the response is 200 with all the rest, and self-metrics
// say what happened. A call that outlives its deadline is waited for no more:
// until it returns, later scrapes leave that collector out at once, so at most
// one goroutine of it is ever stuck. Not recoverable are a panic in a goroutine
// that a collector starts itself, and the fatal errors of the runtime.
//
// The package uses the standard library only.
package operator
