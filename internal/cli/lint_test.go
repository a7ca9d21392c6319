package cli_test

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// backupCRD defines Backup in two versions, of which v1 has a schema.
const backupCRD = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: backups.example.com, labels: {team: storage}}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Backup, plural: backups}
  versions:
  - {name: v1beta1, served: true, schema: {openAPIV3Schema: {type: object}}}
  - {name: v1alpha1, served: false, schema: {openAPIV3Schema: {type: object}}}
  - name: v1
    served: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              schedule: {type: string}
              targetRef: {type: object, properties: {name: {type: string}}}
              options: {type: object, x-kubernetes-preserve-unknown-fields: true}
          status:
            type: object
            properties:
              phase: {type: string, enum: [Pending, Running, Done, Failed]}
              size: {type: integer}
              copies:
                type: array
                maxItems: 4
                items:
                  type: object
                  properties:
                    place: {type: string}
                    conditions:
                      type: array
                      maxItems: 8
                      items: &condition {type: object, properties: {type: {type: string}, status: {type: string}, reason: {type: string}}}
              conditions:
                type: array
                items: {type: object, properties: {type: {type: string}, status: {type: string}, reason: {type: string}}}
`

const ruleHead = `apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
spec:
  labels: {name: object.metadata.name}
  resources:
  - groupVersionKind: {group: example.com, kind: Backup}
    metricNamePrefix: backup
    metrics:
`

// lintDir is a folder with the CRD, which the test works in.
func lintDir(t *testing.T, files ...string) {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "crds.yaml", strings.Replace(backupCRD, "&condition ", "", 1))
	for i := 0; i < len(files); i += 2 {
		write(t, dir, files[i], files[i+1])
	}
	t.Chdir(dir)
}

var lintPosition = regexp.MustCompile(`^r\.yaml:\d+:\d+: `)

// checkLint checks one rule file and compares the findings, without their
// positions.
func checkLint(t *testing.T, rules string, want ...string) {
	t.Helper()
	lintDir(t, "r.yaml", rules)
	r := run(t, nil, "lint", "--crds", "crds.yaml", "r.yaml")
	lines := strings.Split(strings.TrimSuffix(r.out, "\n"), "\n")
	if last := lines[len(lines)-1]; strings.HasPrefix(last, "ok ") {
		lines = lines[:len(lines)-1]
	}
	for i := range lines {
		lines[i] = lintPosition.ReplaceAllString(lines[i], "")
	}
	if diff := cmp.Diff(strings.Join(want, "\n"), strings.Join(lines, "\n")); diff != "" {
		t.Errorf("%s\n(-want +got):\n%s%s", rules, diff, r.stderr)
	}
}

func TestLintFields(t *testing.T) {
	f := func(metric string, want ...string) {
		t.Helper()
		checkLint(t, ruleHead+"    - {name: x, help: x, "+metric+"}\n", want...)
	}
	f(`value: object.status.size`)
	f(`value: object.spec.options.anything`)
	f(`value: 'object.metadata.annotations["a/b"]'`)
	f(`value: object.status.siz`,
		`warning: metric "x": path object.status.siz: Backup v1 has no field "siz" in status, did you mean "size"?`)
	f(`value: object.stauts.size`,
		`warning: metric "x": path object.stauts.size: Backup v1 has no field "stauts", did you mean "status"?`)
	// The first alternative that is present counts.
	f(`value: [object.status.bytes, object.status.size]`)
	f(`value: [object.status.bytes, object.status.siz]`,
		`warning: metric "x": path object.status.bytes: Backup v1 has no field "bytes" in status`,
		`warning: metric "x": path object.status.siz: Backup v1 has no field "siz" in status, did you mean "size"?`)
	f(`value: object.status.copies.place`,
		`warning: metric "x": path object.status.copies.place: status.copies is a list in Backup v1: go through it with forEach, or name an element, such as [0]`)
	f(`value: object.status.size.bytes`,
		`warning: metric "x": path object.status.size.bytes: status.size is an integer in Backup v1: it has nothing below`)
	f(`value: 'object.status.copies[place=eu].conditions[0].statu'`,
		`warning: metric "x": path object.status.copies[place=eu].conditions[0].statu: Backup v1 has no field "statu" in status.copies[].conditions[], did you mean "status"?`)
	f(`value: "object.status.copies.exists(c, c.plce == 'eu')"`,
		`warning: metric "x": path object.status.copies[].plce: Backup v1 has no field "plce" in status.copies[], did you mean "place"?`)
	// What is below a list that does not exist is not told.
	f(`forEach: [{as: c, in: object.status.copys}, {as: d, in: c.conditions}], value: d.status`,
		`warning: metric "x": path object.status.copys: Backup v1 has no field "copys" in status, did you mean "copies"?`)
	f(`forEach: [{as: t, in: [object.spec.targetRefs, object.spec.targetRef], one: true}], labels: {n: t.name, k: t.kin}, value: "1"`,
		`warning: metric "x": path t.kin: Backup v1 has no field "kin" in spec.targetRef`)
	// Types.
	f(`value: object.status.copies`,
		`warning: metric "x": path object.status.copies: it is a list in Backup v1: a value is one number or text`)
	f(`value: object.status.size, labels: {c: object.spec.targetRef}`,
		`warning: metric "x": path object.spec.targetRef: it is an object in Backup v1: label "c" needs one value`)
	f(`value: "1", forEach: [{as: s, in: object.spec.schedule}]`,
		`warning: metric "x": path object.spec.schedule: it is a string in Backup v1: forEach needs a list or a map`)
	f(`value: "1", forEach: [{as: s, in: object.spec.schedule, one: true}]`)
}

func TestLintKinds(t *testing.T) {
	f := func(resource string, want ...string) {
		t.Helper()
		checkLint(t, `apiVersion: kubevitals.io/v1alpha1
