package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"

	"github.com/kubevitals/kubevitals/test/controlplane"
	"github.com/kubevitals/kubevitals/test/program"
)

// rbacCase is a command line of kubevitals state whose printed permissions are
// tried out.
type rbacCase struct {
	// account is the name of the ServiceAccount, in rbacNamespace.
	account string
	args    []string
	// series must be served; it has to do with lookups.
	series string
	// places are the namespaces that have roles, "" for the ClusterRole.
	places []string
	// kinds is how many kinds are served.
	kinds int
}

const rbacNamespace = "rbac"

// TestRBAC runs kubevitals with exactly what "kubevitals rbac" prints, and then
// without each single permission: something must not work then. The API server
// has no streaming lists, like those before Kubernetes 1.34: on one that has
// them, watching a kind does without the verb list.
func TestRBAC(t *testing.T) {
	c := rbacControlPlane(t)
	readerToken := reader(t, c, "reader", "/metrics")
	rules := writeFile(t, "mine.yaml", rbacRules)
	for _, r := range []rbacCase{
		{
			account: "catalogs", args: []string{"--auth=kubernetes", "--tls-self-signed"},
			places: []string{""}, kinds: len(kinds),
		},
		{
			account: "lookups",
			args: []string{
				"--collect=scrape", "--rules", rules,
				"--custom-resource-state-config-file", writeFile(t, "crs.yaml", rbacCRS),
			},
			series: `gadget_secret_info{name="first",namespace="rbac-a",ref="rules",secret_type="Opaque",team="web"} 1`,
			places: []string{""}, kinds: 7,
		},
		{
			account: "namespaces",
			args: []string{
				"--rules", writeFile(t, "gadgets.yaml", rbacGadgets), "--namespaces=rbac-a,rbac-b", "--rules-configmaps=kubevitals.io/rules=true",
			},
			series: `gizmo_config_info{mode="fast",name="first",namespace="rbac-b"} 1`,
			places: []string{"rbac-a", "rbac-b"}, kinds: 3,
		},
	} {
		t.Run(r.account, func(t *testing.T) { r.run(t, c, readerToken) })
	}
}

func (r *rbacCase) run(t *testing.T, c *controlplane.ControlPlane, readerToken string) {
	file := writeFile(t, "rbac.yaml", r.printed(t, c))
	kubectl(t, c, "apply", "--validate=strict", "--filename", file)
	granted := printedGrants(t, r.printed(t, c))
	var places []string
	for _, g := range granted {
		if !slices.Contains(places, g.namespace) {
			places = append(places, g.namespace)
		}
	}
	if !slices.Equal(places, r.places) {
		t.Errorf("there are roles for %q, want %q", places, r.places)
	}

	awaitGrants(t, c, r.account, granted)
	all := r.start(t, c, r.account)
	program.Poll(t, "everything to work", func() error { return errors.Join(r.problems(t, all, readerToken)...) })

	resources := servedResources(t, c)
	variants := make(map[string]grant)
	for i, g := range granted {
		if _, served := resources[g.group+"/"+g.resource]; served {
			variants[fmt.Sprintf("%s-%d", r.account, i)] = g
		}
	}
	var objects []*unstructured.Unstructured
	for account, missing := range variants {
		left := slices.DeleteFunc(slices.Clone(granted), func(g grant) bool { return g == missing })
		objects = append(objects, rolesOf(t, account, left)...)
	}
	slices.SortStableFunc(objects, func(a, b *unstructured.Unstructured) int { return strings.Compare(a.GetKind(), b.GetKind()) })
	if err := c.ApplyObjects(t.Context(), objects...); err != nil {
		t.Fatal(err)
	}
	for account, missing := range variants {
		awaitGrants(t, c, account, slices.DeleteFunc(slices.Clone(granted), func(g grant) bool { return g == missing }))
	}
	t.Run("without", func(t *testing.T) {
		for some := range slices.Chunk(slices.Sorted(maps.Keys(variants)), 5) {
			t.Run(some[0], func(t *testing.T) {
				t.Parallel()
				processes := make(map[string]*program.Process)
				for _, account := range some {
					processes[account] = r.start(t, c, account)
				}
				for account, p := range processes {
					missing := variants[account]
					program.Poll(t, "something not to work without "+missing.String(), func() error {
						return missing.explains(r.problems(t, p, readerToken), resources[missing.group+"/"+missing.resource])
					})
				}
			})
		}
	})
	t.Logf("%d of %d permissions are about what is served; each is needed", len(variants), len(granted))
}

