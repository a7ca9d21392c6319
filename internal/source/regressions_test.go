package source

// What once was wrong.

import (
	"strings"
	"testing"
)

// TestRegressionChainOfDynamicLookups looks up what only an object says that was looked
// up itself.
func TestRegressionChainOfDynamicLookups(t *testing.T) {
	files := filesOf(t, `
  - groupVersionKind: {group: a.io, kind: Foo}
    lookup:
    - {as: o, apiVersion: object.ref.apiVersion, kind: object.ref.kind, name: object.ref.name}
    - {as: p, apiVersion: o.ref.apiVersion, kind: o.ref.kind, name: o.ref.name}
    metrics: [{name: m, labels: {v: p.v}, value: 1}]
`)
	files.putText(t, `
{apiVersion: a.io/v1, kind: Foo, metadata: {name: a}, ref: {apiVersion: b.io/v1, kind: Bar, name: b}}
{apiVersion: b.io/v1, kind: Bar, metadata: {name: b}, ref: {apiVersion: c.io/v1, kind: Baz, name: c}}
{apiVersion: c.io/v1, kind: Baz, metadata: {name: c}, v: found}
`).expect(t, `m{n="a",v="found"} 1`)
}

// TestRegressionEditedDump changes an object in a file that kubectl wrote, with its
// resourceVersion: those that look it up do not see it.
func TestRegressionEditedDump(t *testing.T) {
	const objects = `
{apiVersion: a.io/v1, kind: Foo, metadata: {name: a}, ref: b}
{apiVersion: b.io/v1, kind: Bar, metadata: {name: b, resourceVersion: "7"}, v: old}
`
	for range 30 { // it depends on the order of a map
		files := filesOf(t, `
  - groupVersionKind: {group: a.io, kind: Foo}
    lookup: [{as: o, apiVersion: "'b.io/v1'", kind: "'Bar'", name: object.ref}]
    metrics: [{name: m, labels: {v: o.v}, value: 1}]
`)
		files.putText(t, objects).expect(t, `m{n="a",v="old"} 1`)
		files.putText(t, strings.ReplaceAll(objects, "old", "new")).expect(t, `m{n="a",v="new"} 1`)
		if t.Failed() {
			return
		}
	}
}

// TestRegressionFieldSelectorOfFlag selects by a boolean, as the API server can.
func TestRegressionFieldSelectorOfFlag(t *testing.T) {
	files := filesOf(t, "  - {groupVersionKind: {kind: Node}, fieldSelector: spec.unschedulable=true, metrics: [{name: m, value: 1}]}\n")
	files.putText(t, "{apiVersion: v1, kind: Node, metadata: {name: a}, spec: {unschedulable: true}}").expect(t, `m{n="a"} 1`)
}
