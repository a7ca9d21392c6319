package store

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevitals/kubevitals/internal/rule"
)

// fuzzRules have a family of each kind, lookups of themselves, and limits.
const fuzzRules = `
kind: MetricRules
spec:
  resources:
  - groupVersionKind: {group: example.com, kind: A}
    lookup: [{as: b, apiVersion: "'example.com/v1'", kind: "'B'", name: object.ref}]
    labels: {n: object.metadata.name, k: gvk.kind}
    metrics:
    - {name: line, value: [b.v, object.v]}
    - {name: age, age: object.v}
    - {name: agg, forEach: [{as: s, in: object.l}], labels: {t: s}, value: s, aggregate: {op: avg, by: [t]}}
    - {name: hist, type: histogram, forEach: [{as: s, in: object.l}], value: s, aggregate: {op: histogram, buckets: [1, 3]}}
    - {name: moved_total, type: counter, onTransition: {of: object.v, by: [from, to]}}
    - {name: limited, forEach: [{as: s, in: object.l}], labels: {s: s}, value: 1, limits: {series: 4, labelValues: {s: 2}, onExceed: other}}
  - groupVersionKind: {group: example.com, kind: B}
    labels: {n: object.metadata.name, k: gvk.kind}
    metrics: [{name: line, value: object.v}, {name: any, forEach: [{as: o, lookup: {apiVersion: "'example.com/v1'", kind: object.kind, name: object.ref}}], value: o.v}]
`

// fuzzObject makes an object of two bytes.
func fuzzObject(name string, a, b byte) map[string]any {
	o := map[string]any{"metadata": map[string]any{"name": name}, "ref": fmt.Sprint("o", a%5), "kind": []any{"A", "B", nil, "C"}[a>>6]}
	if b&1 > 0 {
		o["v"] = int64(b >> 5)
	}
	var list []any
	for i := range int(b >> 1 & 3) {
		list = append(list, int64(a>>i&3))
	}
	o["l"] = list
	return o
}

// FuzzStore applies any events. The store holds what one holds that is given
// the final objects, but for what counts changes and for limits, of which it
// never has more than there may be; in the end it keeps nothing.
func FuzzStore(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x10\x20\x30\x41\x52\x63"))
	f.Add([]byte(strings.Repeat("\x00\xff\x3f\x01\x37\xff\x02\x00\x00\x43\x71\x15\x84\xc1\xa7", 5)))
	f.Fuzz(func(t *testing.T, events []byte) {
		if len(events) > 600 {
			return
		}
		now := &clock{}
		now.at(1000)
		s, set := storeWith(t, fuzzRules, Options{Now: now.Now})
		programOf := func(kind string) *rule.Program {
			return set.Programs(rule.Served{GVK: rule.GVK{Group: "example.com", Version: "v1", Kind: kind}, Best: true, Wanted: true})[0]
		}
		names := []string{"A", "B"}
		kinds := map[string]*Kind{"A": s.Kind(programOf("A")), "B": s.Kind(programOf("B"))}
		final := map[string]map[string]map[string]any{"A": {}, "B": {}}
		for ; len(events) >= 3; events = events[3:] {
			kind, name := names[events[0]&1], fmt.Sprint("o", (events[0]>>1&7)%5)
			switch op := events[0] >> 4; {
			case op < 9:
				final[kind][name] = fuzzObject(name, events[1], events[2])
				kinds[kind].Set(final[kind][name])
			case op < 12:
				kinds[kind].Delete("", name)
				delete(final[kind], name)
			case op < 13:
				kinds[kind].Replace(programOf(kind), values(final[kind]), 0)
			case op < 14:
				clear(final[kind])
				kinds[kind].Lost(ReasonTimeout, fmt.Errorf("lost"))
			default:
				got := text(t, s)
				if n := strings.Count(got, "\nlimited{"); n > 4 {
					t.Fatalf("%d series, 4 are allowed", n)
				}
			}
		}
		fresh, _ := storeWith(t, fuzzRules, Options{Now: now.Now})
		for _, kind := range []string{"B", "A"} {
			fresh.Kind(programOf(kind)).Replace(programOf(kind), values(final[kind]), 0)
		}
		if diff := cmp.Diff(stateless(text(t, fresh)), stateless(text(t, s))); diff != "" {
			t.Fatalf("-at once +step by step:\n%s", diff)
		}
		for _, k := range kinds {
			k.Remove()
		}
		emptyStore(t, s)
	})
}

// stateless leaves out families whose content depends on what was before.
func stateless(text string) string {
	var out []string
	for line := range strings.Lines(text) {
		if !strings.Contains(line, "moved_total") && !strings.HasPrefix(line, "limited") && !strings.HasPrefix(line, "# TYPE limited") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}