// printed returns what kubevitals rbac prints.
func (r *rbacCase) printed(t *testing.T, c *controlplane.ControlPlane) string {
	t.Helper()
	return printedRoles(t, c, rbacNamespace, r.account, r.args...)
}

// printedRoles returns what kubevitals rbac prints for an account.
func printedRoles(t *testing.T, c *controlplane.ControlPlane, namespace, account string, args ...string) string {
	t.Helper()
	args = append([]string{"rbac", "--kubeconfig", c.Kubeconfig(), "--name", account, "--namespace", namespace}, args...)
	cmd := exec.CommandContext(t.Context(), binary, args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	return string(out)
}

// start runs kubevitals state as an account.
func (r *rbacCase) start(t *testing.T, c *controlplane.ControlPlane, account string) *program.Process {
	t.Helper()
	token, err := c.ServiceAccountToken(t.Context(), rbacNamespace, account)
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"state", "--kubeconfig", kubeconfigFor(t, c, token)}, r.args...)
	if !slices.Contains(r.args, "--collect=scrape") {
		args = append(args, "--discovery-interval=100ms")
	}
	return start(t, args...)
}

// problems says what does not work.
func (r *rbacCase) problems(t *testing.T, p *program.Process, readerToken string) (out []error) {
	t.Helper()
	problem := func(format string, args ...any) { out = append(out, fmt.Errorf(format, args...)) }
	if code, body := p.Get(t, "/readyz?verbose", nil); code != http.StatusOK {
		problem("not ready: %s", body)
	}
	header := http.Header{"Authorization": {"Bearer " + readerToken}}
	code, body := p.Get(t, "/metrics", header)
	if code != http.StatusOK {
		problem("metrics: status %d", code)
		return out
	}
	text := string(body)
	for _, line := range lines(text, "kubevitals_state_kind_up{", "} 0") {
		problem("down: %s", line)
	}
	if n := len(lines(text, "kubevitals_state_kind_up{")); n != r.kinds {
		problem("kinds: %d, want %d", n, r.kinds)
	}
	if err := has(text, "kubevitals_state_source_up 1"); err != nil {
		problem("source: %w", err)
	}
	if err := has(text, "kubevitals_state_discovery_complete 1"); err != nil {
		problem("discovery: %w", err)
	}
	if r.series != "" && !strings.Contains(text, r.series+"\n") {
		problem("series: no %s", r.series)
	}
	for line := range strings.Lines(p.Output.String()) {
		if strings.Contains(line, "An Event on a ConfigMap cannot be written") || strings.Contains(line, "ConfigMaps with rules cannot be read") {
			problem("log: %s", line)
		}
	}
	return out
}

// grant is a verb on a resource, in a namespace or everywhere.
type grant struct {
	namespace, group, resource, verb string
}

// String names the grant.
func (g grant) String() string {
	return strings.Join([]string{g.namespace, g.resource, g.group, g.verb}, " ")
}

