package cli

import "time"

const (
	nativeOnly = "no effect: it is for native resources, which are not served here"
	logsHere   = "no effect: the log goes to stderr; see --log-level and --log-format"
)

// ksmTable has every flag of kube-state-metrics v2.20, with the defaults that it
// has there, bound to f.
func ksmTable(f *ksmFlags) []ksmFlag {
	f.host, f.telemetryHost, f.port, f.telemetryPort = "::", "::", 8080, 8081
	f.read, f.write, f.idle, f.readHeader = time.Minute, time.Minute, 5*time.Minute, 5*time.Second
	f.totalShards, f.memoryLimitRatio = 1, 0.9
	var table []ksmFlag
	for _, part := range [][]ksmFlag{ksmRules(f), ksmServers(f), ksmCluster(f), ksmShards(f), ksmProcess(f), ksmLog(f)} {
		table = append(table, part...)
	}
	return table
}

// ksmRules are about what is measured.
func ksmRules(f *ksmFlags) []ksmFlag {
	return []ksmFlag{
		{name: "custom-resource-state-config-file", option: "custom_resource_state_config_file", here: "rules, as there"},
		{name: "custom-resource-state-config", option: "custom_resource_config", bind: &f.inline,
			here: "rules as YAML or JSON; beats the file"},
		{name: "continue-without-custom-resource-state-config-file", option: "continue_without_custom_resource_state_config_file",
			bind: &f.goOnWithoutRules, here: "start without the file, and use it when it appears"},
		{name: "custom-resource-state-only", option: "custom_resources_only", bind: &f.customResourcesOnly,
			here: "always so; silences what is said about native resources"},
		{name: "resources", option: "resources", bind: &f.resources,
			here: "native resources are refused; no effect with `--custom-resource-state-only`"},
		{name: "metric-allowlist", option: "metric_allowlist", bind: &f.allow, listed: true,
			here: "names or regular expressions (RE2, found anywhere in the name), separated by commas, of the only families to serve"},
		{name: "metric-denylist", option: "metric_denylist", bind: &f.deny, listed: true,
			here: "names or regular expressions (RE2, found anywhere in the name), separated by commas, of families not to serve"},
		{name: "metric-opt-in-list", option: "metric_opt_in_list", bind: new(commaList),
			here:    "no effect: rules have groups that `--enable` switches on",
			warning: "no effect: what is opt-in here is a group of rules, which --enable switches on"},
		{name: "metric-labels-allowlist", option: "labels_allow_list", bind: new(string),
			here:    "no effect: a rule takes labels with `spread`",
			warning: nativeOnly + "; a rule takes the labels of an object with spread"},
		{name: "metric-annotations-allowlist", option: "annotations_allow_list", bind: new(string),
			here:    "no effect: a rule takes annotations with `spread`",
			warning: nativeOnly + "; a rule takes the annotations of an object with spread"},
	}
}

// ksmServers are about the two servers.
func ksmServers(f *ksmFlags) []ksmFlag {
	return []ksmFlag{
		{name: "host", option: "host", bind: &f.host, here: "address to serve on; `::` is every address, with or without IPv6"},
		{name: "port", option: "port", bind: &f.port, here: "as there; 0 takes a free one"},
		{name: "telemetry-host", option: "telemetry_host", bind: &f.telemetryHost, here: "address of the server for self-metrics"},
		{name: "telemetry-port", option: "telemetry_port", bind: &f.telemetryPort,
			here: "port of a second server for self-metrics, which are then not on the main one; called as kubevitals only if given"},
		{name: "enable-gzip-encoding", option: "enable_gzip_encoding", bind: &f.gzip,
			here: "as there; called as kubevitals without effect, as gzip is always offered"},
		{name: "tls-config", option: "tls_config", bind: &f.tlsConfig, here: "as there, for both servers; the same as `--web.config.file`"},
		{name: "auth-filter", option: "auth_filter", bind: &f.auth,
			here: "the same as `--auth=kubernetes`: for both servers, all routes but the health routes, and only with TLS"},
		{name: "server-read-timeout", option: "server_read_timeout", bind: &f.read, here: "as there"},
		{name: "server-write-timeout", option: "server_write_timeout", bind: &f.write,
			here: "as there; a scrape has ten seconds more than the timeout that the scraper names instead"},
		{name: "server-idle-timeout", option: "server_idle_timeout", bind: &f.idle, here: "as there"},
		{name: "server-read-header-timeout", option: "server_read_header_timeout", bind: &f.readHeader, here: "as there"},
	}
}

