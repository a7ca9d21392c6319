package monitoring

import "slices"

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
		if len(jobs) == 0 {
			jobs = w.jobs()
		}
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

// kindsOf counts the objects of files by group, version and kind.
func (w *world) kindsOf() rows {
	out := rows{}
	for _, o := range slices.Concat(w.state, w.conditions) {
		out[key(o.group(), o.version(), o.kind())]++
	}
	return out
}

const forbidden = "UDPRoute" // to the process that watches the API server

var selfPanels = expectations{}
