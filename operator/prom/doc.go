// Package prom joins an Operator and client_golang, in both directions.
//
// [Source] exposes what is registered with a client_golang registry, with all
// that its metrics are: native histograms, summaries, exemplars, created
// timestamps. Direct instrumentation therefore stays what it is:
//
//	created := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "resource_created_total"}, []string{"kind"})
//	registry.MustRegister(created)
//	op.AddSource("prometheus", prom.Source(registry))
//
// [Collector] gives what an Operator gathers to a registry, for a process whose
// /metrics belongs to client_golang, such as that of controller-runtime.
//
// The package is a module of its own, so that the module of package operator
// keeps having no dependency.
package prom