// ksmCluster are about what is asked of the cluster.
func ksmCluster(f *ksmFlags) []ksmFlag {
	return []ksmFlag{
		{name: "kubeconfig", option: "kubeconfig", here: "as there; without it also `$KUBECONFIG` and `~/.kube/config`"},
		{name: "apiserver", option: "apiserver", bind: &f.apiserver, here: "URL of the API server, instead of the kubeconfig's"},
		{name: "namespaces", option: "namespaces", bind: &f.namespaces, listed: true,
			here: "namespaces to read objects of, separated by commas (default all)"},
		{name: "namespaces-denylist", option: "namespaces_denylist", bind: &f.namespacesDenylist, listed: true,
			here: "namespaces not to read objects of, separated by commas; taken out of --namespaces if both are given"},
		{name: "use-apiserver-cache", option: "use_api_server_cache", bind: &f.apiserverCache,
			here: "with `--collect=scrape`, list from the API server's cache (resourceVersion=0)"},
		{name: "object-limit", option: "object_limit", bind: new(int64),
			here: "no effect: all objects are read", warning: "no effect: all objects are read, as a part of them would give wrong sums"},
		{name: "node", option: "node", bind: new(string), here: "no effect: it is for pods",
			warning: nativeOnly + ". Every instance serves all custom resources: run one replica, not a DaemonSet"},
		{name: "track-unscheduled-pods", option: "track_unscheduled_pods", bind: new(bool), here: "no effect: it is for pods", warning: nativeOnly},
	}
}

// ksmShards are about several instances that share the work.
func ksmShards(f *ksmFlags) []ksmFlag {
	return []ksmFlag{
		{name: "shard", option: "shard", bind: &f.shard, listed: true, here: "which of `--total-shards` equal shares of the objects to serve, from 0"},
		{name: "total-shards", option: "total_shards", bind: &f.totalShards, listed: true, here: "how many instances share the objects; 1 serves all of them"},
		{name: "pod", option: "pod", bind: &f.pod, listed: true,
			here: "name of the pod that this is, of a StatefulSet whose replicas are the shards; beats `--shard`"},
		{name: "pod-namespace", option: "namespace", bind: &f.podNamespace, listed: true, here: "namespace of `--pod`"},
	}
}

// ksmProcess are about the process.
func ksmProcess(f *ksmFlags) []ksmFlag {
	return []ksmFlag{
		{name: "config", option: "config", bind: &f.options,
			here: "file of options, which beat the command line, as there; unknown ones are warnings, and a change needs a restart"},
		{name: "continue-without-config", option: "continue_without_config", bind: &f.goOnWithout,
			here: "start without the file, and start anew when it appears"},
		{name: "auto-gomemlimit", option: "auto-gomemlimit", bind: &f.memoryLimit,
			here: "as there, from the cgroup's limit; `$GOMEMLIMIT` beats it"},
		{name: "auto-gomemlimit-ratio", option: "auto-gomemlimit-ratio", bind: &f.memoryLimitRatio, here: "as there"},
		{name: "help", option: "help", here: "as there"},
	}
}

// ksmLog are the flags of klog.
func ksmLog(f *ksmFlags) []ksmFlag {
	f.toStderr = true
	table := []ksmFlag{
		{name: "v", bind: &f.verbosity, here: "from 4 the same as `--log-level=debug`, with what the Kubernetes libraries log at that level"},
		{name: "logtostderr", bind: &f.toStderr, here: "always so"},
	}
	for _, flag := range []ksmFlag{
		{name: "alsologtostderr", bind: new(bool)},
		{name: "alsologtostderrthreshold", bind: new(string)},
		{name: "stderrthreshold", bind: new(string)},
		{name: "legacy_stderr_threshold_behavior", bind: new(bool)},
		{name: "log_dir", bind: new(string)},
		{name: "log_file", bind: new(string)},
		{name: "log_file_max_size", bind: new(uint64)},
		{name: "log_backtrace_at", bind: new(string)},
		{name: "vmodule", bind: new(string)},
		{name: "add_dir_header", bind: new(bool)},
		{name: "skip_headers", bind: new(bool)},
		{name: "skip_log_headers", bind: new(bool)},
		{name: "one_output", bind: new(bool)},
	} {
		flag.here, flag.warning = "no effect: the log goes to stderr", logsHere
		table = append(table, flag)
	}
	return table
}
