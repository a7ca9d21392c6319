package pipeline

// Rule is a permission that a watcher needs.
type Rule struct {
	// APIGroups, Resources and Verbs are as in a Role.
	APIGroups, Resources, Verbs []string
	// Namespace is where; empty for the whole cluster, which needs a ClusterRole.
	Namespace string
}

// Permissions returns the least that a watcher needs: to read MetricPipelines and
// to update their status, without which it does as well, and to get and watch all
// Secrets in some namespaces, of which watching may be left out. A Role for the one
// Secret that a pipeline refers to, with its name in resourceNames, is less still;
// then there is no need to name the namespace here.
func Permissions(secretNamespaces ...string) []Rule {
	out := []Rule{
		{APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{"get", "list", "watch"}},
		{APIGroups: []string{group}, Resources: []string{resource + "/status"}, Verbs: []string{"update"}},
	}
	for _, namespace := range secretNamespaces {
		out = append(out, Rule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get", "watch"}, Namespace: namespace})
	}
	return out
}
