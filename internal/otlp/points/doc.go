// Package points turns rendered metric families into OpenTelemetry metrics.
//
// A [Builder] reads sample lines straight into pdata and hands over what it has
// in chunks that every receiver takes. What Prometheus makes of them is what it
// would have scraped: the identity of a series is on its points, under the names
// of its labels, and names and units are such that no suffix is added (see
// [Describe]).
package points

// ScopeName is the name of the instrumentation scope of everything that is
// pushed. It never changes, so that receivers can route and filter by it.
const ScopeName = "github.com/kubevitals/kubevitals"
