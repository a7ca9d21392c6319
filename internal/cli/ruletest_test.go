package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Parts of tests of rules.
const (
	fooRules = `-- rules.yaml --
apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
spec:
  resources:
  - groupVersionKind: {group: example.com, kind: Foo}
    metricNamePrefix: foo
    labels: {namespace: object.metadata.namespace, name: object.metadata.name}
    metrics:
    - {name: size, help: The size., value: object.size}
    - {name: phase, type: stateSet, states: [A, B], value: object.phase, stateLabel: phase, enable: phases}
`
	fooInput = `-- input.yaml --
apiVersion: example.com/v1
kind: Foo
metadata: {name: one, namespace: a}
size: 1
phase: A
---
apiVersion: example.com/v1
kind: Foo
metadata: {name: two, namespace: a}
size: 2
`
	fooOutput = `-- output.prom --
# HELP foo_size The size.
# TYPE foo_size gauge
foo_size{name="one",namespace="a"} 1
foo_size{name="two",namespace="a"} 2
`
	fooCRS = `apiVersion: kubevitals.io/v1alpha1
spec:
  resources:
  - groupVersionKind: {group: example.com, version: v1, kind: Foo}
    labelsFromPath: {name: [metadata, name]}
    metrics:
    - name: crs_size
      each: {type: Gauge, gauge: {path: [size]}}
`
)