// explains returns an error unless there are problems, all of them for want of
// the grant. Missing series and kinds may follow from another problem.
func (g grant) explains(problems []error, kind string) error {
	var other []error
	direct := false
	for _, p := range problems {
		text := p.Error()
		var mine bool
		switch what, _, _ := strings.Cut(text, ":"); what {
		case "series", "kinds":
			continue
		case "down":
			labels := fmt.Sprintf("{group=%q,kind=%q,", g.group, kind)
			if g.group == "" {
				labels = fmt.Sprintf("{kind=%q,", kind)
			}
			mine = strings.Contains(text, labels)
		case "metrics":
			mine = g.verb == "create" && strings.HasSuffix(text, "status 503")
		case "log":
			mine = g.resource == "events" && strings.Contains(text, "configmap="+g.namespace+"/") ||
				g.resource == "configmaps" && strings.Contains(text, g.namespace)
		case "discovery":
			mine = g.resource == "customresourcedefinitions"
		case "source", "not ready":
			mine = g.resource == "customresourcedefinitions" || g.resource == "configmaps"
		}
		direct = direct || mine
		if !mine {
			other = append(other, p)
		}
	}
	if !direct {
		other = append(other, errors.New("nothing says that it is missing"))
	}
	return errors.Join(other...)
}

// printedGrants takes printed roles apart.
func printedGrants(t *testing.T, text string) (out []grant) {
	t.Helper()
	objects, err := controlplane.ParseManifests([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		if !strings.HasSuffix(o.GetKind(), "Role") {
			continue
		}
		var role rbacv1.Role // a ClusterRole has the same rules
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &role); err != nil {
			t.Fatal(err)
		}
		for _, rule := range role.Rules {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					out = append(out, grant{o.GetNamespace(), rule.APIGroups[0], resource, verb})
				}
			}
		}
	}
	return out
}

// rolesOf returns roles and bindings that give an account some grants.
func rolesOf(t *testing.T, account string, grants []grant) (out []*unstructured.Unstructured) {
	t.Helper()
	rules := make(map[string][]rbacv1.PolicyRule)
	for _, g := range grants {
		rules[g.namespace] = append(rules[g.namespace],
			rbacv1.PolicyRule{APIGroups: []string{g.group}, Resources: []string{g.resource}, Verbs: []string{g.verb}})
	}
	for namespace, rules := range rules {
		kind := "Role"
		if namespace == "" {
			kind = "ClusterRole"
		}
		meta := metav1.ObjectMeta{Namespace: namespace, Name: account}
		for what, o := range map[string]any{
			kind: &rbacv1.Role{ObjectMeta: meta, Rules: rules},
			kind + "Binding": &rbacv1.RoleBinding{
				ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: account},
				Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: rbacNamespace, Name: account}},
			},
		} {
			object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
			if err != nil {
				t.Fatal(err)
			}
			u := &unstructured.Unstructured{Object: object}
			u.SetAPIVersion(rbacv1.SchemeGroupVersion.String())
			u.SetKind(what)
			unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
			out = append(out, u)
		}
	}
	return out
}

// awaitGrants waits until the API server knows the roles of an account, as its
// authorizer hears of them a moment later.
func awaitGrants(t *testing.T, c *controlplane.ControlPlane, account string, grants []grant) {
	t.Helper()
	api, err := kubernetes.NewForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	last := make(map[string]grant)
	for _, g := range grants {
		last[g.namespace] = g
	}
	for _, g := range last {
		program.Poll(t, "the API server to know a role", func() error {
			review, err := api.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), &authorizationv1.SubjectAccessReview{
				Spec: authorizationv1.SubjectAccessReviewSpec{
					User: "system:serviceaccount:" + rbacNamespace + ":" + account,
					ResourceAttributes: &authorizationv1.ResourceAttributes{
						Namespace: g.namespace, Verb: g.verb, Group: g.group, Resource: g.resource,
					},
				},
			}, metav1.CreateOptions{})
			if err == nil && !review.Status.Allowed {
				err = errors.New(g.String())
			}
			return err
		})
	}
}

