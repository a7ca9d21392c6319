package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// TestRBAC runs the command as the first line of each file in testdata/rbac says,
// without a cluster and in a folder with the other files. What it prints is the
// last of them.
//
//	go test ./internal/cli -run TestRBAC -update
func TestRBAC(t *testing.T) { testRBAC(t, "rbac", "rbac", "--offline") }

// TestRBACPods is TestRBAC for the command pods and the files in
// testdata/rbac-pods.
func TestRBACPods(t *testing.T) { testRBAC(t, "rbac-pods", "rbac", "pods") }

func testRBAC(t *testing.T, folder string, command ...string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests (%v)", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			file, err := filepath.Abs(file)
			if err != nil {
				t.Fatal(err)
			}
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			args, ok := strings.CutPrefix(strings.TrimSpace(string(a.Comment)), "args: ")
			if !ok {
				t.Fatal("the first line does not start with args:")
			}
			a.Files = slices.DeleteFunc(a.Files, func(f txtar.File) bool { return f.Name == "output" })
			dir := t.TempDir()
			for _, f := range a.Files {
				if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(f.Name)), 0o755); err != nil {
					t.Fatal(err)
				}
				write(t, dir, f.Name, string(f.Data))
			}
			t.Chdir(dir)
			r := run(t, nil, slices.Concat(command, strings.Fields(args))...)
			got := r.out
			if r.code != 0 {
				got = fmt.Sprintf("%sexit code %d: %s", got, r.code, r.stderr)
			}
			a.Files = append(a.Files, txtar.File{Name: "output", Data: []byte(got)})
			compareGolden(t, file, string(txtar.Format(a)))
		})
	}
}

// TestRBACRefuses gives flags that would print something else than is meant.
func TestRBACRefuses(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "none.yaml", "apiVersion: v1\nkind: Secret\n")
	t.Chdir(dir)
	f := func(want string, args ...string) {
		t.Helper()
		r := run(t, nil, append([]string{"rbac", "--offline"}, args...)...)
		if r.code != 1 || r.out != "" || !strings.Contains(r.stderr, want) {
			t.Errorf("%q: exit code %d, stderr %q, want %q; output:\n%s", args, r.code, r.stderr, want, r.out)
		}
	}
	f(`--collect "poll": expected watch or scrape`, "--collect=poll")
	f(`--auth "rbac": expected none or kubernetes`, "--auth=rbac")
	f(`--name "A b"`, "--name=A b")
	f(`--namespace "a/b"`, "--namespace=a/b")
	f(`--namespaces: "a/b"`, "--namespaces=a/b")
	f("--crds: none.yaml: there is no CustomResourceDefinition", "--crds=none.yaml")
	f("--watch-crds goes with --collect=watch", "--watch-crds", "--collect=scrape")
	f("no such file", "--crds=missing")
	f("no such file", "--rules=missing.yaml")
	f("unknown flag", "--colect=watch")
}

// TestRBACWithoutCluster names a cluster that does not answer, and one that is
// only found.
func TestRBACWithoutCluster(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "config", `{"apiVersion": "v1", "kind": "Config", "current-context": "c",
		"contexts": [{"name": "c", "context": {"cluster": "c"}}],
		"clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}]}`)
	config := filepath.Join(dir, "config")
	r := run(t, nil, "rbac", "--kubeconfig", config)
	if r.code != 1 || !strings.Contains(r.stderr, "--offline does without the cluster") {
		t.Errorf("a named cluster: exit code %d, stderr %s", r.code, r.stderr)
	}
	t.Setenv("KUBECONFIG", config)
	r = run(t, nil, "rbac")
	if r.code != 0 || !strings.HasPrefix(r.stderr, "warning: going on without a cluster: ") {
		t.Errorf("a cluster that is found: exit code %d, stderr %s", r.code, r.stderr)
	}
	want := run(t, nil, "rbac", "--offline").ok(t)
	if _, got, _ := strings.Cut(r.out, "\n"); got != want[strings.Index(want, "\n")+1:] {
		t.Errorf("it prints something else than --offline:\n%s", r.out)
	}
}

