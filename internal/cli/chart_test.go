package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubevitals/kubevitals/catalog"
	"github.com/kubevitals/kubevitals/internal/manifest"
)

// chartRules are permissions as the chart has them: of what is outside of
// namespaces, and of what is in them.
type chartRules struct {
	Cluster    []rbacv1.PolicyRule   `json:"cluster"`
	Namespaced []rbacv1.PolicyRule   `json:"namespaced"`
	Groups     map[string]chartRules `json:"groups,omitempty"`
}

// chartRBAC is files/rbac.yaml of the chart.
type chartRBAC struct {
	Auth            []rbacv1.PolicyRule   `json:"auth"`
	Catalogs        map[string]chartRules `json:"catalogs"`
	LeaderElection  []rbacv1.PolicyRule   `json:"leaderElection"`
	MetricPipelines []rbacv1.PolicyRule   `json:"metricPipelines"`
	Pods            []rbacv1.PolicyRule   `json:"pods"`
	RulesConfigMaps []rbacv1.PolicyRule   `json:"rulesConfigMaps"`
	Shards          []rbacv1.PolicyRule   `json:"shards"`
}

// printed returns the rules that a command rbac prints, by place.
func printed(t *testing.T, args ...string) map[string][]rbacv1.PolicyRule {
	t.Helper()
	return rolesIn(t, run(t, nil, append([]string{"rbac"}, args...)...).ok(t))
}

// rolesIn returns the rules of the roles among manifests, by namespace. A role of
// readers is none.
func rolesIn(t *testing.T, manifests string) map[string][]rbacv1.PolicyRule {
	t.Helper()
	out := make(map[string][]rbacv1.PolicyRule)
	for document := range strings.SplitSeq(manifests, "\n---\n") {
		var role rbacv1.Role
		if err := yaml.Unmarshal([]byte(document), &role); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		if strings.HasSuffix(role.Kind, "Role") && !strings.HasSuffix(role.Name, "-metrics-reader") {
			out[role.Namespace] = append(out[role.Namespace], role.Rules...)
		}
	}
	return out
}

// without returns the rules that are not among others.
func without(rules, others []rbacv1.PolicyRule) []rbacv1.PolicyRule {
	known := flatten(others)
	out := []rbacv1.PolicyRule{}
	for _, rule := range rules {
		rule.Resources = slices.DeleteFunc(slices.Clone(rule.Resources), func(resource string) bool {
			return !slices.ContainsFunc(rule.Verbs, func(verb string) bool {
				return !slices.Contains(known, rule.APIGroups[0]+" "+resource+" "+verb)
			})
		})
		if len(rule.Resources) > 0 {
			out = append(out, rule)
		}
	}
	return out
}

// TestChartReference writes files/rbac.yaml of the chart: what the command rbac
// prints for each choice that the chart's values offer.
func TestChartReference(t *testing.T) {
	const namespace = "n"
	rulesOf := func(args ...string) chartRules {
		roles := printed(t, append([]string{"--offline", "--new-kinds", "--namespaces", namespace}, args...)...)
		return chartRules{Cluster: slices.Clip(append([]rbacv1.PolicyRule{}, roles[""]...)), Namespaced: append([]rbacv1.PolicyRule{}, roles[namespace]...)}
	}
	known := chartRBAC{Catalogs: make(map[string]chartRules)}
	for _, name := range catalog.Names() {
		base := rulesOf("--catalog", name)
		all := slices.Concat(base.Cluster, base.Namespaced)
		groups := catalogGroups(t, name)
		for _, group := range groups {
			more := rulesOf("--catalog", name, "--enable", group)
			more = chartRules{Cluster: without(more.Cluster, base.Cluster), Namespaced: without(more.Namespaced, base.Namespaced)}
			if len(more.Cluster)+len(more.Namespaced) > 0 {
				if base.Groups == nil {
					base.Groups = make(map[string]chartRules)
				}
				base.Groups[group] = more
			}
			all = slices.Concat(all, more.Cluster, more.Namespaced)
		}
		whole := rulesOf("--catalog", name, "--enable", strings.Join(groups, ","))
		if missing := without(slices.Concat(whole.Cluster, whole.Namespaced), all); len(groups) > 0 && len(missing) > 0 {
			t.Errorf("%s: groups that are on together need more than each alone: %v", name, missing)
		}
		known.Catalogs[name] = base
	}
	base := printed(t, "--offline", "--catalog", "kyma", "--new-kinds")[""]
	known.Auth = without(printed(t, "--offline", "--catalog", "kyma", "--new-kinds", "--auth=kubernetes")[""], base)
	known.LeaderElection = printed(t, "--offline", "--leader-elect")["kubevitals"]
	known.MetricPipelines = without(printed(t, "--offline", "--catalog", "kyma", "--new-kinds", "--metric-pipelines")[""], base)
	known.RulesConfigMaps = without(printed(t, "--offline", "--catalog", "kyma", "--new-kinds", "--rules-configmaps=a=b")[""], base)
	known.Shards = printed(t, "--offline", "--pod=NAME-0", "--pod-namespace=kubevitals")["kubevitals"]
	known.Pods = printed(t, "pods")[""]
	data, err := yaml.Marshal(known)
	if err != nil {
		t.Fatal(err)
	}
	compareGolden(t, filepath.Join("..", "..", "deploy", "chart", "files", "rbac.yaml"), "# Written by `make generate` from what \"kubevitals rbac\" prints.\n"+string(data))
}