kind: MetricRules
spec:
  labels: {name: object.metadata.name}
  resources:
  - `+resource+`
    metrics: [{name: x, help: x, value: object.status.siz}, {name: y, help: y, value: object.metadata.name}]
`, want...)
	}
	missing := `warning: metric "x": path object.status.siz: Backup v1 has no field "siz" in status, did you mean "size"?`
	f(`groupVersionKind: {group: example.com, kind: Backup}`, missing)
	f(`groupVersionKind: {group: example.com, kind: Backup, version: v1}`, missing)
	f(`groupVersionKind: {group: example.com, kind: "*"}`, missing)
	f(`discover: {having: [status.copies]}`, missing)
	f(`discover: {crdLabels: {team: storage}}`, missing)
	f(`groupVersionKind: {group: example.com, kind: Backup, version: v1beta1}`,
		`warning: metric "x": path object.status.siz: Backup v1beta1 has no field "status"`)
	f(`groupVersionKind: {group: example.com, kind: Backup, version: v1alpha1}`,
		`warning: metric "x": Backup has no version v1alpha1 that is served: there are v1, v1beta1`)
	f(`groupVersionKind: {group: example.com, kind: Bakup}`,
		`note: metric "x": there is no schema of example.com/Bakup: its fields are not checked, did you mean "Backup"?`)
	f(`groupVersionKind: {kind: Pod}`, `note: metric "x": there is no schema of Pod: its fields are not checked`)
	f(`discover: {having: [status.nothing]}`,
		`note: metric "x": no kind that has a schema here matches discover: fields are not checked`)
}

// TestLintShared: what several kinds share need not fit all of them.
func TestLintShared(t *testing.T) {
	lintDir(t, "r.yaml", ruleHead+`    - &size {name: size, help: x, value: object.status.size}
    - &typo {name: typo, help: x, value: object.status.typo}
  - groupVersionKind: {group: example.com, kind: Backup, version: v1beta1}
    metricNamePrefix: old
    metrics: [*size, *typo]
`)
	r := run(t, nil, "lint", "--crds", "crds.yaml", "r.yaml")
	want := `r.yaml:10:42: warning: metric "typo": path object.status.typo: Backup v1 has no field "typo" in status
