package cli_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/internal/cli"
)

// ksm runs a command line of the program called as kube-state-metrics.
func ksm(args ...string) result {
	var out, stderr bytes.Buffer
	code := cli.MainAs("/usr/bin/kube-state-metrics", args, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &stderr})
	return result{code, out.String(), stderr.String()}
}

// ksmValues has every flag of kube-state-metrics v2.20 with a value that it
// takes there.
var ksmValues = map[string]string{
	"add_dir_header": "true", "alsologtostderr": "true", "alsologtostderrthreshold": "WARNING",
	"apiserver": "https://127.0.0.1:6443", "auth-filter": "true", "auto-gomemlimit": "true", "auto-gomemlimit-ratio": "0.8",
	"config": "options.yaml", "continue-without-config": "true", "continue-without-custom-resource-state-config-file": "true",
	"custom-resource-state-config": "spec: {resources: []}", "custom-resource-state-config-file": "crs.yaml",
	"custom-resource-state-only": "true", "enable-gzip-encoding": "true", "help": "true", "host": "127.0.0.1", "kubeconfig": "k",
	"legacy_stderr_threshold_behavior": "false", "log_backtrace_at": "a.go:1", "log_dir": "/tmp", "log_file": "l",
	"log_file_max_size": "1800", "logtostderr": "true", "metric-allowlist": "kube_a,kube_b.*", "metric-annotations-allowlist": "pods=[a,b]",
	"metric-denylist": "kube_a,kube_b.*", "metric-labels-allowlist": "pods=[*]", "metric-opt-in-list": "kube_a", "namespaces": "a,b",
	"namespaces-denylist": "a,b", "node": "n", "object-limit": "500", "one_output": "true", "pod": "ksm-0", "pod-namespace": "default",
	"port": "8080", "resources": "pods,nodes", "server-idle-timeout": "5m", "server-read-header-timeout": "5s",
	"server-read-timeout": "1m", "server-write-timeout": "1m0s", "shard": "1", "skip_headers": "true", "skip_log_headers": "true",
	"stderrthreshold": "INFO", "telemetry-host": "::", "telemetry-port": "8081", "tls-config": "web.yaml", "total-shards": "2",
	"track-unscheduled-pods": "true", "use-apiserver-cache": "true", "v": "6", "vmodule": "a=1",
}

// TestKSMFlags: every flag of kube-state-metrics stands in the table, parses, and
// says what is to be known about it.
func TestKSMFlags(t *testing.T) {
	known := make(map[string]cli.KSMFlag)
	for _, f := range cli.KSMFlags() {
		if _, twice := known[f.Name]; twice {
			t.Errorf("--%s stands in the table twice", f.Name)
		}
		if _, ok := ksmValues[f.Name]; !ok {
			t.Errorf("--%s is no flag of kube-state-metrics", f.Name)
		}
		if f.Here == "" {
			t.Errorf("--%s: the table does not say what it does", f.Name)
		}
		if strings.HasPrefix(f.Here, "no effect") && f.Warning == "" {
			t.Errorf("--%s has no effect and no warning", f.Name)
		}
		known[f.Name] = f
	}
	for name, value := range ksmValues {
		t.Run(name, func(t *testing.T) {
			f, ok := known[name]
			if !ok {
				t.Fatal("not in the table")
			}
			ksm("--"+name+"="+value, "--help").ok(t)
			run(t, nil, "state", "--"+name+"="+value, "--help").ok(t)
			if f.Warning == "" {
				return
			}
			r := run(t, nil, "state", "--"+name+"="+value, "--rules", "none.yaml")
			want := fmt.Sprintf(`level=WARN msg="Flag of kube-state-metrics" flag=--%s hint="%s"`, name, f.Warning)
			if strings.Count(r.stderr, "flag=--"+name+" ") != 1 || !strings.Contains(r.stderr, want) {
				t.Errorf("stderr\n%s\nwant one line with %s", r.stderr, want)
			}
		})
	}
	for _, args := range [][]string{{"-v=4", "-h"}, {"-v", "4", "--help"}, {"--logtostderr", "-h"}, {"--pod", "a", "--shard", "0", "-h"}} {
		ksm(args...).ok(t)
	}
}