// flat returns permissions by place, sorted.
func flat(roles map[string][]rbacv1.PolicyRule) map[string][]string {
	out := make(map[string][]string)
	for place, rules := range roles {
		list := flatten(rules)
		slices.Sort(list)
		out[place] = slices.Compact(list)
	}
	return out
}

// workload is what tests look at in a Deployment, StatefulSet or DaemonSet.
type workload struct {
	Kind string
	Spec struct {
		Template struct {
			Spec struct{ Containers []struct{ Args []string } }
		}
	}
}

// rendered returns the chart's objects for values, and the arguments of its
// workload.
func rendered(t *testing.T, values string) (manifests string, args []string) {
	t.Helper()
	var v map[string]any
	if err := yaml.UnmarshalStrict([]byte(values), &v); err != nil {
		t.Fatal(err)
	}
	objects, err := manifest.Render(manifest.Release{Name: "kubevitals", Namespace: "kubevitals", Values: v})
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, o := range objects {
		var w workload
		if err := yaml.Unmarshal([]byte(o.YAML), &w); err != nil {
			t.Fatalf("%v in\n%s", err, o.YAML)
		}
		if len(w.Spec.Template.Spec.Containers) > 0 {
			args = w.Spec.Template.Spec.Containers[0].Args
		}
		list = append(list, o.YAML)
	}
	return strings.Join(list, "\n---\n"), args
}

// TestChartRoles compares the roles of the chart with what is printed for the
// arguments of its workload: no more, and no less.
func TestChartRoles(t *testing.T) {
	for _, values := range []string{
		`{}`,
		`{auth: {enabled: false}}`,
		`{state: {collect: scrape}}`,
		`{state: {namespaces: [shop, pay]}}`,
		`{state: {catalogs: [gateway-api], enable: [crds, tls]}}`,
		`{state: {catalogs: [gateway-api, kuadrant], enable: [crds], namespaces: [shop]}}`,
		`{state: {catalogs: [kyma], params: {kyma.modules: [telemetry, istio]}}}`,
		`{state: {metricPipelines: true}}`,
		`{state: {catalogs: [conditions]}}`,
		`{state: {catalogs: [conditions], params: {conditions.groups: [apps, cert-manager.io]}, rbac: {groups: [apps, cert-manager.io]}}}`,
		`{state: {rulesConfigMaps: a=b}}`,
		`{state: {leaderElection: true, otlpEndpoint: "http://collector:4318"}}`,
		`{state: {kind: StatefulSet, replicas: 3}}`,
		`{state: {kind: StatefulSet, replicas: 3, namespaces: [shop, kubevitals], leaderElection: true, otlpEndpoint: "http://collector:4318"}}`,
		`{state: {enabled: false}, pods: {enabled: true, selector: app=web}}`,
		`{state: {enabled: false}, auth: {enabled: false}, pods: {enabled: true, selector: app=web, namespaces: [shop]}}`,
		`{state: {enabled: false}, pods: {enabled: true, kind: DaemonSet, selector: app=web, leaderElection: false}}`,
		`{state: {enabled: false}, pods: {enabled: true, kind: StatefulSet, replicas: 3, selector: app=web}}`,
	} {
		t.Run(values, func(t *testing.T) {
			manifests, args := rendered(t, values)
			args = slices.DeleteFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "--listen=") })
			for i := range args { // as the kubelet does, and the name of a StatefulSet's pod
				args[i] = strings.NewReplacer("$(NODE_NAME)", "node", "$(POD_NAME)", "kubevitals-state-0", "$(POD_NAMESPACE)", "kubevitals", "auto/", "0/").Replace(args[i])
			}
			command := []string{"rbac"}
			if args[0] == "pods" {
				command = append(command, "pods")
			} else {
				command = append(command, "--offline", "--new-kinds")
			}
			want := flat(rolesIn(t, run(t, nil, slices.Concat(command, args[1:])...).ok(t)))
			if diff := cmp.Diff(want, flat(rolesIn(t, manifests))); diff != "" {
				t.Errorf("roles (-printed +chart):\n%s", diff)
			}
		})
	}
}