r.yaml:10:42: warning: metric "typo": path object.status.typo: Backup v1beta1 has no field "status"
ok    0 errors, 2 warnings; 4 metrics checked
`
	if diff := cmp.Diff(want, r.ok(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLintStates(t *testing.T) {
	f := func(states string, want ...string) {
		t.Helper()
		checkLint(t, ruleHead+"    - {name: x, help: x, type: stateSet, stateLabel: phase, value: object.status.phase, states: ["+states+"]}\n", want...)
	}
	f("Pending, Running, Done, Failed")
	f("Pending, Runing, Done",
		`warning: metric "x": state "Runing": status.phase of Backup v1 is one of Pending, Running, Done, Failed, did you mean "Running"?`,
		`warning: metric "x": states: status.phase of Backup v1 can also be Running, Failed`)
}

func TestLintMetrics(t *testing.T) {
	f := func(metrics string, want ...string) {
		t.Helper()
		checkLint(t, ruleHead+metrics, want...)
	}
	f("    - {name: runs, help: x, type: counter, value: object.status.size}\n",
		`warning: metric "runs": the name of a counter ends in _total: without it, OpenMetrics declares the family unknown`)
	f("    - {name: size_total, help: x, value: object.status.size}\n",
		`warning: metric "size_total": the metric is a gauge, but its name ends in _total as those of counters do`)
	f("    - {name: place, help: x, type: info, labels: {schedule: object.spec.schedule}}\n",
		`note: metric "place": the name of an info metric ends in _info: without it, OpenMetrics declares the family a gauge`)
	f("    - {name: size, value: object.status.size}\n",
		`warning: metric "size": the metric has no help: say in a sentence what it means`)
	f("    - {name: age_days, help: x, value: object.status.size}\n",
		`warning: metric "age_days": use base unit "seconds" instead of "days"`)
	f("    - {name: lastSize, help: x, value: object.status.size, labels: {runID: object.spec.schedule}}\n",
		`note: metric "lastSize": Prometheus has label names in snake_case: runID`,
		`warning: metric "lastSize": metric names should be written in 'snake_case' not 'camelCase'`)
	f("    - {name: size, help: x, value: object.status.size}\n    - {name: size, help: x, value: object.status.size}\n",
		`warning: metric "size": the family backup_size of Backup is made at r.yaml:9:7, too: of series with equal labels only the first is served`)
	f("    - {name: size, help: x, value: object.status.size}\n    - {name: size, help: x, value: object.status.size, labels: {of: object.kind}}\n")
	f("    - {name: size, help: x, value: object.status.size, labels: {of: \"'a'\"}}\n    - {name: size, help: x, value: '1', labels: {of: \"'b'\"}}\n")
	// Labels that never end.
	conditions := "    - name: status\n      help: x\n      forEach: [{as: c, in: object.status.conditions}]\n      value: c.status\n"
	f(conditions + "      labels: {type: c.type}\n")
	f(conditions+"      labels: {reason: c.reason, version: object.metadata.resourceVersion, uid: object.metadata.uid}\n",
		`note: metric "status": label "reason" is a reason, which controllers choose freely: limits.labelValues bounds it`,
		`warning: metric "status": label "version" is the resourceVersion: each change of it is a new series; leave it out, or set limits`,
		`note: metric "status": label "uid" is the object's UID: series end when an object is made anew; it belongs on an info metric`)
	f(conditions + "      labels: {reason: c.reason}\n      limits: {labelValues: {reason: 20}}\n")
	f("    - {name: info, help: x, type: info, labels: {uid: object.metadata.uid}}\n")
	f("    - {name: sum, help: x, value: object.status.size, labels: {g: object.metadata.generation}, aggregate: {op: sum}}\n",
		`warning: metric "sum": non-histogram and non-summary metrics should not have "_sum" suffix`)
}

