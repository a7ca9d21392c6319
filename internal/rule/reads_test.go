package rule_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/internal/rule"
)

func paths(reads []rule.Read) string {
	var out []string
	for _, r := range reads {
		p := strings.Join(r.Path, "/")
		if r.Path == nil {
			p = "-"
		}
		out = append(out, p)
	}
	return strings.Join(out, " ")
}

// TestReadings lists what each metric reads, and what it iterates over.
func TestReadings(t *testing.T) {
	f := func(metric, scopes, reads string) {
		t.Helper()
		set := loadCEL(t, `
kind: MetricRules
spec:
  labels: {d: object.doc}
  resources:
  - groupVersionKind: {group: g, kind: K}
    lookup: [{as: n, apiVersion: object.ref.v, kind: "'N'", namespace: object.ns, name: object.ref.name}]
    labels: {r: object.res, k: gvk.kind, o: n.other}
    metrics: [{name: m, `+metric+`}]`)
		r := set.Readings()[0]
		var got []string
		for _, scope := range r.Scopes {
			if len(scope.Reads) == 0 {
				got = append(got, "-")
				continue
			}
			got = append(got, strings.ReplaceAll(paths(scope.Reads), " ", "+"))
		}
		if got := strings.Join(got, " "); got != scopes {
			t.Errorf("%s: scopes %s, want %s", metric, got, scopes)
		}
		const shared = "ref/v ns ref/name doc res"
		if got, want := paths(r.Reads), strings.TrimSpace(shared+" "+reads); got != want {
			t.Errorf("%s: reads\n%s, want\n%s", metric, got, want)
		}
	}
	f(`value: 1`, "", "")
	f(`value: object.a`, "", "a")
	f(`value: [object.a, object.b.c, "'x'"]`, "", "a b/c")
	f(`value: "object.a[0].b[-1]"`, "", "a/[]/b/[]")
	f(`value: "object.a[t=x].b"`, "", "a/[]/b")
	f(`value: 'object["a"].b["c.d"]'`, "", "a/b/c.d")
	f(`value: gvk.version`, "", "")
	f(`value: n.spec`, "", "")
	f(`value: "object.a + object.b.c"`, "", "a b/c")
	f(`value: "object.l.exists(c, c.t == 'x')"`, "", "l l/[]/t")
	f(`value: s.v, forEach: [{as: s, in: object.l, where: s.on}], labels: {x: s.x, y: object.y}`, "l", "l l/[]/on l/[]/x y l/[]/v")
	f(`value: c.v, forEach: [{as: p, in: object.l}, {as: c, in: p.cs}]`, "l l/[]/cs", "l l/[]/cs l/[]/cs/[]/v")
	f(`value: "c.v + 1", forEach: [{as: p, in: object.l}, {as: c, in: p.cs}]`, "l l/[]/cs", "l l/[]/cs l/[]/cs/[]/v")
	f(`value: s.v, forEach: [{as: s, in: object.l, one: true}]`, "l", "l l/[*]/v")
	f(`value: s.v, forEach: [{as: s, in: n.l}]`, "-", "")
	f(`value: s.v, forEach: [{as: s, in: [object.a, object.b]}]`, "a+b", "a b a/[]/v b/[]/v")
	f(`value: s.v, forEach: [{as: s, in: "object.l.filter(x, x.on)"}]`, "l+l/[]+l/[]/on", "l l/[] l/[]/on")
	f(`value: k, forEach: [{as: s, in: object.m, key: k, index: i}], labels: {i: i}`, "m", "m")
	f(`value: o.v, forEach: [{as: o, lookup: {apiVersion: "'v1'", kind: object.k, name: object.n}, where: object.w}]`, "", "k n w")
	f(`type: info, spread: [{from: object.labels}]`, "", "labels")
	f(`age: object.at`, "", "at")
	f(`type: counter, onTransition: {of: object.p}, age: object.at`, "", "at p")
	f(`value: 1, labelsFromPath: {x: [a, "[t=x]", b], y: [c, "0", "k=v"]}`, "", "a/[]/b c/[]/k")
}

func TestReadingsOfSet(t *testing.T) {
	set := loadCEL(t, `
kind: MetricRules
metadata: {name: one}
spec:
  resources:
  - groupVersionKind: {group: g, kind: K, version: v1}
    metricNamePrefix: p
    enable: extra
    metrics: [{name: off, value: 1}]
  - groupVersionKind: {group: g, kind: K, version: v1}
    metricNamePrefix: p
    metrics:
    - {name: m, type: stateSet, states: [A, B, C], stateLabel: s, value: object.s}
    - {name: l, each: {type: Gauge, gauge: {path: [status, l], labelsFromPath: {x: [t]}, valueFrom: [v]}}}
  - {discover: {kinds: [X]}, metrics: [{name: n, value: object.v}]}
`)
	var got []string
	for _, r := range set.Readings() {
		got = append(got, fmt.Sprintf("%s %s discovered=%v states=%d legacy=%v %s line %d", r.Desc.Name, r.Name, r.Discovered, len(r.States), r.Legacy, r.Document, r.At.Line))
	}
	want := []string{
		"p_m m discovered=false states=3 legacy=false one line 13",
		"p_l l discovered=false states=0 legacy=true one line 14",
		"n n discovered=true states=0 legacy=false one line 15",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, r := range set.Readings() {
		for _, read := range r.Reads {
			if r.Legacy {
				continue
			}
			if read.Source == "" || read.At.File != "r.yaml" || read.At.Line < 6 || read.At.Column == 0 {
				t.Errorf("%s: a read without a place: %+v", r.Desc.Name, read)
			}
		}
	}
}

// TestReadsAreNotShared: readings of one resource do not write into each other.
func TestReadsAreNotShared(t *testing.T) {
	set := load(t, `
kind: MetricRules
spec:
  resources:
  - groupVersionKind: {group: g, kind: K}
    labels: {a: object.a, b: object.b, c: object.c}
    metrics: [{name: m, value: object.m}, {name: n, value: object.n}, {name: o, value: object.o}]
`)
	for _, r := range set.Readings() {
		if got, want := paths(r.Reads), "a b c "+r.Name; got != want {
			t.Errorf("%s reads %s, want %s", r.Name, got, want)
		}
	}
}
