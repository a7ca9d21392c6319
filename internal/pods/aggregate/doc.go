// Package aggregate combines what many pods say of a family into one family that
// has no labels of a pod: the sum of a counter over all pods, say. Which families,
// and how, is configured by [Rule] values.
//
// # Numbers
//
// Gauges, and what has no type, can be combined by any [Op]; each scrape stands
// for itself. As in PromQL, a value that is not a number makes a sum or an average
// not a number; a maximum or minimum passes over it unless there is nothing else.
// A sum that is larger than a number can be is infinite, an average of such numbers is
// not.
//
// # Counters
//
// Of counters, histograms and summaries there are sums only, which behave as
// counters themselves: what they have counted does not go away. For each pod and
// series the aggregator has the last value, and what was counted before the pod's
// counter began again at zero. What a pod has contributed is kept
//
//   - when its counter starts again: of a histogram or summary all numbers do, as
//     soon as one bucket or the count goes down,
//   - while it does not answer, or does not have the series any more,
//   - when it is gone from the list of targets: it is then one number with that of
//     all others that are gone. A pod that comes back with another UID is another.
//
// So rate() of an aggregate never sees a decrease, but for those that overflow. What can be seen are steps up:
// a pod that is found for the first time counts with all it has counted since it
// started. A pod that restarts and counts further than before between two scrapes
// is not noticed, as by nobody who scrapes. The state is in memory: when the
// process starts anew, the aggregates are counters that start anew, at the sum of
// the pods that there are. Two replicas of the proxy therefore have different
// values and the same rates.
//
// What is larger than a number can be does not stay so: when all that was ever
// counted adds up to infinity, the aggregate starts again at the sum of what the pods
// say in that scrape. If that is too large as well, the counter is +Inf as long as
// they say so, and counts of histograms and summaries, which cannot be infinite, are
// the largest number.
//
// # Histograms and summaries
//
// Buckets are added only if all their bounds are equal. A pod that has others, or
// says that the family has another type, is refused for that family as long as
// there are pods that agree with what there was; [Aggregator.Refused] counts it.
// When there are none any more, the family starts anew at zero with what the pods
// say by then, and is missing in the scrape in which that is noticed. Native
// histograms are not read. Quantiles cannot be combined: of summaries only the sum
// and the count stay. A sum of observations that is not finite counts as zero.
//
// Timestamps, exemplars and the times since when something is counted are left
// out.
package aggregate
