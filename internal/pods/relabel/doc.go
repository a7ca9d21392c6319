// Package relabel changes what one pod has sent as the operator of the proxy has
// configured it: families are left out by name, and samples go through the rules
// of Prometheus' metric_relabel_configs, by Prometheus' own package.
//
// All of it costs several times what passing a body on costs; without
// configuration nothing of it is used. A [Relabeler] and a [Filter] have no state:
// as long as their fields are not changed, they are safe for concurrent use.
package relabel