// TestLintExamples: the rules that are there to be copied are without warnings.
func TestLintExamples(t *testing.T) {
	folders, err := filepath.Glob(filepath.Join("..", "..", "examples", "rules", "*", "rules.yaml"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, rules := range folders {
		crs := filepath.Join(filepath.Dir(rules), "crs.yaml")
		for _, args := range [][]string{{rules}, {"--custom-resource-state-config-file", crs}} {
			if r := run(t, nil, append([]string{"lint", "--strict"}, args...)...); r.code != 0 {
				t.Errorf("%v:\n%s%s", args, r.out, r.stderr)
			}
		}
	}
}

const legacyHead = `kind: CustomResourceStateMetrics
spec:
  resources:
  - groupVersionKind: {group: example.com, kind: Backup, version: v1}
    labelsFromPath: {name: [metadata, name]}
    metrics:
`

func TestLintLegacy(t *testing.T) {
	f := func(each string, want ...string) {
		t.Helper()
		checkLint(t, legacyHead+"    - {name: x, help: x, each: "+each+"}\n", want...)
	}
	f(`{type: Gauge, gauge: {path: [status, size]}}`)
	f(`{type: Gauge, gauge: {path: [status], valueFrom: [size]}}`)
	f(`{type: Gauge, gauge: {path: [status, conditions], valueFrom: [status], labelsFromPath: {type: [type]}}}`)
	f(`{type: Gauge, gauge: {path: [status, conditions, "[type=Ready]", status]}}`)
	f(`{type: Info, info: {path: [spec], labelsFromPath: {schedule: [schedule], target: [targetRef, name], name: [name]}}}`,
		`note: metric "x": the name of an info metric ends in _info: without it, OpenMetrics declares the family a gauge`)
	f(`{type: Gauge, gauge: {path: [status, siz]}}`,
		`warning: metric "x": path status.siz: Backup v1 has no field "siz" in status, did you mean "size"?`)
	f(`{type: Gauge, gauge: {path: [status], valueFrom: [siz]}}`,
		`warning: metric "x": path status.siz: Backup v1 has no field "siz" in status, did you mean "size"?`)
	f(`{type: Gauge, gauge: {path: [status, conditions], valueFrom: [statu], labelsFromPath: {type: [typ]}}}`,
		`warning: metric "x": path status.conditions[].statu: Backup v1 has no field "statu" in status.conditions[], did you mean "status"?`,
		`warning: metric "x": path status.conditions.typ: Backup v1 has no field "typ" in status.conditions[], did you mean "type"?`)
	f(`{type: Gauge, gauge: {path: [status, copies, conditions], valueFrom: [status]}}`,
		`warning: metric "x": path status.copies.conditions: status.copies is a list in Backup v1: a path of this form does not go through lists; name an element, such as [type=Ready], or write the metric with forEach`)
	f(`{type: Gauge, gauge: {valueFrom: [status, size]}}`,
		`warning: metric "x": valueFrom without a path leads from each field of the object: it gives nothing; write it as path`)
	f(`{type: StateSet, stateSet: {path: [status, phase], labelName: phase, list: [Pending, Running, Done]}}`,
		`warning: metric "x": states: status.phase of Backup v1 can also be Failed`)
	// Lookups that match by number.
	f(`{type: Info, info: {path: [status, conditions, "[status=False]"], labelsFromPath: {type: [type]}}}`,
		`note: metric "x": the name of an info metric ends in _info: without it, OpenMetrics declares the family a gauge`,
		`warning: metric "x": [status=False] also matches "False", "No", "Unknown", false and 0: values that are the same number are equal`)
	f(`{type: Gauge, gauge: {path: [status, conditions, "[reason=5m]", status]}}`,
		`warning: metric "x": [reason=5m] also matches 0.005: values that are the same number are equal`)
	f(`{type: Gauge, gauge: {path: [status, conditions, "[type=True]", status]}}`)
	checkLint(t, `kind: CustomResourceStateMetrics
spec:
  resources:
  - groupVersionKind: {group: example.com, kind: Backup, version: "*"}
    labelsFromPath: {name: [metadata, name]}
    resourcePlural: backups
    errorLogV: 5
    metrics: [{name: x, help: x, errorLogV: 5, each: {type: Gauge, gauge: {path: [status, size]}}}]
  - groupVersionKind: {group: example.com, kind: Backup, version: "*"}
    labelsFromPath: {name: [metadata, name]}
    metrics: [{name: y, help: x, each: {type: Gauge, gauge: {path: [status, size]}}}]
`,
		`note: without a version, the best one that is served is read, once: kube-state-metrics would give the series of each`,
		`note: resourcePlural has no effect`,
		`note: errorLogV has no effect`,
		`note: metric "x": errorLogV has no effect`,
		`note: line 4 is about the same kind: both apply here; of kube-state-metrics only the last would`,
		`note: without a version, the best one that is served is read, once: kube-state-metrics would give the series of each`)
}

// TestLintAllAtOnce: all errors of all files are told, and the files without
// errors are checked in full.
func TestLintAllAtOnce(t *testing.T) {
	lintDir(t,
		"a.yaml", ruleHead+"    - {name: x, help: x, valeu: object.status.size}\n    - {name: a b, help: x, value: object.status.size}\n",
		"b.yaml", "kind: MetricRule\nspec: {}\n",
		"c.yaml", ruleHead+"    - {name: y, help: x, value: object.status.siz, enable: more}\n",
		"d.yaml", "kind: [\n")
	r := run(t, nil, "lint", "--crds", "crds.yaml", "d.yaml", "c.yaml", "b.yaml", "a.yaml", "nothing.yaml")
	want := `open nothing.yaml: no such file or directory
a.yaml:9:26: metric "x": unknown field "valeu", did you mean "value"?
a.yaml:10:7: metric "a b": metric name "backup_a b" does not match [a-zA-Z_:][a-zA-Z0-9_:]*
b.yaml:1:7: unknown kind "MetricRule": expected MetricRules or CustomResourceStateMetrics, did you mean "MetricRules"?
c.yaml:9:33: warning: metric "y": path object.status.siz: Backup v1 has no field "siz" in status, did you mean "size"?
`
	stderr := "kubevitals: 5 errors, 1 warning; 1 metric checked\n"
	if !strings.HasSuffix(r.out, "did not find expected node content\n") {
		t.Errorf("the last line is not about d.yaml:\n%s", r.out)
	}
	if diff := cmp.Diff(want, r.out[:strings.LastIndex(r.out, "d.yaml:")]); diff != "" || r.code != 1 || r.stderr != stderr {
		t.Errorf("code %d, stderr %q, (-want +got):\n%s", r.code, r.stderr, diff)
	}
}

func TestLintOutcome(t *testing.T) {
	lintDir(t, "good.yaml", ruleHead+"    - {name: size, help: x, value: object.status.size}\n",
		"warning.yaml", ruleHead+"    - {name: number, value: object.status.size}\n",
		"note.yaml", ruleHead+"    - {name: x, help: x, type: info}\n",
		"error.yaml", ruleHead+"    - {name: x, help: x, value: objekt.a}\n")
	f := func(code int, last string, args ...string) {
		t.Helper()
		r := run(t, nil, append([]string{"lint"}, args...)...)
		if all := r.out + r.stderr; r.code != code || !strings.HasSuffix(all, last+"\n") {
			t.Errorf("lint %v: code %d, want %d, and the last line %q:\n%s", args, r.code, code, last, all)
		}
	}
	f(0, "ok    0 errors, 0 warnings; 1 metric checked", "good.yaml")
	f(0, "ok    0 errors, 0 warnings; 1 metric checked", "--strict", "--rules", "good.yaml")
	f(0, "ok    0 errors, 1 warning; 2 metrics checked", "good.yaml", "warning.yaml")
	f(1, "kubevitals: 0 errors, 1 warning; 1 metric checked", "--strict", "warning.yaml")
	f(0, "ok    0 errors, 0 warnings, 1 note; 1 metric checked", "--strict", "note.yaml")
	f(1, "kubevitals: 1 error, 0 warnings; 0 metrics checked", "error.yaml")
	f(1, "kubevitals: 1 error, 0 warnings; 0 metrics checked", "--enable", "nothing", "good.yaml")
	f(0, "ok    0 errors, 0 warnings, 7 notes; 228 metrics checked", "--catalog", "gateway-api")
	f(1, "kubevitals: lint needs rules: name files or folders, or give --rules, --catalog or --custom-resource-state-config-file")
	f(1, `kubevitals: --format "xml": expected text, json or github`, "--format", "xml", "good.yaml")
	f(1, "kubevitals: --kubeconfig goes with --cluster", "--kubeconfig", "x", "good.yaml")
	f(1, "kubevitals: --crds: open nothing: no such file or directory", "--crds", "nothing", "good.yaml")
}

func TestLintFormats(t *testing.T) {
	lintDir(t, "a,b.yaml", ruleHead+"    - {name: size, value: object.status.size, labels: {100%: object.spec}}\n", "good.yaml",
		ruleHead+"    - {name: size, value: object.status.size}\n")
	r := run(t, nil, "lint", "--format", "github", "a,b.yaml", "good.yaml")
	want := `::error file=a%2Cb.yaml,line=9,col=56::metric "size": "100%25" is no label name (letters, digits and _, not starting with a digit or __), did you mean "_100_"?
::warning file=good.yaml,line=9,col=7::metric "size": the metric has no help: say in a sentence what it means
`
	if diff := cmp.Diff(want, r.out); diff != "" || r.code != 1 {
		t.Errorf("code %d (-want +got):\n%s", r.code, diff)
	}

	var got struct {
		Findings []struct {
			File, Severity, Where, Message string
			Line, Column                   int
		}
		Errors, Warnings, Notes, Metrics int
		Series                           []struct {
			Kind, Total string
			Metrics     []struct{ Metric, Family, PerObject string }
		}
	}
	out := run(t, nil, "lint", "--format", "json", "--series", "good.yaml").ok(t)
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	f := got.Findings[0]
	if f.File != "good.yaml" || f.Severity != "warning" || f.Line != 9 || f.Column != 7 || f.Where != `metric "size"` || f.Message == "" {
		t.Errorf("finding %+v", f)
	}
	if got.Warnings != 1 || got.Metrics != 1 || got.Series[0].Kind != "example.com/Backup" || got.Series[0].Metrics[0].PerObject != "1" {
		t.Errorf("got %+v", got)
	}
}

func TestLintSeries(t *testing.T) {
	rules := ruleHead + `    - {name: size, help: x, value: object.status.size}
    - {name: copies, help: x, forEach: [{as: c, in: object.status.copies}], value: c.place}
    - name: copy_status
      help: x
      forEach: [{as: c, in: object.status.copies}, {as: d, in: c.conditions}]
      value: d.status
    - {name: labels_info, help: x, type: info, forEach: [{as: l, in: object.metadata.labels, one: true}], spread: [{from: l}]}
    - {name: phase, help: x, type: stateSet, stateLabel: p, states: [A, B, C], value: object.status.phase}
    - {name: per_place, help: x, forEach: [{as: c, in: object.status.copies}], labels: {place: c.place}, aggregate: {op: count, by: [place]}}
`
	f := func(rules string, want string, args ...string) {
		t.Helper()
		lintDir(t, "r.yaml", rules)
		out := run(t, nil, append([]string{"lint", "--series", "r.yaml"}, args...)...).ok(t)
		if diff := cmp.Diff(want, out[strings.Index(out, "example.com/"):strings.LastIndex(out, "\n\n")]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	f(rules, `example.com/Backup
metric       family              per object
size         backup_size         1
copies       backup_copies       N of object.status.copies
copy_status  backup_copy_status  N of object.status.copies x N of conditions
labels_info  backup_labels_info  1
phase        backup_phase        3
per_place    backup_per_place    none (grouped by place)
total                            5 + N of object.status.copies + N of object.status.copies x N of conditions`)
	f(rules, `example.com/v1/Backup
metric       family              per object
size         backup_size         1
copies       backup_copies       N of object.status.copies <= 4
copy_status  backup_copy_status  N of object.status.copies x N of conditions <= 4 x 8 = 32
labels_info  backup_labels_info  1
phase        backup_phase        3
per_place    backup_per_place    none (grouped by place)
total                            5 + N of object.status.copies + N of object.status.copies x N of conditions <= 41`, "--crds", "crds.yaml")
	f(ruleHead+"    - {name: x, help: x, type: stateSet, stateLabel: p, states: [A, B], forEach: [{as: c, in: object.status.copies}], value: c.place}\n",
		`example.com/v1/Backup
metric  family    per object
x       backup_x  N of object.status.copies x 2 states <= 4 x 2 = 8
total             0 + N of object.status.copies x 2 states <= 8`, "--crds", "crds.yaml")
	f(legacyHead+`    - {name: a, help: x, each: {type: Gauge, gauge: {path: [status, copies], valueFrom: [place]}}}
    - {name: b, help: x, each: {type: Gauge, gauge: {path: [status, size]}}}
    - {name: c_info, help: x, each: {type: Info, info: {path: [status], labelsFromPath: {p: [phase]}}}}
`, `example.com/v1/Backup
metric  family                      per object
a       kube_customresource_a       N of object.status.copies <= 4
b       kube_customresource_b       1
c_info  kube_customresource_c_info  1
total                               2 + N of object.status.copies <= 6`, "--crds", "crds.yaml")
}
