package cli

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/klog/v2"

	"github.com/kubevitals/kubevitals/internal/shard"
)

// apply carries the flags of kube-state-metrics over to those of the command. It
// refuses what would silently be something else, and gathers warnings.
func (f *ksmFlags) apply(to *stateFlags) error {
	for _, flag := range ksmTable(new(ksmFlags)) {
		if flag.warning != "" && f.given(flag.name) {
			f.warn(flag.name, "%s", flag.warning)
		}
	}
	if !f.toStderr {
		f.warn("logtostderr", "%s", logsHere)
	}
	if f.verbosity >= 4 {
		f.verbose(to)
	}
	for _, step := range []func(*stateFlags) error{f.native, f.shards, f.rules, f.objects, f.servers} {
		if err := step(to); err != nil {
			return err
		}
	}
	if f.memoryLimit {
		return f.limitMemory("/")
	}
	return nil
}

// verbose logs what klog does at a level; slog has the same levels as negative
// numbers, and 4 is debug.
func (f *ksmFlags) verbose(to *stateFlags) {
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	if err := flags.Set("v", f.verbosity.String()); err != nil {
		panic("BUG: " + err.Error())
	}
	to.serve.logLevel = fmt.Sprintf("debug-%d", f.verbosity-4)
}

// native says that native resources are not served.
func (f *ksmFlags) native(*stateFlags) error {
	switch {
	case f.customResourcesOnly && len(f.resources) > 0:
		f.warn("resources", "no effect with --custom-resource-state-only")
	case len(f.resources) > 0:
		return fmt.Errorf("--resources=%s: only custom resources are served here. Let kube-state-metrics serve the others: "+
			"run it with --resources and without --custom-resource-state-config-file, "+
			"and this beside it with --custom-resource-state-only and without --resources (in its Helm chart, collectors: [])", &f.resources)
	case f.given("resources"):
		f.warn("resources", "no effect: it is empty, and only custom resources are served here")
	case f.compat && !f.customResourcesOnly:
		f.warn("custom-resource-state-only", "not given, but only custom resources are served here, and no native ones: "+
			"run kube-state-metrics beside this for them, and give the flag to say that it is meant so")
	}
	return nil
}

// ordinal is what a StatefulSet ends the names of its pods with.
var ordinal = regexp.MustCompile(`-(\d{1,4})$`)

// shards decides which part of the objects is served. A pod beats numbers.
func (f *ksmFlags) shards(to *stateFlags) error {
	if f.totalShards < 1 || f.totalShards > shard.Max {
		return fmt.Errorf("--total-shards %d: expected 1, for all objects in one instance, to %d", f.totalShards, shard.Max)
	}
	if f.shard < 0 || int(f.shard) >= f.totalShards {
		return fmt.Errorf("--shard %d: it is none of --total-shards %d, which count from 0", f.shard, f.totalShards)
	}
	switch {
	case f.pod == "" && f.podNamespace == "":
		to.sharding = shardFlags{fixed: shard.Shard{Index: int(f.shard), Count: f.totalShards}}
		return nil
	case f.podNamespace == "":
		return fmt.Errorf("--pod %s: say where it is with --pod-namespace", f.pod)
	case f.pod == "":
		return fmt.Errorf("--pod-namespace %s: say which pod this is with --pod", f.podNamespace)
	}
	if wrong := validation.IsDNS1123Label(f.podNamespace); len(wrong) > 0 {
		return fmt.Errorf("--pod-namespace: %q is not the name of a namespace: %s", f.podNamespace, wrong[0])
	}
	if !ordinal.MatchString(f.pod) {
		return fmt.Errorf("--pod %s: the name does not end in a dash and a number, as those of a StatefulSet's pods do: give --shard and --total-shards", f.pod)
	}
	for _, flag := range []string{"shard", "total-shards"} {
		if f.given(flag) {
			f.warn(flag, "no effect beside --pod")
		}
	}
	to.sharding = shardFlags{pod: f.pod, namespace: f.podNamespace}
	return nil
}