// TestManifests compares what the command prints with the chart for the same
// choices, and the permissions with what the command rbac prints.
func TestManifests(t *testing.T) {
	for flags, values := range map[string]string{
		"--offline": `{auth: {enabled: false}}`,
		"--offline --catalog=gateway-api --enable=crds": `{auth: {enabled: false}, state: {catalogs: [gateway-api], enable: [crds]}}`,
		"--offline --namespaces=shop":                   `{auth: {enabled: false}, state: {namespaces: [shop]}}`,
		"pods --selector=app=web":                       `{auth: {enabled: false}, state: {enabled: false}, pods: {enabled: true, selector: app=web, args: [--selector=app=web]}}`,
		"--offline --auth=kubernetes --tls-self-signed": `{tls: {source: selfSigned}}`,
		"--offline --auth=kubernetes --tls-self-signed --set=serviceMonitor.enabled=true --set=podMonitor.enabled=true": `{tls: {source: selfSigned}, serviceMonitor: {enabled: true}, podMonitor: {enabled: true}}`,
	} {
		t.Run(flags, func(t *testing.T) {
			args := append([]string{"manifests", "--no-namespace"}, strings.Fields(flags)...)
			if rest, ok := strings.CutPrefix(flags, "pods "); ok {
				args = append([]string{"manifests", "pods", "--no-namespace"}, strings.Fields(rest)...)
			}
			got := run(t, nil, args...).ok(t)
			want, _ := rendered(t, values)
			if diff := cmp.Diff(objectsOf(t, want), objectsOf(t, got)); diff != "" {
				t.Errorf("objects (-chart +printed):\n%s", diff)
			}
		})
	}
}