// TestKSMRefuses: what would silently be something else ends the program.
func TestKSMRefuses(t *testing.T) {
	dir := t.TempDir()
	crs, object := write(t, dir, "crs.yaml", crsFoo), write(t, dir, "foo.yaml", foo)
	options := write(t, dir, "options.yaml", "shard: 3\ntotal_shards: 3\n")
	list := write(t, dir, "list.yaml", "- a\n")
	wrong := write(t, dir, "wrong.yaml", "host: h\nport: many\n")
	several := write(t, dir, "several.yaml", "port: [1, 2]\n")
	f := func(want string, args ...string) {
		t.Helper()
		for program, r := range map[string]result{
			"kube-state-metrics": ksm(append(args, "--custom-resource-state-config-file", crs)...),
			"kubevitals state":   run(t, nil, append([]string{"state", "--custom-resource-state-config-file", crs}, args...)...),
		} {
			if r.code != 1 || !strings.Contains(r.stderr, want) {
				t.Errorf("%s %v: code %d, stderr\n%s\nwant %q", program, args, r.code, r.stderr, want)
			}
		}
	}
	f("--resources=pods,nodes: only custom resources are served here", "--resources", "pods", "--resources=nodes")
	f("beside it with --custom-resource-state-only", "--resources", "pods")
	f("--total-shards 0: expected 1, for all objects in one instance, to 10000", "--total-shards=0")
	f("--total-shards 10001: expected", "--total-shards=10001")
	f("--shard 2: it is none of --total-shards 2, which count from 0", "--total-shards=2", "--shard=2")
	f("--shard 1: it is none of --total-shards 1", "--shard=1")
	f("--shard -1: it is none of", "--shard=-1", "--total-shards=2")
	f("--shard 3: it is none of --total-shards 3", "--config", options)
	f("--pod ksm-1: say where it is with --pod-namespace", "--pod", "ksm-1")
	f("--pod-namespace a: say which pod this is with --pod", "--pod-namespace", "a")
	f(`--pod-namespace: "A" is not the name of a namespace`, "--pod-namespace", "A", "--pod", "ksm-1")
	f("--pod ksm-7d9f: the name does not end in a dash and a number, as those of a StatefulSet's pods do: give --shard and --total-shards", "--pod", "ksm-7d9f", "--pod-namespace", "a")
	f("list.yaml: expected options with their values", "--config", list)
	f("wrong.yaml:2: option port: ", "--config", wrong)
	f("several.yaml:1: option port: expected one value, found several", "--config", several)
	f("--config: open ", "--config", filepath.Join(dir, "none.yaml"))
	f("--port 70000: expected 0 to 65535", "--port", "70000")
	f("--telemetry-port -1: expected 0 to 65535", "--telemetry-port", "-1")
	f("--listen and --port exclude each other", "--listen", ":1", "--port", "1")
	f("--auth and --auth-filter exclude each other", "--auth", "none", "--auth-filter")
	f("--apiserver and --from exclude each other", "--from", dir, "--apiserver", "http://a")
	f("--log-level and -v exclude each other", "--log-level", "info", "-v=9")
	f("--tls-client-ca and --tls-config exclude each other", "--tls-client-ca", "x", "--tls-config", "y")
	f("--auth-filter needs TLS, or tokens would travel in the clear", "--auth-filter")
	f("--tls-config "+filepath.Join(dir, "none.yaml"), "--tls-config", filepath.Join(dir, "none.yaml"), "--from", object)
	f(`--namespaces: "a_b" is not the name of a namespace`, "--namespaces", "a,a_b")
	f(`--namespaces-denylist: "B" is not the name of a namespace`, "--namespaces-denylist", "B")
	f("--namespaces-denylist leaves none of --namespaces", "--namespaces", "a,b", "--namespaces-denylist", "b,a")
	f(`--apiserver "10.0.0.1:6443": expected a URL such as https://host:6443`, "--apiserver", "10.0.0.1:6443")
	f("--metric-allowlist and --metric-denylist are both given: choose one", "--metric-allowlist", "a", "--metric-denylist", "b")
	f(`--metric-denylist: "^(?!kube_a)" looks around with "(?!"`, "--metric-denylist", "^(?!kube_a)")
	f("--auto-gomemlimit-ratio 1.5: expected more than 0 and at most 1", "--auto-gomemlimit", "--auto-gomemlimit-ratio", "1.5")
	f("invalid argument \"x\" for \"--shard\" flag", "--shard", "x")
	inline := "--custom-resource-state-config"
	f(inline+":1:24: expected a list, found a map", inline, `{"spec": {"resources": {}}}`, "--from", object)
	f(inline+":1:1: the document has no resources", inline, "resources: []", "--from", object)
	f(inline+":1:1: expected a rule document, found ", inline, "x", "--from", object)
	f(inline+":10:1: warning: only the first CustomResourceStateMetrics document of a file is read", inline, crsFoo+"---\n"+crsFoo, "--from", object, "--listen", "x")
}

// TestKSMNeedsRules: called as kube-state-metrics nothing is served that nobody
// asked for.
func TestKSMNeedsRules(t *testing.T) {
	for _, args := range [][]string{nil, {"--custom-resource-state-only"}, {"--port", "0", "--telemetry-port", "0"}} {
		if r := ksm(args...); r.code != 1 || !strings.Contains(r.stderr, "there are no rules: give --custom-resource-state-config-file FILE") {
			t.Errorf("%v: code %d, stderr %s", args, r.code, r.stderr)
		}
	}
}