// rules decides which rules are used.
func (f *ksmFlags) rules(to *stateFlags) (err error) {
	r := &to.rules
	r.Inline, r.NoDefaults = f.inline, f.compat
	if f.inline != "" && r.Legacy != "" {
		f.warn("custom-resource-state-config-file", "no effect beside --custom-resource-state-config")
		r.Legacy = ""
	}
	r.MayMiss = f.goOnWithoutRules
	if r.Missing() {
		f.warn("custom-resource-state-config-file", "there is no %s yet: nothing is served by it until it appears", r.Legacy)
		r.NoDefaults = true
	}
	r.Keep, err = keep(f.allow, f.deny)
	if err != nil {
		return err
	}
	if f.compat && len(f.missing) == 0 && len(r.Catalogs)+len(r.Paths) == 0 && r.Legacy+r.Inline == "" {
		return errors.New("there are no rules: give --custom-resource-state-config-file FILE or --custom-resource-state-config YAML, " +
			"or, of Kubevitals' own, --rules FILE or --catalog NAME")
	}
	return nil
}

// objects decides which objects are read, and from where.
func (f *ksmFlags) objects(to *stateFlags) error {
	for _, list := range []struct {
		flag  string
		names commaList
	}{{"namespaces", f.namespaces}, {"namespaces-denylist", f.namespacesDenylist}} {
		for _, name := range list.names {
			if wrong := validation.IsDNS1123Label(name); len(wrong) > 0 {
				return fmt.Errorf("--%s: %q is not the name of a namespace: %s", list.flag, name, wrong[0])
			}
		}
	}
	to.namespaces, to.namespacesDenylist = unique(f.namespaces), unique(f.namespacesDenylist)
	if len(f.namespaces) > 0 && len(f.namespacesDenylist) > 0 {
		denied := func(name string) bool { return slices.Contains(f.namespacesDenylist, name) }
		to.namespaces, to.namespacesDenylist = slices.DeleteFunc(to.namespaces, denied), nil
		if len(to.namespaces) == 0 {
			return errors.New("--namespaces-denylist leaves none of --namespaces")
		}
	}
	if f.apiserver != "" {
		if u, err := url.Parse(f.apiserver); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return fmt.Errorf("--apiserver %q: expected a URL such as https://host:6443", f.apiserver)
		}
	}
	to.apiserver, to.apiserverCache = f.apiserver, f.apiserverCache
	return nil
}

// unique returns the names in order, each once.
func unique(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

// servers decides where and how is served.
func (f *ksmFlags) servers(to *stateFlags) (err error) {
	s := &to.serve
	if f.given("host", "port") || f.compat && !f.given("listen") {
		s.listenFlag = "--host, --port"
		if s.listen, err = hostPort("port", f.host, f.port); err != nil {
			return err
		}
	}
	if f.given("telemetry-host", "telemetry-port") || f.compat {
		if s.telemetry, err = hostPort("telemetry-port", f.telemetryHost, f.telemetryPort); err != nil {
			return err
		}
	}
	if f.tlsConfig != "" {
		s.secure.webConfig, s.secure.webConfigFlag = f.tlsConfig, "--tls-config"
	} else if f.given("tls-config") {
		f.warn("tls-config", "no effect: it is empty, so there is no TLS")
	}
	if f.auth {
		if f.tlsConfig == "" && !f.given("tls-cert", "tls-self-signed", "web.config.file") {
			return errors.New("--auth-filter needs TLS, or tokens would travel in the clear: " +
				"add --tls-config FILE with a tls_server_config, --tls-cert with --tls-key, or --tls-self-signed")
		}
		s.secure.auth = "kubernetes"
	}
	s.plain = f.compat && !f.gzip
	if !f.compat && f.given("enable-gzip-encoding") && !f.gzip {
		f.warn("enable-gzip-encoding", "no effect: whoever asks for gzip gets it")
	}
	f.timeouts(s)
	return nil
}

// timeouts sets the limits of the main server: those that were given, or all.
func (f *ksmFlags) timeouts(s *serveFlags) {
	if f.compat || f.given("server-read-timeout") {
		s.timeouts.read = &f.read
	}
	if f.compat || f.given("server-write-timeout") {
		s.timeouts.write = &f.write
	}
	if f.compat || f.given("server-idle-timeout") {
		s.timeouts.idle = &f.idle
	}
	if f.compat || f.given("server-read-header-timeout") {
		s.timeouts.readHeader = &f.readHeader
	}
}

// hostPort joins an address. All addresses are those of IPv4 alone where there
// is no IPv6.
func hostPort(flag, host string, port int) (string, error) {
	if port < 0 || port > 65535 {
		return "", fmt.Errorf("--%s %d: expected 0 to 65535", flag, port)
	}
	if host == "::" {
		host = ""
	}
	return net.JoinHostPort(host, strconv.Itoa(port)), nil
}