// servedResources returns the kinds of all resources, by group/resource.
func servedResources(t *testing.T, c *controlplane.ControlPlane) map[string]string {
	t.Helper()
	client, err := discovery.NewDiscoveryClientForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	_, lists, err := client.ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]string)
	for _, list := range lists {
		group, _, ok := strings.Cut(list.GroupVersion, "/")
		if !ok {
			group = ""
		}
		for _, r := range list.APIResources {
			out[group+"/"+r.Name] = r.Kind
		}
	}
	return out
}

// rbacControlPlane starts a control plane without streaming lists that has the
// CRDs of the catalogs and those of the rules below, with an object of each.
func rbacControlPlane(t *testing.T) *controlplane.ControlPlane {
	t.Helper()
	c, err := controlplane.Start(t.Context(), controlplane.Options{APIServerArgs: []string{"--feature-gates=WatchList=false"}})
	skipNotOwned(t, err)
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	crds, err := controlplane.GatewayAPICRDs("experimental")
	if err == nil {
		err = c.InstallCRDs(t.Context(), crds...)
	}
	if err != nil {
		t.Fatal(err)
	}
	applyText(t, c, string(controlplane.KuadrantCRDs()))
	var text strings.Builder
	for _, crd := range []struct{ kind, plural, label string }{
		{"Gadget", "gadgets", ""}, {"Gizmo", "gizmos", ""}, {"Sprocket", "sprockets", ""},
		{"Observed", "observedthings", `kubevitals.io/observe: "true"`},
	} {
		fmt.Fprintf(&text, rbacCRD, crd.plural, crd.label, crd.kind, strings.ToLower(crd.kind))
	}
	applyText(t, c, text.String())
	applyText(t, c, rbacObjects)
	return c
}

const rbacCRD = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: %[1]s.rbac.example.com
  labels: {%[2]s}
spec:
  group: rbac.example.com
  scope: Namespaced
  names: {kind: %[3]s, plural: %[1]s, singular: %[4]s}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
`

const rbacObjects = `
apiVersion: v1
kind: Namespace
metadata: {name: rbac}
---
apiVersion: v1
kind: Namespace
metadata: {name: rbac-a, labels: {team: web}}
---
apiVersion: v1
kind: Namespace
metadata: {name: rbac-b}
---
apiVersion: v1
kind: Secret
metadata: {name: key, namespace: rbac-a}
type: Opaque
---
apiVersion: rbac.example.com/v1
kind: Gadget
metadata: {name: first, namespace: rbac-a}
spec:
  secretName: key
  ref: {apiVersion: v1, kind: ConfigMap, name: rules}
---
apiVersion: rbac.example.com/v1
kind: Gizmo
metadata: {name: first, namespace: rbac-b}
spec: {mode: fast}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: rules, namespace: rbac-a, labels: {kubevitals.io/rules: "true"}}
data:
  gizmo.yaml: |
    apiVersion: kubevitals.io/v1alpha1
    kind: MetricRules
    metadata: {name: gizmo}
    spec:
      resources:
      - groupVersionKind: {group: rbac.example.com, kind: Gizmo}
        labels: {namespace: object.metadata.namespace, name: object.metadata.name}
        metrics:
        - {name: gizmo_config_info, type: info, labels: {mode: object.spec.mode}}
      - groupVersionKind: {group: rbac.example.com, kind: Sprocket}
        labels: {namespace: object.metadata.namespace, name: object.metadata.name}
        metrics:
        - {name: sprocket_config_info, type: info, labels: {mode: object.spec.mode}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: broken, namespace: rbac-a, labels: {kubevitals.io/rules: "true"}}
data: {broken.yaml: "kind: MetricRules"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: broken, namespace: rbac-b, labels: {kubevitals.io/rules: "true"}}
data: {broken.yaml: "kind: MetricRules"}
`

const rbacGadgets = `
apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
spec:
  resources:
  - groupVersionKind: {group: rbac.example.com, kind: Gadget}
    labels: {namespace: object.metadata.namespace, name: object.metadata.name}
    metrics:
    - {name: gadget_info, type: info}
