// Package kopf turns the probes of a kopf operator into metric families.
//
// Kopf is a framework for Kubernetes operators in Python. With --liveness it
// serves one JSON object of what the functions under @kopf.on.probe return, by
// their ids. A [Source] reads it, in a process beside the operator or in any
// exporter:
//
//	s, err := kopf.New(kopf.Options{URL: "http://localhost:8080/healthz"})
//
// Who fetches the answers in another way gives them to [Parse].
//
// # What the operator has to do
//
//	@kopf.on.probe(id="queue", errors=kopf.ErrorsMode.IGNORED)
//	def queue(**_):
//	    return {"depth": len(pending), "workers": {"busy": 3, "idle": 1}}
//
// and be started with
//
//	kopf run --liveness=http://0.0.0.0:8080/healthz operator.py
//
// A bad probe kills the pod, since kubelet asks the same endpoint for its
// liveness probe. One that raises an error is tried again after a minute, and
// the request waits meanwhile, as do all others; with ErrorsMode.PERMANENT, or
// when it returns what JSON does not have, such as a datetime, the answer is
// status 500 without any values. With ErrorsMode.IGNORED only its own key is
// missing. Probes run one after another: let them return what is known already.
//
// # Without configuration
//
// These families are always there, also when there is no answer:
//
//   - kopf_probe_up: 1 if there was an answer of status 200 with an object,
//   - kopf_probe_duration_seconds: how long the request took,
//   - kopf_probe_http_status: its status, 0 without an answer,
//   - kopf_probe_results: how many keys the object has.
//
// Numbers and bools (as 1 and 0) become kopf_probe_value:
//
//	kopf_probe_value{path="depth",probe="queue"} 7
//	kopf_probe_value{path="workers.busy",probe="queue"} 3
//
// NaN and the infinities, which Python writes as bare words, are kept. Null
// and strings give nothing; strings only with [Options.Info] and
// [Options.Timestamps]. A value that is missing in the next answer is no longer
// given.
//
// # Paths
//
// Keys are separated by dots, and items of a list are numbered from 0:
// "workers.busy", "sizes[0]". A key that is empty or has a dot, a bracket, a
// double quote, a star or a character that does not print is written as a quoted
// Go string: ["a.b"]. So no two values have the same path. In options, "*" and
// "[*]" stand for every key or item. Paths in [Options.Info] and
// [Options.Timestamps] begin with the probe, as in "queue.workers" or
// `["main.<locals>.a"].version`; those in a [Rule] begin with "$", which is the
// value of its probe.
//
// # Typed metrics
//
// A probe that returns an object with the key "$metrics" gives real families, of
// any name, whatever else the object has:
//
//	return {"$metrics": [
//	    {"name": "queue_depth", "type": "gauge", "help": "Waiting objects.",
//	     "labels": {"kind": "pod"}, "value": 7},
//	    {"name": "sync_seconds", "type": "histogram", "unit": "seconds",
//	     "buckets": {"0.1": 3, "+Inf": 5}, "sum": 0.9, "count": 5},
//	    {"name": "wait_seconds", "type": "summary", "unit": "seconds",
//	     "quantiles": {"0.5": 0.2}, "sum": 1.1, "count": 4},
//	]}
//
// Beside the value only the name is needed; without a type it is unknown. Names
// are whole, with the _total of a counter. Buckets are cumulative, and the count
// may be missing if there is a bucket +Inf. Values of labels may be numbers or
// bools, and null is no label. A timestamp is a number of seconds or an RFC 3339
// time; leave it out unless the value was measured elsewhere. Entries of one
// name, whichever probes they are of, make one family, whose type the first of
// them says: rules come before probes, and probes are by id. A wrong entry costs
// only itself, and the error says which it is and why.
//
// # Limits
//
// Redirects are not followed, to whatever host. That two families collide in one
// format, such as a histogram "a" and a gauge "a_count", is not noticed here.
//
// Kopf itself is not run by the tests: the bodies in testdata were written by
// Python's json module, which kopf uses.
package kopf