func TestKSMCommands(t *testing.T) {
	if out := ksm("version").ok(t); !strings.HasPrefix(out, "kubevitals ") {
		t.Errorf("version prints %q", out)
	}
	if out := ksm("--version").ok(t); !strings.HasPrefix(out, "kube-state-metrics version ") {
		t.Errorf("--version prints %q", out)
	}
	for _, name := range []string{"completion", "comp", "c"} {
		for _, shell := range []string{"bash", "zsh", "fish"} {
			if out := ksm(name, shell).ok(t); !strings.Contains(out, "kube-state-metrics") {
				t.Errorf("%s %s prints %q", name, shell, out)
			}
		}
	}
	help := ksm("-h").ok(t)
	for _, flag := range []string{"--custom-resource-state-only", "--telemetry-port", "--total-shards", "--auth-filter"} {
		if !strings.Contains(help, flag) {
			t.Errorf("help lacks %s", flag)
		}
	}
	if strings.Contains(help, "--log_dir") || strings.Contains(run(t, nil, "state", "-h").ok(t), "--telemetry-port") {
		t.Error("help has flags that are not to be recommended")
	}
	if r := ksm("pods"); r.code != 1 || !strings.Contains(r.stderr, `unknown command "pods"`) {
		t.Errorf("an argument: code %d, %s", r.code, r.stderr)
	}
}

// TestKSMKeep finds expressions anywhere in a name, as kube-state-metrics does.
func TestKSMKeep(t *testing.T) {
	names := []string{"kube_a", "kube_a_info", "kube_b", "other"}
	f := func(allow, deny []string, want ...string) {
		t.Helper()
		keep, err := cli.Keep(allow, deny)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, name := range names {
			if keep(name) {
				got = append(got, name)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("allow %v, deny %v: keeps %v, want %v", allow, deny, got, want)
		}
	}
	f([]string{"kube_a"}, nil, "kube_a", "kube_a_info")
	f([]string{"^kube_a$", "oth"}, nil, "kube_a", "other")
	f([]string{"nothing"}, nil)
	f(nil, []string{"_info$"}, "kube_a", "kube_b", "other")
	f(nil, []string{"kube_[ab]"}, "other")
	if keep, err := cli.Keep(nil, nil); keep != nil || err != nil {
		t.Errorf("without lists: %v", err)
	}
	for _, pattern := range []string{"a(?=b)", "(?<!a)b", "(", `a(?<=b)`, `(a)\1`} {
		if _, err := cli.Keep([]string{pattern}, nil); err == nil || !strings.Contains(err.Error(), "RE2") {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}

func TestKSMMemoryLimit(t *testing.T) {
	f := func(file, text string, want int64) {
		t.Helper()
		root := t.TempDir()
		path := filepath.Join(root, "sys/fs/cgroup", file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Dir(path), filepath.Base(path), text)
		if got, err := cli.CgroupLimit(root); got != want || (err == nil) != (want != 0) {
			t.Errorf("%s %q: %d, %v, want %d", file, text, got, err, want)
		}
	}
	f("memory.max", "268435456\n", 268435456)
	f("memory.max", "max\n", 0)
	f("memory/memory.limit_in_bytes", "1048576\n", 1048576)
	f("memory/memory.limit_in_bytes", "9223372036854771712\n", 0)
	f("other", "1", 0)
}

// TestKSMPortInUse names the flags that gave the address.
func TestKSMPortInUse(t *testing.T) {
	object, crs := fooFiles(t)
	host, port, err := net.SplitHostPort(listen(t).Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	base := []string{"--from", object, "--custom-resource-state-config-file", crs, "--host", host, "--telemetry-host", host}
	for flags, args := range map[string][]string{
		"--host, --port":                     {"--port", port, "--telemetry-port", "0"},
		"--telemetry-host, --telemetry-port": {"--port", "0", "--telemetry-port", port},
	} {
		r := ksm(append(slices.Clone(base), args...)...)
		if want := flags + " " + net.JoinHostPort(host, port) + ": the port is in use, choose another\n"; r.code != 1 || !strings.HasSuffix(r.stderr, want) {
			t.Errorf("code %d, stderr %s, want %s", r.code, r.stderr, want)
		}
	}
}

// TestKSMReference writes the table of docs/kube-state-metrics.md.
func TestKSMReference(t *testing.T) {
	const head = "| flag | here |\n|---|---|\n"
	page := filepath.Join("..", "..", "docs", "kube-state-metrics.md")
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), head)
	if !ok {
		t.Fatalf("%s has no table", page)
	}
	for strings.HasPrefix(rest, "|") {
		_, rest, _ = strings.Cut(rest, "\n")
	}
	table := cli.KSMFlags()
	slices.SortFunc(table, func(a, b cli.KSMFlag) int { return strings.Compare(a.Name, b.Name) })
	var rows strings.Builder
	for _, f := range table {
		dashes := "--"
		if len(f.Name) == 1 {
			dashes = "-"
		}
		fmt.Fprintf(&rows, "| `%s%s` | %s |\n", dashes, f.Name, f.Here)
	}
	compareGolden(t, page, before+head+rows.String()+rest)
}
