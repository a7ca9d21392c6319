package monitoring

import (
	"runtime"
	"slices"
	"strings"
)

// jobs are the processes that run, but for those that are given.
func (w *world) jobs(but ...string) (out []string) {
	for job := range w.processes {
		if !slices.Contains(but, job) {
			out = append(out, job)
		}
	}
	return out
}

// perInstance has a row for each process of some jobs.
func perInstance(value float64, jobs ...string) func(*world) rows {
	return func(w *world) rows {
		out := rows{}
		for _, job := range jobs {
			out[w.instance(job)] = value
		}
		return out
	}
}

// These are rows that exist and whose values are not known beforehand.
func some(names ...string) expectation {
	return named(func(*world) rows {
		out := rows{}
		for _, n := range names {
			out[n] = 0
		}
		return out
	})
}

// kindsOf counts the objects of files by group, version and kind. The process that
// watches an empty cluster reads kinds that no file has.
func (w *world) kindsOf() rows {
	out := rows{}
	for _, kind := range []string{"XBackend", "XBackendTrafficPolicy", "XMesh"} {
		out[key("gateway.networking.x-k8s.io", "v1alpha1", kind)] = 0
	}
	for _, o := range slices.Concat(w.state, w.conditions) {
		out[key(o.group(), o.version(), o.kind())]++
	}
	return out
}

// byKind are the same by kind only.
func byKind(w *world) rows {
	out := rows{}
	for id := range w.kindsOf() {
		out[id[strings.LastIndex(id, "|")+1:]] = 0
	}
	return out
}

// nothing is of counters that are all 0.
func nothing(*world) rows { return rows{} }

func theNumber(v float64) expectation { return exactly(func(*world) rows { return single(v) }) }

// TCPRoutes and UDPRoutes are forbidden to the process that watches the API server.
// Each Gateway fails two rules, and has two samples less.
var selfPanels = expectations{
	"Gateway API and Kuadrant": theNumber(0),
	"Source":                   theNumber(1),
	"Kinds down":               theNumber(2),
	"Collectors down":          theNumber(0),
	"Daemons that do not run":  theNumber(0),
	"Rules not in use":         theNumber(0),
	"Rule errors":              exactly(func(w *world) rows { return single(2 * float64(len(w.all("Gateway")))) }),
	"Samples left out":         exactly(func(w *world) rows { return single(2 * float64(len(w.all("Gateway")))) }),
	"Objects":                  exactly(func(w *world) rows { return size(slices.Concat(w.state, w.conditions)) }),
	"Series":                   named(func(*world) rows { return single(0) }),
	"Processes":                exactly(func(w *world) rows { return size(w.jobs()) }),
	"OTLP: last push":          about(func(*world) rows { return single(0) }),
	"Kinds that are not up": exactly(func(w *world) rows {
		return table([]string{"TCPRoute", "UDPRoute"}, func(kind string) string {
			return key(w.instance("cluster"), "gateway.networking.k8s.io", "v1", kind, "forbidden")
		})
	}),
	"Objects by kind": exactly((*world).kindsOf),
	"Series by kind":  named((*world).kindsOf),
	"Last contact": about(func(w *world) rows {
		return valued(keys(w.kindsOf()), func(k string) (string, float64) { return k, 0 })
	}),
	"Requests to the API server": some("discover 200", "list 200", "list 403", "watch 200", "watch 403"),
	"Changes of objects":         named(byKind),
	"Duration of lists":          named(byKind),
	"Duration of collectors":     some("build", "leader", "otlp", "pods", "pods_about", "process", "state"),
	"Rule sources": exactly(func(w *world) rows {
		return valued(w.jobs("pods"), func(job string) (string, float64) { return key(w.instance(job), "files"), 1 })
	}),
	"Rules changed": exactly(func(w *world) rows {
		return valued(w.jobs("pods"), func(job string) (string, float64) { return w.instance(job), 1000 * w.now() })
	}).upTo(300_000),
	"Errors of rules": exactly(func(w *world) rows {
		return valued([]string{"lab_class", "lab_name"}, func(rule string) (string, float64) { return key(rule, "value"), float64(len(w.all("Gateway"))) })
	}),
	"Reloads":                       exactly(nothing).atLeast(),
	"Pushes":                        some("demoted", "failed", "partial", "success", "superseded"),
	"Points":                        some("dropped", "rejected", "sent", "tombstone"),
	"Requests":                      some("accepted", "refused", "refused_all", "retry", "too_large"),
	"Duration of pushes":            named(perInstance(0, "cluster")),
	"Series that are remembered":    named(perInstance(0, "cluster")),
	"Tombstones that wait":          exactly(perInstance(0, "cluster")),
	"Leader":                        exactly(perInstance(1, "cluster")),
	"Failures of the Lease":         exactly(nothing).atLeast(),
	"Memory":                        named(processes),
	"CPU":                           named(processes),
	"Goroutines":                    named(processes),
	"Requests for protected routes": some("allowed", "forbidden", "other", "unauthenticated", "unavailable"),
	"Restarts of daemons":           exactly(nothing).atLeast(),
	"Failures of collectors":        exactly(nothing).atLeast(),
	"Versions": exactly(func(w *world) rows {
		return table(w.jobs(), func(job string) string { return key(w.instance(job), "development", runtime.Version()) })
	}),
	// Those that it makes itself last for 90 days.
	"Certificates": exactly(perInstance(90*24*3600, "cluster")).upTo(300),
}

// processes have a row each, but for the one that has its own metrics elsewhere.
func processes(w *world) rows {
	return perInstance(0, w.jobs("pods")...)(w)
}