`

const rbacRules = `
apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
metadata: {name: mine}
spec:
  labels: {namespace: object.metadata.namespace, name: object.metadata.name}
  resources:
  - groupVersionKind: {group: rbac.example.com, kind: Gadget}
    lookup:
    - {as: secret, apiVersion: "'v1'", kind: "'Secret'", namespace: object.metadata.namespace, name: object.spec.secretName}
    - {as: space, apiVersion: "'v1'", kind: "'Namespace'", name: object.metadata.namespace}
    - {as: ref, apiVersion: object.spec.ref.apiVersion, kind: object.spec.ref.kind, namespace: object.metadata.namespace, name: object.spec.ref.name}
    metrics:
    - {name: gadget_secret_info, type: info, labels: {ref: ref.metadata.name, secret_type: secret.type, team: space.metadata.labels.team}}
  - groupVersionKind: {group: rbac.example.com, kind: NotYet}
    metrics:
    - {name: not_yet_info, type: info}
  - discover: {groups: ["*.example.com"], crdLabels: {kubevitals.io/observe: "true"}}
    metrics:
    - {name: observed_info, type: info}
`

const rbacCRS = `
kind: CustomResourceStateMetrics
spec:
  resources:
  - groupVersionKind: {group: rbac.example.com, version: v1, kind: Gizmo}
    labelsFromPath: {namespace: [metadata, namespace], name: [metadata, name]}
    metrics:
    - {name: mode, each: {type: Info, info: {path: [spec], labelsFromPath: {mode: [mode]}}}}
  - groupVersionKind: {group: gateway.networking.k8s.io, version: v1, kind: GatewayClass}
    labelsFromPath: {name: [metadata, name]}
    metrics:
    - {name: controller, each: {type: Info, info: {path: [spec], labelsFromPath: {controller: [controllerName]}}}}
`

// TestRBACOffline compares what is known without a cluster, for all kinds of
// Kubernetes and of the catalogs, with what the cluster says.
func TestRBACOffline(t *testing.T) {
	client, err := discovery.NewDiscoveryClientForConfig(control.Config())
	if err != nil {
		t.Fatal(err)
	}
	_, lists, err := client.ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	var rules strings.Builder
	rules.WriteString("apiVersion: kubevitals.io/v1alpha1\nkind: MetricRules\nmetadata: {name: all}\nspec:\n  resources:\n")
	n := 0
	for _, list := range lists {
		group, _, ok := strings.Cut(list.GroupVersion, "/")
		if !ok {
			group = ""
		}
		if strings.Contains(group, ".") && !strings.HasSuffix(group, "k8s.io") && !strings.HasSuffix(group, "kuadrant.io") {
			continue
		}
		for _, r := range list.APIResources {
			if strings.Contains(r.Name, "/") || !slices.Contains(r.Verbs, "list") {
				continue
			}
			n++
			fmt.Fprintf(&rules, "  - groupVersionKind: {group: %q, kind: %s}\n    labels: {name: object.metadata.name, namespace: object.metadata.namespace}\n"+
				"    metrics: [{name: m%d_info, type: info}]\n", group, r.Kind, n)
		}
	}
	if n < 80 {
		t.Fatalf("only %d kinds", n)
	}
	args := []string{"--rules", writeFile(t, "all.yaml", rules.String())}
	online, offline := rbacCase{account: "offline", args: args}, rbacCase{account: "offline", args: append(args, "--offline")}
	for range 2 {
		if diff := cmp.Diff(printedGrants(t, online.printed(t, control)), printedGrants(t, offline.printed(t, control)), cmp.AllowUnexported(grant{})); diff != "" {
			t.Errorf("%q, -cluster +offline:\n%s", args, diff)
		}
		online.args, offline.args = append(online.args, "--namespaces=default"), append(offline.args, "--namespaces=default")
	}
	if text := offline.printed(t, control); strings.Contains(text, "guessed") {
		t.Errorf("kinds of Kubernetes are marked as guessed:\n%s", text)
	}
}
