package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubevitals/kubevitals/internal/cli"
	"github.com/kubevitals/kubevitals/internal/pods/target"
)

// withoutEnvironment takes away what the command pods could find in it.
func withoutEnvironment(t *testing.T) {
	t.Helper()
	for _, name := range []string{"POD_LABEL_SELECTOR", "SCRAPE_TIMEOUT", "PORT", "KUBECONFIG", "HOME", "KUBERNETES_SERVICE_HOST"} {
		t.Setenv(name, "")
	}
}

// TestPodsConfigurationErrors checks that what is wrong ends the command with
// code 1 and says what, where and what to do.
func TestPodsConfigurationErrors(t *testing.T) {
	withoutEnvironment(t)
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, dir, "empty", "")
	write(t, dir, "relabel.yaml", "- {action: labeldrop, regex: x}\n- {action: nothing}\n")
	write(t, dir, "tokenless.yaml", "- {namespaces: [a], bearerTokenFile: missing}\n")
	write(t, dir, "says-nothing.yaml", "- {namespaces: [a]}\n")
	write(t, dir, "typo.yaml", "- {namespace: [a]}\n")
	write(t, dir, "mapping.yaml", "namespaces: [a]\n")
	write(t, dir, "types.yaml", "- {namespaces: shop}\n- {tls: {insecureSkipVerify: maybe}}\n")
	write(t, dir, "syntax.yaml", "- {namespaces: [a\n")
	write(t, dir, "two.yaml", "- {bearerTokenFile: empty}\n---\n- {}\n")
	write(t, dir, "selector.yaml", "- {selector: 'a in (', bearerTokenFile: empty}\n")
	write(t, dir, "half.yaml", "- {tls: {cert: empty}}\n")
	write(t, dir, "ca.yaml", "- {tls: {ca: empty}}\n")
	f := func(want string, args ...string) {
		t.Helper()
		r := run(t, nil, append([]string{"pods", "--listen", "127.0.0.1:0"}, args...)...)
		if r.code != 1 || r.out != "" || !strings.Contains(r.stderr, want) {
			t.Errorf("pods %q: code %d, stderr\n%s\nwant %q", args, r.code, r.stderr, want)
		}
	}
	g := func(want string, args ...string) {
		t.Helper()
		f(want, append(args, "--selector=app=web")...)
	}
	f("there is no label selector: say which pods to scrape, by --selector or the environment variable POD_LABEL_SELECTOR, such as app=web")
	f("--selector is set to nothing", "--selector=")
	f("--selector is set to nothing: give labels, such as app=web", "--selector= ")
	f(`--selector "app in (a": unable to parse requirement`, "--selector=app in (a")
	g(`--timeout "0s": expected a time that is more than 0`, "--timeout=0s")
	g(`--timeout "-5s": expected a time that is more than 0`, "--timeout=-5s")
	g(`invalid argument "9" for "--timeout" flag`, "--timeout=9")
	g(`--namespaces: "A": `, "--namespaces=A")
	g("--namespaces is set to nothing", "--namespaces=")
	g("--own-namespace: this does not run in a pod with a ServiceAccount", "--own-namespace")
	g(`--namespace-selector "=": `, "--namespace-selector==")
	g("--namespace-selector is set to nothing", "--namespace-selector=")
	g("--namespace-selector is set to nothing", "--namespace-selector=\t")
	g(`--field-selector "x": `, "--field-selector=x")
	g(`--node-name "$(NODE_NAME)": this is no name of a node`, "--node-name=$(NODE_NAME)")
	g(`--node-name "": this is no name of a node`, "--node-name=")
	g(`--pod-cidr "10.0.0.0": write an address and a length, such as 10.244.0.0/16`, "--pod-cidr=10.0.0.0")
	g(`--pod-cidr "10.244.1.2/16": the address goes on behind the network's part: write 10.244.0.0/16 for the network, or 10.244.1.2/32 for this address alone`, "--pod-cidr=10.244.1.2/16")
	g(`--shard "1": write INDEX/COUNT`, "--shard=1")
	g("--shard 3/3: index 3 is none of 3, which count from 0", "--shard=3/3")
	g("--shard 0/20000: there can be at most 10000 shares", "--shard=0/20000")
	g(`--ip-family "ipv5": expected ipv4 or ipv6`, "--ip-family=ipv5")
	g(`--host-ports "all": expected declared, any or none`, "--host-ports=all")
	g("--reserved-ports 70000: expected ports", "--reserved-ports=70000")
	g(`--path-allow "(": `, "--path-allow=(")
	g(`--terminating "no": expected grace, scrape or drop`, "--terminating=no")
	g("--stale-after 0s: expected a time that is more than 0", "--stale-after=0s")
	g(`--target-label: target label "team": write NAME=SOURCE`, "--target-label=team")
	g(`--target-label: target label "le"`, "--target-label=le=node")
	g(`--namespace-label: the label "k8s_namespace" is that of --pod-name-label already`, "--pod-name-label=k8s_namespace")
	g(`--target-label a==y: the label "a" is that of --target-label a==x already`, "--target-label=a==x", "--target-label=a==y")
	g(`--pod-name-label: target label "a-b": a name has letters`, "--pod-name-label=a-b")
	g("source \"nodes\" is none of node, pod, namespace, phase, pod_ip, pod_uid, container, port, port_name, path, owner_kind, owner_name, label:KEY, annotation:KEY or =TEXT", "--target-label=a=nodes")
	g("--pod-name-label is set to nothing", "--pod-name-label=")
	g("--target-limit -1: expected a number", "--target-limit=-1")
	g("--sample-limit -1: expected a number, or 0 for no limit", "--sample-limit=-1")
	g(`invalid argument "16Q" for "--body-size-limit" flag`, "--body-size-limit=16Q")
	g("--body-size-limit 2Gi", "--body-size-limit=2Gi")
	g("--budget 40Mi: expected at least 52Mi, which is three times --body-size-limit 16Mi and --wire-size-limit 4Mi", "--budget=40Mi")
	g("there is no cluster", "--budget=52Mi")
	g("--concurrency 0: expected at least 1", "--concurrency=0")
	g(`--label-collisions "no": expected rename, honor or drop`, "--label-collisions=no")
	g(`--invalid-lines "keep": expected fail or drop`, "--invalid-lines=keep")
	g(`--fallback-format "json": expected text, openmetrics or protobuf`, "--fallback-format=json")
	g(`--allow "http_(a|b)": no family has '(' in its name: a star stands for any characters, and nothing else is special`, "--allow=x,http_(a|b)")
	g(`--deny " b": no family has ' ' in its name`, "--deny=a, b")
	g("there is no cluster", "--allow=http.server.*,k8s.io/x-y:z,münchen")
	g("--deny: one of the families has no name", "--deny=a,,b")
	g("--metric-relabel-configs: open missing.yaml", "--metric-relabel-configs=missing.yaml")
	g("--metric-relabel-configs relabel.yaml: relabelling: rule 2 (line 2): ", "--metric-relabel-configs=relabel.yaml")
	g("--metric-relabel-configs empty: the file has no rules", "--metric-relabel-configs=empty")
	g(`--aggregate: aggregation "a": expected a family and an operation`, "--aggregate=a")
	g("--aggregate-by goes with --aggregate", "--aggregate-by=a")
	g("--aggregate: there are two rules for a, sum and max: the first would count", "--aggregate=a=sum", "--aggregate=b=sum", "--aggregate=a=max")
	for _, name := range []string{"up", "scrape_*", "scrape_duration_seconds", "kubevitals_pods_*", "exported_exported_up"} {
		g("--aggregate "+name+"=max: families called up, scrape_* and kubevitals_* are about the targets", "--aggregate="+name+"=max")
	}
	g("there is no cluster", "--aggregate=up*=max", "--aggregate=*=max", "--aggregate=exported_*=max")
	g("--aggregate \"a?\": no family has '?' in its name", "--aggregate=a?=max")
	g(`--aggregate-by "team": no target has this label: they can have k8s_pod_name, k8s_namespace, container, port, path, node, and what --target-label adds`,
		"--aggregate=a=max", "--target-label=node=node", "--aggregate-by=k8s_namespace,team")
	g("there is no cluster", "--aggregate=a=max", "--target-label=node=node", "--aggregate-by=k8s_namespace,node,port")
	g(`--aggregate-by "a b": this is no name of a label`, "--aggregate=a=max", "--aggregate-by=a b")
	g("--pod-auth: open missing.yaml", "--pod-auth=missing.yaml")
	g("--pod-auth: tokenless.yaml: entry 1: bearerTokenFile: open missing", "--pod-auth=tokenless.yaml")
	g("--pod-auth: says-nothing.yaml: entry 1: it says nothing", "--pod-auth=says-nothing.yaml")
	g("--pod-auth: typo.yaml: expected a list of entries with namespaces, selector, tls and bearerTokenFile: line 1: there is no field namespace\n", "--pod-auth=typo.yaml")
	g("bearerTokenFile: line 1: expected a list of entries, and not a mapping\n", "--pod-auth=mapping.yaml")
	g("bearerTokenFile: line 1: expected a list of texts, and not the text `shop`\nline 2: expected true or false, and not the text `maybe`\n", "--pod-auth=types.yaml")
	g("bearerTokenFile: yaml: line 1: did not find", "--pod-auth=syntax.yaml")
	g("--pod-auth: two.yaml: the file has several documents", "--pod-auth=two.yaml")
	g("--pod-auth: empty: the file has no entries: write a list of them", "--pod-auth=empty")
	g(`--pod-auth: selector.yaml: entry 1: selector "a in (": `, "--pod-auth=selector.yaml")
	g("--pod-auth: half.yaml: entry 1: tls: cert and key go together", "--pod-auth=half.yaml")
	g("--pod-auth: ca.yaml: entry 1: tls: ca empty has no certificate in PEM form", "--pod-auth=ca.yaml")
	g("there is no cluster whose pods could be scraped: give --kubeconfig FILE, set KUBECONFIG, or run in a pod")
	g("no such file", "--kubeconfig=missing")
	g("kubevitals: --listen and --port exclude each other: give one of them\n", "--port=1")
	g("kubevitals: it needs --tls-key as well\n", "--tls-cert=x")
	g("kubevitals: --tls-self-signed and --web.config.file exclude each other: give one of them\n", "--tls-self-signed", "--web.config.file=x")
	g("unknown flag: --selectors", "--selectors=x")
	g(`unknown command "x"`, "x")
}