// objectsOf returns objects by kind and name; roles as their permissions, and
// arguments in order of name.
func objectsOf(t *testing.T, manifests string) map[string]any {
	t.Helper()
	out := make(map[string]any)
	for document := range strings.SplitSeq(manifests, "\n---\n") {
		var o map[string]any
		if err := yaml.Unmarshal([]byte(document), &o); err != nil {
			t.Fatal(err)
		}
		kind := fmt.Sprint(o["kind"])
		meta, _ := o["metadata"].(map[string]any)
		labels, _ := meta["labels"].(map[string]any)
		delete(labels, "app.kubernetes.io/managed-by")
		switch kind {
		case "Role", "ClusterRole":
			o["rules"] = flat(rolesIn(t, document))
		case "Deployment":
			template := o["spec"].(map[string]any)["template"].(map[string]any)
			delete(template["metadata"].(map[string]any)["labels"].(map[string]any), "app.kubernetes.io/managed-by")
			container := template["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)
			delete(container, "args") // the chart's say the same in other words: TestChartRoles
		}
		out[kind+" "+fmt.Sprint(meta["name"])+" "+fmt.Sprint(meta["namespace"])] = o
	}
	return out
}

// TestKustomizeReference writes the bases and components for kustomize: what the
// command manifests prints.
func TestKustomizeReference(t *testing.T) {
	const monitors = " --only=ServiceMonitor --set=serviceMonitor.enabled=true"
	const everything = "--offline --set=pods.enabled=true,pods.selector=app=web"
	for folder, args := range map[string]string{
		"namespace":                  "--offline --only=Namespace",
		"state":                      "--offline --no-namespace",
		"state-protected":            "--offline --no-namespace --auth=kubernetes --set=tls.source=secret",
		"pods":                       "pods --no-namespace --selector=app=web",
		"monitoring/state":           "--offline" + monitors,
		"monitoring/state-protected": "--offline --auth=kubernetes --set=tls.source=secret" + monitors,
		"monitoring/pods":            "pods --selector=app=web" + monitors,
		"alerts":                     everything + " --only=PrometheusRule --set=prometheusRule.enabled=true",
		"dashboards":                 everything + " --only=ConfigMap --set=dashboards.enabled=true",
	} {
		words := append([]string{"manifests"}, strings.Fields(args)...)
		dir := filepath.Join("..", "..", "deploy", "kustomize", folder)
		compareGolden(t, filepath.Join(dir, "kubevitals.yaml"), run(t, nil, words...).ok(t))
		kind := "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
		if strings.HasPrefix(folder, "monitoring/") || folder == "dashboards" || folder == "alerts" {
			kind = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
		}
		compareGolden(t, filepath.Join(dir, "kustomization.yaml"), kind+"resources: [kubevitals.yaml]\n")
	}
}

const oneRule = `apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
spec: {resources: [{groupVersionKind: {group: myteam.io, version: v1, kind: Foo}, metrics: [{name: foo, value: object.metadata.generation}]}]}
`

// TestManifestsRefused: what cannot be installed, or would not be what the permissions
// are for, is an error that says what to do.
func TestManifestsRefused(t *testing.T) {
	dir := t.TempDir()
	rules := write(t, dir, "my rules.yaml", oneRule)
	for _, x := range []struct {
		args []string
		want string
	}{
		{[]string{"--offline", "--set=state.catalogs={kyma}"}, `state.catalogs: that is said by flags of "kubevitals state"`},
		{[]string{"--offline", "--set=state.rbac.create=false"}, "state.rbac: that is said by flags"},
		{[]string{"--offline", "--set=state.kind=StatefulSet"}, "--pod='$(POD_NAME)'"},
		{[]string{"pods", "--selector=a=b", "--set=pods.kind=DaemonSet"}, "--node-name='$(NODE_NAME)'"},
		{[]string{"--offline", "--listen=:1"}, "--listen: the chart decides on ports"},
		{[]string{"--offline", "--tls-self-signed"}, "for --auth=kubernetes only"},
		{[]string{"--offline", "--otlp-endpoint=http://c:4318", "--otlp-header=a=b"}, "OTEL_EXPORTER_OTLP_HEADERS of a Secret"},
		{[]string{"--offline", "--otlp-endpoint=http://c:4318", "--otlp-ca=ca.pem"}, "--otlp-ca names a file of this machine"},
		{[]string{"--offline", "--rules", rules}, "a ConfigMap cannot have a rule file of this name"},
		{[]string{"--offline", "--only=Job"}, "there is no Job among the objects"},
		{[]string{"pods"}, "--selector: which pods are to be asked?"},
	} {
		r := run(t, nil, append([]string{"manifests"}, x.args...)...)
		if r.code == 0 || !strings.Contains(r.stderr, x.want) {
			t.Errorf("%q: exit code %d, stderr %s", x.args, r.code, r.stderr)
		}
		if strings.Contains(r.stderr, "a=b:") {
			t.Errorf("%q: a header is shown: %s", x.args, r.stderr)
		}
	}
}

// TestManifestsFiles: rule files become a ConfigMap that is mounted where the arguments
// say, whatever their text is like.
func TestManifestsFiles(t *testing.T) {
	text := "  # begins with a line that is indented\n" + oneRule
	dir := t.TempDir()
	write(t, dir, "a.yaml", text)
	write(t, dir, ".hidden.yaml", "not: read")
	if err := os.Mkdir(filepath.Join(dir, "below"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "below"), "b.yaml", "not: read")
	out := run(t, nil, "manifests", "--offline", "--catalog=gateway-api", "--rules", dir).ok(t)
	objects := objectsOf(t, out)
	data := objects["ConfigMap kubevitals-state-rules kubevitals"].(map[string]any)["data"]
	if diff := cmp.Diff(map[string]any{"a.yaml": text}, data); diff != "" {
		t.Errorf("ConfigMap (-want +got):\n%s", diff)
	}
	if !strings.Contains(out, "- --rules=/etc/kubevitals/rules\n") || !strings.Contains(out, "mountPath: /etc/kubevitals/rules,") {
		t.Errorf("the rules are not mounted where they are looked for:\n%s", out)
	}
}