// TestRuleTests runs tests of rules and compares all that is printed.
func TestRuleTests(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"whole output", "Some words.\n" + fooRules + fooInput + fooOutput, ""},
		{"openmetrics", fooRules + fooInput + strings.Replace(fooOutput, "output.prom", "output.openmetrics", 1) + "# EOF\n", ""},
		{"output differs", fooRules + fooInput + strings.Replace(fooOutput, `"a"} 1`, `"a"} 7`, 1),
			`FAIL  x.txtar
x.txtar:24: output.prom (-want +got):
 # HELP foo_size The size.
 # TYPE foo_size gauge
-foo_size{name="one",namespace="a"} 7
+foo_size{name="one",namespace="a"} 1
 foo_size{name="two",namespace="a"} 2
`},
		{"flags", "flags: --enable phases\nflags: --now 2025-01-01T00:00:00Z\n" + fooRules + fooInput +
			"-- expect.prom --\nfoo_phase{name=\"one\",namespace=\"a\",phase=\"A\"} 1\n", ""},
		{"subset", fooRules + fooInput + `-- expect.prom --
# a remark

# TYPE foo_size gauge
foo_size{namespace="a", name="one"} 1.0
foo_size{name="two",namespace="a"}
foo_size
! foo_size{name="one",namespace="a"} 2
! foo_size{name="three",namespace="a"}
! foo_phase
! # TYPE foo_phase stateset
`, ""},
		{"subset differs", fooRules + fooInput + `-- expect.prom --
foo_size{namespace="a",name="one"} 3
foo_size{name="three"} 1
foo_size 1
foo_other{a="b"}
# TYPE foo_size counter
! foo_size
! foo_size{namespace="a",name="one"} 1
`,
			`FAIL  x.txtar
x.txtar:24: expect.prom (-want +got):
-foo_size{namespace="a",name="one"} 3
+foo_size{name="one",namespace="a"} 1
x.txtar:25: expect.prom (-want +got):
-foo_size{name="three"} 1
+foo_size{name="one",namespace="a"} 1
+foo_size{name="two",namespace="a"} 2
x.txtar:26: expect.prom (-want +got):
-foo_size 1
+foo_size{name="one",namespace="a"} 1
+foo_size{name="two",namespace="a"} 2
x.txtar:27: expect.prom (-want +got):
-foo_other{a="b"}
x.txtar:28: expect.prom (-want +got):
-# TYPE foo_size counter
x.txtar:29: expect.prom (-want +got):
-! foo_size
+foo_size{name="one",namespace="a"} 1
+foo_size{name="two",namespace="a"} 2
x.txtar:30: expect.prom (-want +got):
-! foo_size{namespace="a",name="one"} 1
+foo_size{name="one",namespace="a"} 1
`},
		{"subset is no exposition", fooRules + fooInput + "-- expect.prom --\nfoo_size\nfoo_size{name=one} 1\n",
			"FAIL  x.txtar\nx.txtar:25: not a line of an exposition: \"foo_size{name=one} 1\"\n"},
		{"several rule files, the legacy one too", fooRules + "-- more.crs.yaml --\n" + fooCRS + fooInput + `-- expect.prom --
foo_size{name="one",namespace="a"} 1
kube_customresource_crs_size{customresource_group="example.com",customresource_kind="Foo",customresource_version="v1",name="two"} 2
`, ""},
		{"several inputs", fooRules + strings.Replace(fooInput, "input", "b.input", 1) +
			"-- a.input.yaml --\napiVersion: example.com/v1\nkind: Foo\nmetadata: {name: x}\nsize: 9\n-- expect.prom --\nfoo_size{name=\"x\"} 9\nfoo_size{name=\"one\",namespace=\"a\"} 1\n", ""},
		{"flags name a file of the archive", "flags: --custom-resource-state-config-file dir/old.yaml\n-- dir/old.yaml --\n" + fooCRS + fooInput +
			"-- expect.prom --\nkube_customresource_crs_size\n! foo_size\n", ""},
		{"flags name a file beside", "flags: --rules sub/beside.yaml\n" + fooInput + fooOutput, ""},
		{"flags name no file", "flags: --rules nowhere.yaml\n" + fooInput + fooOutput,
			`FAIL  x.txtar
x.txtar: unexpected, as there is no errors.txt (if it is as it should be, add the line "-- errors.txt --" and run --update):
+open nowhere.yaml: no such file or directory
x.txtar:14: output.prom (-want +got):
-# HELP foo_size The size.
-# TYPE foo_size gauge
-foo_size{name="one",namespace="a"} 1
-foo_size{name="two",namespace="a"} 2
`},
		{"bad flags", "Words.\nflags: --catalgo x\n" + fooInput + fooOutput, "FAIL  x.txtar\nx.txtar:2: flags: unknown flag: --catalgo\n"},
		{"bad time", "flags: --now yesterday\n" + fooInput + fooOutput,
			"FAIL  x.txtar\nx.txtar:1: flags: invalid argument \"yesterday\" for \"--now\" flag: expected a time such as 2026-01-01T00:00:00Z\n"},
		{"objects among the flags", "flags: --enable phases objects.yaml\n" + fooInput + fooOutput,
			"FAIL  x.txtar\nx.txtar:1: flags: \"objects.yaml\" is no flag: the objects are files of the archive\n"},
		{"unknown and double files", fooRules + fooInput + fooOutput + "-- outptu.prom --\n" + fooRules,
			"FAIL  x.txtar\nx.txtar:28: the file outptu.prom is none of rules.yaml, *.rules.yaml, crs.yaml, *.crs.yaml, input.yaml, *.input.yaml, " +
				"output.prom, output.openmetrics, output.json, expect.prom and errors.txt, and no flag names it\nx.txtar:29: there are two files rules.yaml\n"},
		{"nothing expected", fooRules + fooInput,
			"FAIL  x.txtar\nx.txtar: the file does not say what is expected: run kubevitals test --update to add output.prom\n"},
		{"no objects", fooRules + "-- output.prom --\n", "FAIL  x.txtar\nx.txtar: there are no objects: expected a file input.yaml or *.input.yaml\n"},
		{"no archive", "apiVersion: v1\n", "FAIL  x.txtar\nx.txtar: there are no objects: expected a file input.yaml or *.input.yaml\n"},
		{"errors of rules", strings.Replace(fooRules, "object.size", "objekt.size", 1) + "-- errors.txt --\n" +
			`rules.yaml:9:44: metric "size": expression "objekt.size": unknown name "objekt": in scope are object, gvk, did you mean "object"?` + "\n", ""},
		{"problems", fooRules + strings.Replace(fooInput, "size: 1", "size: big", 1) + "-- other.input.yaml --\n{apiVersion: v1, kind: Pod}\n---\n[]\n-- errors.txt --\n",
			`FAIL  x.txtar
x.txtar:28: errors.txt (-want +got):
+foo_size: example.com/v1/Foo a/one: value: "big" is not a number, a boolean, a time or a quantity
+note: no rule applies to v1/Pod (1 objects)
+other.input.yaml: document 2: not a Kubernetes object: expected a map
`},
		{"notes need no errors.txt", fooRules + fooInput + "---\n{apiVersion: v1, kind: Pod}\n" + fooOutput, ""},
		{"problems need errors.txt", fooRules + strings.Replace(fooInput, "size: 1", "size: big", 1) + "-- expect.prom --\nfoo_size\n",
			`FAIL  x.txtar
x.txtar: unexpected, as there is no errors.txt (if it is as it should be, add the line "-- errors.txt --" and run --update):
+foo_size: example.com/v1/Foo a/one: value: "big" is not a number, a boolean, a time or a quantity
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if err := os.Mkdir("sub", 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, "sub", "beside.yaml", strings.TrimPrefix(fooRules, "-- rules.yaml --\n"))
			write(t, ".", "x.txtar", c.text)
			r := run(t, nil, "test", "x.txtar")
			want, wantCode, wantErr := c.want, 1, "kubevitals: 1 of 1 tests failed\n"
			if want == "" {
				want, wantCode, wantErr = "ok    1 tests\n", 0, ""
			}
			if diff := cmp.Diff(result{wantCode, want, wantErr}, r, cmp.AllowUnexported(result{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestRuleTestsUpdate rewrites expectations and compares the files.
func TestRuleTestsUpdate(t *testing.T) {
	const old = "-- output.prom --\nold\n"
	sloppy := "Words,  with \t blanks\r\nflags:   --enable phases\n" + strings.Replace(fooRules, "\nkind", "\n\n# remark\nkind", 1)
	phases := "# TYPE foo_phase gauge\nfoo_phase{name=\"one\",namespace=\"a\",phase=\"A\"} 1\nfoo_phase{name=\"one\",namespace=\"a\",phase=\"B\"} 0\n"
	broken := strings.Replace(fooRules, "object.size", "objekt.size", 1)
	for _, c := range []struct {
		name, text, want string
		code             int
	}{
		{"adds an output", fooRules + fooInput, fooRules + fooInput + fooOutput, 0},
		{"adds an output behind a line without end", fooRules + strings.TrimSuffix(fooInput, "\n"), fooRules + fooInput + fooOutput, 0},
		{"keeps the rest", sloppy + old + fooInput, sloppy + strings.Replace(fooOutput, ".prom --\n", ".prom --\n"+phases, 1) + fooInput, 0},
		{"keeps what is right", fooRules + fooInput + strings.TrimSuffix(fooOutput, "\n"), fooRules + fooInput + strings.TrimSuffix(fooOutput, "\n"), 0},
		{"every output", fooRules + "-- output.openmetrics --\n" + old + "-- errors.txt --\nold\n" + fooInput,
			fooRules + strings.Replace(fooOutput, ".prom", ".openmetrics", 1) + "# EOF\n" + fooOutput + "-- errors.txt --\n" + fooInput, 0},
		{"subsets are for people", fooRules + fooInput + "-- expect.prom --\nfoo_size 1\n", fooRules + fooInput + "-- expect.prom --\nfoo_size 1\n", 1},
		{"errors are not expected by themselves", broken + fooInput + old, broken + fooInput + old, 1},
		{"nor without an expectation", broken + fooInput, broken + fooInput, 1},
		{"errors", broken + "-- errors.txt --\n" + fooInput, broken + "-- errors.txt --\n" +
			`rules.yaml:9:44: metric "size": expression "objekt.size": unknown name "objekt": in scope are object, gvk, did you mean "object"?` + "\n" + fooInput, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := write(t, t.TempDir(), "x.txtar", c.text)
			if r := run(t, nil, "test", "--update", file); r.code != c.code {
				t.Errorf("exit code %d, want %d:\n%s%s", r.code, c.code, r.out, r.stderr)
			}
			got, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestRuleTestsJSON lets --update write JSON, and reads it again.
func TestRuleTestsJSON(t *testing.T) {
	file := write(t, t.TempDir(), "x.txtar", fooRules+fooInput+"-- output.json --\n")
	run(t, nil, "test", "--update", file).ok(t)
	run(t, nil, "test", file).ok(t)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), `"foo_size"`) || !strings.HasSuffix(string(data), "\n") {
		t.Errorf("not updated:\n%s", data)
	}
}

// TestRuleTestsOfFolders finds tests in folders, and chooses among them.
func TestRuleTestsOfFolders(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.MkdirAll(filepath.Join("tests", "deep"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir("empty", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("tests", "link"); err != nil {
		t.Fatal(err)
	}
	write(t, "tests", "b.txtar", fooRules+fooInput+fooOutput)
	write(t, "tests", "notes.md", "no test")
	write(t, "tests/deep", "a.txtar", fooRules+fooInput+"-- output.prom --\n")
	f := func(wantCode int, wantOut, wantErr string, args ...string) {
		t.Helper()
		r := run(t, nil, append([]string{"test"}, args...)...)
		if diff := cmp.Diff(result{wantCode, wantOut, wantErr}, r, cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("test %v (-want +got):\n%s", args, diff)
		}
	}
	diff := "FAIL  tests/deep/a.txtar\ntests/deep/a.txtar:24: output.prom (-want +got):\n+" +
		strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(fooOutput, "-- output.prom --\n"), "\n"), "\n", "\n+") + "\n"
	f(1, "ok    tests/b.txtar\n"+diff, "kubevitals: 1 of 2 tests failed\n", "-v", "tests")
	f(1, diff, "kubevitals: 1 of 2 tests failed\n", "tests")
	f(0, "ok    1 tests\n", "", "--run", "b.txtar$", "tests")
	f(0, "ok    link/b.txtar\nok    1 tests\n", "", "-v", "--run", "b.txtar$", "link")
	f(1, "", "kubevitals: --run zzz: no test file has such a name\n", "--run", "zzz", "tests")
	f(1, "", "kubevitals: --run: error parsing regexp: missing closing ): `(`\n", "--run", "(", "tests")
	f(1, "", "kubevitals: empty: the folder has no .txtar file\n", "tests", "empty")
	f(1, "", "kubevitals: stat missing: no such file or directory\n", "missing")
	f(1, "", "kubevitals: test needs tests: name files, or folders with .txtar files\n")
}

func TestEvalNow(t *testing.T) {
	run(t, []byte(gateway), "eval", "--now", "2026-01-01T00:00:00+02:00", "-").ok(t)
	r := run(t, []byte(gateway), "eval", "--now", "today", "-")
	if want := `for "--now" flag: expected a time such as 2026-01-01T00:00:00Z`; r.code != 1 || !strings.Contains(r.stderr, want) {
		t.Errorf("code %d, stderr %q", r.code, r.stderr)
	}
}

// TestEvalTellsProblems checks that what does not fit is told on stderr.
func TestEvalTellsProblems(t *testing.T) {
	r := run(t, []byte(strings.Replace(gateway, "istio", "[]", 1)), "eval", "-")
	want := `gatewayapi_gateway_info: gateway.networking.k8s.io/v1/Gateway shop/web: label: label "gatewayclass_name": a list cannot be a label value` + "\n"
	if r.code != 0 || r.stderr != want {
		t.Errorf("code %d, stderr %q, want code 0 and %q", r.code, r.stderr, want)
	}
}