// TestPodsEnvironment gives wrong values in the environment, and flags that count
// for more.
func TestPodsEnvironment(t *testing.T) {
	withoutEnvironment(t)
	noCluster := "there is no cluster whose pods could be scraped"
	f := func(want string, environment map[string]string, args ...string) {
		t.Helper()
		for _, name := range []string{"POD_LABEL_SELECTOR", "SCRAPE_TIMEOUT", "PORT"} {
			t.Setenv(name, environment[name])
		}
		for program, args := range map[string][]string{"metrics-proxy": args, "/usr/bin/metrics-k8s-proxy": args, "/bin/kubevitals": append([]string{"pods"}, args...)} {
			var out, stderr bytes.Buffer
			code := cli.MainAs(program, args, cli.Streams{In: &bytes.Buffer{}, Out: &out, Err: &stderr})
			if code != 1 || !strings.HasPrefix(stderr.String(), filepath.Base(program)+": "+want) {
				t.Errorf("%s %q with %q: code %d, stderr\n%s\nwant %q", program, args, environment, code, &stderr, want)
			}
		}
	}
	env := func(values ...string) map[string]string {
		out := map[string]string{"POD_LABEL_SELECTOR": "app=web"}
		for i := 1; i < len(values); i += 2 {
			out[values[i-1]] = values[i]
		}
		return out
	}
	f(noCluster, env())
	f("there is no label selector", nil)
	f(noCluster, nil, "--selector=app=web")
	f(`POD_LABEL_SELECTOR "a=b,,c in": `, env("POD_LABEL_SELECTOR", "a=b,,c in"))
	f(noCluster, env("POD_LABEL_SELECTOR", "a=b,,c in"), "--selector=app=web")
	f("POD_LABEL_SELECTOR is set to nothing", env("POD_LABEL_SELECTOR", " "))
	f(noCluster, env("POD_LABEL_SELECTOR", "app=x, tier in (a,b), !canary, env!=prod"))
	f(`SCRAPE_TIMEOUT "0s": expected a time that is more than 0, with its unit, such as 9s`, env("SCRAPE_TIMEOUT", "0s"))
	f(`SCRAPE_TIMEOUT "-5s": expected`, env("SCRAPE_TIMEOUT", "-5s"))
	f(`SCRAPE_TIMEOUT "15": expected`, env("SCRAPE_TIMEOUT", "15"))
	f(noCluster, env("SCRAPE_TIMEOUT", "15"), "--timeout=15s")
	for _, port := range []string{"0", "-1", "65536", "http", "80 "} {
		f(`PORT "`+port+`": expected a port, which is a number from 1 to 65535`, env("PORT", port))
		f(noCluster, env("PORT", port), "--port=15091")
		f(noCluster, env("PORT", port), "--listen=127.0.0.1:0")
	}
	f(`--port "0": expected a port`, env(), "--port=0")
	f(`--port "65536": expected a port`, env("PORT", "15091"), "--port=65536")
	f("there is no label selector", map[string]string{"PORT": "x"}) // and the other
}