// TestRBACOfManifests compares the roles of the manifests in deploy with what is
// printed for the flags of their Deployments.
func TestRBACOfManifests(t *testing.T) {
	var have []string
	for _, name := range []string{"quickstart.yaml", "protected.yaml", "pods.yaml"} {
		command := []string{"rbac", "--offline"}
		if name == "pods.yaml" { // it is not to be applied on top of the others
			have, command = nil, []string{"rbac", "pods"}
		}
		data, err := os.ReadFile(filepath.Join("..", "..", "deploy", name))
		if err != nil {
			t.Fatal(err)
		}
		var args []string
		for document := range strings.SplitSeq(string(data), "\n---\n") {
			var o struct {
				Kind     string
				Metadata struct{ Name string }
				RoleRef  rbacv1.RoleRef
				Rules    []rbacv1.PolicyRule
				Spec     struct {
					Template struct {
						Spec struct{ Containers []struct{ Args []string } }
					}
				}
			}
			if err := yaml.Unmarshal([]byte(document), &o); err != nil {
				t.Fatal(err)
			}
			switch {
			case o.Kind == "ClusterRole" && o.Metadata.Name != "kubevitals-metrics-reader": // that one is for readers
				have = append(have, flatten(o.Rules)...)
			case o.Kind == "ClusterRoleBinding" && o.RoleRef.Name == "system:auth-delegator":
				have = append(have, "authentication.k8s.io tokenreviews create", "authorization.k8s.io subjectaccessreviews create")
			case o.Kind == "Deployment":
				args = o.Spec.Template.Spec.Containers[0].Args
			}
		}
		slices.Sort(have)
		var want []string
		for document := range strings.SplitSeq(run(t, nil, slices.Concat(command, args[1:])...).ok(t), "\n---\n") {
			var role rbacv1.ClusterRole
			if err := yaml.Unmarshal([]byte(document), &role); err != nil {
				t.Fatal(err)
			}
			want = append(want, flatten(role.Rules)...)
		}
		slices.Sort(want)
		if !slices.Equal(have, want) {
			t.Errorf("deploy/%s has the permissions\n%s\nwant\n%s", name, strings.Join(have, "\n"), strings.Join(want, "\n"))
		}
	}
}

func flatten(rules []rbacv1.PolicyRule) (out []string) {
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					out = append(out, strings.TrimSpace(group+" "+resource+" "+verb+" "+strings.Join(rule.ResourceNames, ",")))
				}
			}
		}
	}
	return out
}

// TestPodsManifest compares the account of deploy/pods.yaml and its permissions,
// with their names, with what is printed: applying both must leave the Deployment
// with its permissions.
func TestPodsManifest(t *testing.T) {
	type object struct {
		Kind     string
		Metadata struct{ Name, Namespace string }
		RoleRef  rbacv1.RoleRef
		Subjects []rbacv1.Subject
		Rules    []rbacv1.PolicyRule
		Spec     struct {
			Template struct {
				Spec struct{ ServiceAccountName string }
			}
		}
	}
	read := func(text string) map[string]object {
		out := make(map[string]object)
		for document := range strings.SplitSeq(text, "\n---\n") {
			var o object
			if err := yaml.Unmarshal([]byte(document), &o); err != nil {
				t.Fatal(err)
			}
			out[o.Kind] = o
		}
		return out
	}
	data, err := os.ReadFile(filepath.Join("..", "..", "deploy", "pods.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	have := read(string(data))
	printed := read(run(t, nil, "rbac", "pods").ok(t))
	for kind, want := range printed {
		if diff := cmp.Diff(want, have[kind]); diff != "" {
			t.Errorf("%s (-printed +deploy/pods.yaml):\n%s", kind, diff)
		}
	}
	account, deployment := printed["ServiceAccount"].Metadata, have["Deployment"]
	if len(printed) != 3 || deployment.Metadata.Namespace != account.Namespace || deployment.Spec.Template.Spec.ServiceAccountName != account.Name ||
		have["Namespace"].Metadata.Name != account.Namespace || have["Service"].Metadata.Namespace != account.Namespace {
		t.Errorf("the Deployment does not run with the account %s/%s", account.Namespace, account.Name)
	}
}
