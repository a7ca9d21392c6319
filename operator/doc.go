// Package operator is the spine of an exporter or operator: one HTTP server and
// one lifecycle for everything that it measures and does in the background.
//
// An [Operator] is put together before it runs:
//
//   - [Operator.Collect] registers a function that makes metrics while a scrape
//     waits, with a context that carries the scrape's deadline;
//   - [Operator.AddSource] registers metrics that exist already as data, such as
//     those of a client_golang registry (package prom, a module of its own);
//   - [Operator.AddPart] registers a [Part], which owns whole metric families
//     and hands over sample lines that are rendered, even compressed, already;
//   - [Operator.Daemon] registers a function that runs in the background and is
//     restarted when it fails, [Operator.Timer] one that is called again and
//     again;
//   - [Operator.Check] registers a verdict for /livez, /readyz or /startupz,
//     [Operator.Probe] information for /probes;
//   - [Operator.Handle] mounts any [net/http.Handler], [Operator.Expose] the
//     metrics, in as many formats and under as many paths as are wanted;
//     [Operator.Snapshot] gives them to who passes them on in another way;
//   - [Operator.Protect] decides who may use the routes, for example as package
//     kubeauth does: by the RBAC of the cluster.
//
// [Operator.Run] then listens, starts the tasks, and serves until its context
// ends. On shutdown it first turns unready, then cancels and awaits the tasks
// while the server still answers, and closes the server last. It installs no
// signal handler. A process that has a lifecycle already takes the pieces:
// [Operator.Handler], [Operator.Server], [Operator.Background] and
// [Operator.LeaderBackground].
//
// # What kopf's users asked for
//
// The wishes of https://github.com/nolar/kopf/issues/638, in Go:
//
//	created := prometheus.NewCounterVec(                        // direct instrumentation, as ever
//		prometheus.CounterOpts{Name: "resource_created_total"}, []string{"kind"})
//	registry.MustRegister(created)
//
//	op := operator.New(operator.Options{Addr: ":8443", TLS: certificate})
//	op.AddSource("prometheus", prom.Source(registry))
//	op.Collect("phases", phases, operator.Timeout(2*time.Second)) // @kopf.on.prometheus
//	op.Daemon("queue", pump)                                    // kopf.background_task, restarted, awaited
//	op.Timer("resync", 30*time.Second, resync)                  // a timer of the whole operator
//	op.Probe("now", now)                                        // @kopf.on.probe: information, no verdict
//	op.Handle("GET /debug/state", state)                        // own routes on the same port
//	op.Expose("/metrics", exposition.Prometheus{})              // formats are plug-ins
//	op.Expose("/metrics.json", exposition.JSON{})
//	op.Protect(auth.Wrap)
//	return op.Run(ctx)                                          // ends with the operator, in order
//
// # Isolation
//
// Collectors, sources and parts run concurrently, each in a goroutine of its
// own. One that panics, returns an error, blocks, or emits what cannot be
// exposed costs only its own samples; the response is 200 with all the rest, and
// self-metrics say what happened. A call that outlives its deadline is waited
// for no more: until it returns, later scrapes leave that collector out at once,
// so at most one goroutine of it is ever stuck. Of what several give, the first
// in registration order wins, so that equal input gives equal bytes.
//
// Not recoverable are a panic in a goroutine that a collector starts itself, and
// the fatal errors of the runtime, such as concurrent writes to a map.
//
// # Self-metrics
//
// Under a prefix that [Operator.SelfMetrics] sets, "operator" by default:
//
//	_collector_up{collector}                            whether it has given its samples to this scrape
//	_collector_duration_seconds{collector}              of the last finished call
//	_collector_failures_total{collector,reason}         busy, error, limit, panic, timeout
//	_samples_dropped_total{collector,reason}            conflict, duplicate, invalid
//	_daemon_running{daemon}                             0 while it waits for its next start
//	_daemon_restarts_total{daemon}                      after an error or a panic
//	_timer_failures_total{timer}                        calls that failed
//	_timer_last_success_timestamp_seconds{timer}        there after the first success
//	_auth_decisions_total{result}                       allowed, forbidden, unauthenticated, unavailable, other
//	_cert_expiry_timestamp_seconds                      of the certificate that is served
//
// The package uses the standard library only.
package operator