// TestPodsPort says where the port comes from that is in use.
func TestPodsPort(t *testing.T) {
	withoutEnvironment(t)
	a := newPodsAPI(t)
	ln := listen(t)
	_, port, _ := strings.Cut(ln.Addr().String(), ":")
	common := []string{"pods", "--selector=app=web", "--kubeconfig", a.kubeconfig(t)}
	f := func(flag, address string, args ...string) {
		t.Helper()
		want := "kubevitals: " + flag + " " + address + ": the port is in use, choose another\n"
		if r := run(t, nil, append(common, args...)...); r.code != 1 || r.stderr != want {
			t.Errorf("%q: code %d, stderr %q, want %q", args, r.code, r.stderr, want)
		}
	}
	f("--listen", ln.Addr().String(), "--listen", ln.Addr().String())
	t.Setenv("PORT", "1")
	f("--listen", ln.Addr().String(), "--listen", ln.Addr().String())
	if all, err := os.ReadFile("/proc/sys/net/ipv6/bindv6only"); err != nil || strings.TrimSpace(string(all)) != "0" {
		return // the port may be free at other addresses
	}
	f("--port", ":"+port, "--port", port)
	t.Setenv("PORT", port)
	f("PORT", ":"+port)
}

func TestMetricsProxyHelp(t *testing.T) {
	withoutEnvironment(t)
	for _, args := range [][]string{{"--help"}, {"-h"}, {"--version"}, {"version"}} {
		var out, stderr bytes.Buffer
		if code := cli.MainAs("/usr/bin/metrics-proxy", args, cli.Streams{In: &bytes.Buffer{}, Out: &out, Err: &stderr}); code != 0 || stderr.Len() > 0 {
			t.Errorf("%q: exit code %d, stderr %s", args, code, &stderr)
		}
		for _, want := range []string{"POD_LABEL_SELECTOR", "SCRAPE_TIMEOUT", "PORT", "KUBECONFIG", "15090", "9s", "metrics-proxy [flags]"} {
			if strings.HasSuffix(args[0], "h") && !strings.Contains(out.String(), want) {
				t.Errorf("the help does not have %q:\n%s", want, &out)
			}
		}
	}
}

// TestPodsDocsSources wants all sources of labels in the table of docs/pods.md.
func TestPodsDocsSources(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "pods.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range strings.Split(strings.Replace(target.Sources(), " or ", ", ", 1), ", ") {
		if !strings.Contains(string(page), "`"+source+"`") {
			t.Errorf("the source %s is not there", source)
		}
	}
}

// TestPodsDocsFiles uses the files of docs/pods.md as its text says.
func TestPodsDocsFiles(t *testing.T) {
	withoutEnvironment(t)
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "pods.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, dir, "ca.crt", certificate(t))
	args := []string{"pods", "--selector=app=web"}
	for _, m := range codeBlock.FindAllStringSubmatch(string(page), -1) {
		if title := fileTitle.FindStringSubmatch(m[2]); title != nil {
			flag := map[string]string{"relabel.yaml": "--metric-relabel-configs", "pod-auth.yaml": "--pod-auth"}[title[1]]
			args = append(args, flag, write(t, dir, title[1], m[3]))
		}
	}
	r := run(t, nil, args...)
	if want := "kubevitals: there is no cluster whose pods could be scraped"; len(args) != 6 || !strings.HasPrefix(r.stderr, want) {
		t.Errorf("%q: %s", args, r.stderr)
	}
}
